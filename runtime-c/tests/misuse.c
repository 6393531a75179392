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
    metadrift_detector *detector = NULL;
    metadrift_guard *guard = NULL;
    metadrift_opinion opinion;
    double evidence;
    int answer = 7;

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
    expect(metadrift_set_command(policy, observation, 4), METADRIFT_LENGTH, "the command");

    expect(metadrift_detector_open(NULL, METADRIFT_RETURNS, METADRIFT_CUSUM, 5, &detector), METADRIFT_NULL, "the policy");
    expect(metadrift_detector_open(policy, (metadrift_watch)2, METADRIFT_CUSUM, 5, &detector), METADRIFT_NOT_FINITE, "2 is no");
    expect(metadrift_detector_open(policy, METADRIFT_RETURNS, (metadrift_test)9, 5, &detector), METADRIFT_NOT_FINITE, "9 is no");
    expect(metadrift_detector_open(policy, METADRIFT_RETURNS, METADRIFT_CUSUM, 0, &detector), METADRIFT_NOT_FINITE, "threshold");
    expect(metadrift_detector_open(policy, METADRIFT_RETURNS, METADRIFT_CUSUM, 5, NULL), METADRIFT_NULL, "the place");
    expect(metadrift_detector_step(NULL, observation, 4, command, 1, observation, &answer), METADRIFT_NULL, "the detector");
    if (detector != NULL) return 1;
    ok(metadrift_detector_open(policy, METADRIFT_PREDICTION, METADRIFT_PAGE_HINKLEY, 40, &detector));
    expect(metadrift_detector_step(detector, observation, 3, command, 1, observation, &answer), METADRIFT_LENGTH, "3 numbers");
    expect(metadrift_detector_step(detector, observation, 4, command, 1, observation, NULL), METADRIFT_NULL, "the place");
    expect(metadrift_detector_step(detector, observation, 4, command, 1, NULL, &answer), METADRIFT_NULL, "the next");
    expect(metadrift_detector_episode(detector, NAN, &answer), METADRIFT_NOT_FINITE, "the return");
    if (answer != 7) return 1;
    ok(metadrift_detector_step(detector, observation, 4, command, 1, observation, &answer));
    if (answer != 0) return 1;
    ok(metadrift_detector_restart(detector));
    metadrift_detector_close(detector);
    metadrift_detector_close(NULL);

    expect(metadrift_guard_open(1, &guard), METADRIFT_NOT_FINITE, "a level");
    expect(metadrift_guard_open(0.05, NULL), METADRIFT_NULL, "the place");
    ok(metadrift_guard_open(0.05, &guard));
    expect(metadrift_guard_toss(guard, 1, &answer), METADRIFT_NOT_FINITE, "[0, 1)");
    expect(metadrift_guard_see(guard, INFINITY, 1, &answer), METADRIFT_NOT_FINITE, "the return");
    expect(metadrift_guard_state(guard, &opinion, NULL), METADRIFT_NULL, "the evidence");
    expect(metadrift_guard_renew(NULL), METADRIFT_NULL, "the guard");
    /* an adapted policy that earns 1 where the other earns 2 */
    for (count = 0, answer = 0; !answer && count < 100; count++) {
        int adapted_acts;
        ok(metadrift_uniforms(1, count, uniforms));
        ok(metadrift_guard_toss(guard, uniforms[0], &adapted_acts));
        ok(metadrift_guard_see(guard, adapted_acts ? 1 : 2, adapted_acts, &answer));
    }
    ok(metadrift_guard_state(guard, &opinion, &evidence));
    if (!answer || opinion != METADRIFT_ROLLED_BACK || evidence < 2 / 0.05) return 1;
    ok(metadrift_guard_renew(guard));
    ok(metadrift_guard_state(guard, &opinion, &evidence));
    if (opinion != METADRIFT_TRIAL || evidence != 1) return 1;
    metadrift_guard_close(guard);
    metadrift_guard_close(NULL);
    metadrift_close(policy);
    puts("all refused");
    return 0;
}
