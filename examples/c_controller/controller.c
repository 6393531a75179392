/* A cart-pole whose motor is turned round while it runs. The controller has a detector, which learns to predict the next
 * readings and notices that they come otherwise: it tries things out for a few episodes, adapts, and goes on. How to build it:
 * README.md beside this file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadrift.h"

enum { STEPS = 500, EPISODES = 24, TURNED = 10 }; /* the motor is turned before episode 10 */

static float gain = 1; /* of the motor; the controller does not know it */
static uint64_t tick;
static metadrift_policy *policy;
static metadrift_detector *detector;
static int changed; /* since the last adaptation */

static void ok(metadrift_code code) {
    if (code == METADRIFT_OK) return;
    fprintf(stderr, "metadrift: %s\n", metadrift_error());
    exit(1);
}

/* The plant: CartPole-v1 of Gymnasium, one step of 0.02 s under a push of 10 N to one side or the other. */
static int fallen(float *s, float command) {
    float force = gain * (command > 0.5f ? 10.0f : -10.0f), c = cosf(s[2]), sine = sinf(s[2]);
    float temp = (force + 0.05f * s[3] * s[3] * sine) / 1.1f;
    float theta_acc = (9.8f * sine - c * temp) / (0.5f * (4.0f / 3.0f - 0.1f * c * c / 1.1f));
    float x_acc = temp - 0.05f * theta_acc * c / 1.1f;
    s[0] += 0.02f * s[1], s[1] += 0.02f * x_acc, s[2] += 0.02f * s[3], s[3] += 0.02f * theta_acc;
    return fabsf(s[0]) > 2.4f || fabsf(s[2]) > 0.2094395f;
}

/* One episode; gives its return. A policy that is to learn draws its commands and records what follows. */
static int episode(int learns) {
    float state[4], before[4], command, u[4];
    int alarm;
    ok(metadrift_uniforms(7, tick++, u));
    for (int k = 0; k < 4; k++) state[k] = 0.1f * u[k] - 0.05f;
    for (int step = 1;; step++) {
        ok(metadrift_uniforms(8, tick++, u));
        ok(learns ? metadrift_sample(policy, state, 4, u, &command, 1) : metadrift_act(policy, state, 4, &command, 1));
        memcpy(before, state, sizeof before);
        metadrift_end end = fallen(state, command) ? METADRIFT_TERMINATED : step == STEPS ? METADRIFT_STOPPED : METADRIFT_GOING;
        ok(metadrift_detector_step(detector, before, 4, &command, 1, state, &alarm));
        if (alarm) printf("noticed a change at step %d\n", step), changed = 1;
        if (learns) ok(metadrift_record(policy, 1, state, 4, end));
        if (end != METADRIFT_GOING) return step;
    }
}

/* Takes the adaptation back, tries things out for as many episodes as in training, and adapts to them. */
static void adapt(void) {
    metadrift_adapted adapted;
    size_t episodes = metadrift_episodes_per_step(policy);
    ok(metadrift_reset(policy));
    for (size_t k = 0; k < episodes; k++) episode(1);
    ok(metadrift_adapt(policy, &adapted));
    printf("adapted to %zu episodes of mean return %.1f\n", adapted.episodes, adapted.mean_return);
    changed = 0;
}

int main(int argc, char **argv) {
    static unsigned char file[1 << 17];
    FILE *in = fopen(argc > 1 ? argv[1] : "policy.bin", "rb");
    size_t length = in != NULL ? fread(file, 1, sizeof file, in) : 0;
    ok(metadrift_open(file, length, &policy));
    ok(metadrift_detector_open(policy, METADRIFT_PREDICTION, METADRIFT_CUSUM, METADRIFT_THRESHOLD_OF_PREDICTION, &detector));
    ok(metadrift_room(policy, metadrift_episodes_per_step(policy) * STEPS));
    adapt();
    for (int k = 0; k < EPISODES; k++) {
        if (k == TURNED) gain = -1, puts("the motor is turned round");
        printf("episode %2d: return %d\n", k, episode(0));
        if (changed) adapt();
    }
    metadrift_detector_close(detector);
    metadrift_close(policy);
    return 0;
}
