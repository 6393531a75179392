/* Every kind of misuse gives its code and a message, and never an end of the program. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadrift.h"

static void expect(metadrift_code found, metadrift_code code, const char *part) {
    if (found == code && strstr(metadrift_error(), part) != NULL) return;
    fprintf(stderr, "code %d instead of %d, or no \"%s\" in: %s\n", (int)found, (int)code, part, metadrift_error());
    exit(1);
}

static void ok(metadrift_code code) { expect(code, METADRIFT_OK, ""); }

int main(int argc, char **argv) {
    static unsigned char file[1 << 17];
    FILE *in = fopen(argc > 1 ? argv[1] : "policy.bin", "rb");
    size_t length = in != NULL ? fread(file, 1, sizeof file, in) : 0;
    metadrift_policy *policy = NULL;
    metadrift_adapted adapted;
    float observation[4] = {0}, command[1] = {7}, uniforms[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    size_t count;

    if (strcmp(metadrift_error(), "") != 0) return 1;
    expect(metadrift_open(NULL, length, &policy), METADRIFT_NULL, "the file is null");
    expect(metadrift_open(file, length, NULL), METADRIFT_NULL, "the place for the policy is null");
    expect(metadrift_open(file, 3, &policy), METADRIFT_NOT_A_POLICY, "not a policy");
    expect(metadrift_open(file, length - 1, &policy), METADRIFT_NOT_A_POLICY, "damaged");
    file[8] ^= 2;
    expect(metadrift_open(file, length, &policy), METADRIFT_NOT_A_POLICY, "format");
    file[8] ^= 2;
    if (policy != NULL) return 1;
    expect(metadrift_begin(NULL), METADRIFT_NULL, "the policy is null");
    expect(metadrift_act(NULL, observation, 4, command, 1), METADRIFT_NULL, "the policy is null");
    metadrift_close(NULL);
    if (metadrift_observation_size(NULL) != 0) return 1;

    ok(metadrift_open(file, length, &policy));
    if (metadrift_observation_size(policy) != 4 || metadrift_command_size(policy) != 1) return 1;
    expect(metadrift_act(policy, NULL, 4, command, 1), METADRIFT_NULL, "the observation is null");
    expect(metadrift_act(policy, observation, 4, NULL, 1), METADRIFT_NULL, "the command is null");
    expect(metadrift_act(policy, observation, 3, command, 1), METADRIFT_LENGTH, "3 numbers where 4 belong");
    observation[1] = NAN;
    expect(metadrift_act(policy, observation, 4, command, 1), METADRIFT_NOT_FINITE, "the observation");
    observation[1] = 0;
    uniforms[2] = 1;
    expect(metadrift_sample(policy, observation, 4, uniforms, command, 1), METADRIFT_NOT_FINITE, "[0, 1)");
    uniforms[2] = 0.5f;
    if (command[0] != 7) return 1;
    expect(metadrift_outcome(policy, 1, observation, 4, METADRIFT_GOING), METADRIFT_ORDER, "without an action");
    expect(metadrift_record(policy, 1, observation, 4, METADRIFT_GOING), METADRIFT_FULL, "room for 0 steps");
    ok(metadrift_room(policy, 1));
    expect(metadrift_adapt(policy, &adapted), METADRIFT_NO_STEPS, "no steps");
    ok(metadrift_act(policy, observation, 4, command, 1));
    expect(metadrift_record(policy, 1, observation, 4, METADRIFT_GOING), METADRIFT_ORDER, "not drawn");
    ok(metadrift_sample(policy, observation, 4, uniforms, command, 1));
    expect(metadrift_record(policy, 1, observation, 4, (metadrift_end)3), METADRIFT_NOT_FINITE, "3 is no metadrift_end");
    expect(metadrift_record(policy, INFINITY, observation, 4, METADRIFT_GOING), METADRIFT_NOT_FINITE, "the reward");
    ok(metadrift_record(policy, 1, observation, 4, METADRIFT_GOING));
    ok(metadrift_sample(policy, observation, 4, uniforms, command, 1));
    expect(metadrift_record(policy, 1, observation, 4, METADRIFT_GOING), METADRIFT_FULL, "room for 1 steps");
    expect(metadrift_adapt(policy, NULL), METADRIFT_NULL, "the place for the change");
    count = metadrift_parameter_count(policy);
    expect(metadrift_parameters(policy, command, 1), METADRIFT_LENGTH, "the parameters");
    expect(metadrift_parameters(NULL, command, count), METADRIFT_NULL, "the policy");
    ok(metadrift_reset(policy));
    metadrift_close(policy);
    puts("all refused");
    return 0;
}
