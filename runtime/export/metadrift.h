/* Acting and adapting with a policy that metadrift has trained. C99; link with libmetadrift_c.a and the libraries that its
 * README names, or with libmetadrift_c.so.
 *
 * A policy belongs to one machine and is used by one thread at a time. Acting and recording allocate nothing. Functions
 * return METADRIFT_OK or another code, and never abort; after another code nothing has changed, and metadrift_error() says
 * what was wrong. A null pointer is refused. */
#ifndef METADRIFT_H
#define METADRIFT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum metadrift_code {
    METADRIFT_OK = 0,
    METADRIFT_NULL = 1,          /* a pointer is null */
    METADRIFT_NOT_A_POLICY = 2,  /* the bytes are no policy, damaged, or of another version */
    METADRIFT_LENGTH = 3,        /* an array has another length than the policy's */
    METADRIFT_NOT_FINITE = 4,    /* a number is NaN, infinite, or outside of its range */
    METADRIFT_ORDER = 5,         /* a call came before the one that it needs */
    METADRIFT_FULL = 6,          /* there is no room for another step */
    METADRIFT_NO_GRADIENT = 7,   /* the policy does not adapt by gradient steps */
    METADRIFT_NO_STEPS = 8,      /* nothing was recorded */
    METADRIFT_BROKEN = 9         /* a mistake in the library */
} metadrift_code;

typedef enum metadrift_end {
    METADRIFT_GOING = 0,      /* the episode goes on */
    METADRIFT_TERMINATED = 1, /* it is over for good: nothing is earned after it */
    METADRIFT_STOPPED = 2     /* it was stopped, by a time limit for example */
} metadrift_end;

typedef struct metadrift_policy metadrift_policy;

/* The quantity that a detector watches, and usual thresholds: heights of its statistic that are an alarm, in standard
 * deviations of the quantity. */
typedef enum metadrift_watch {
    METADRIFT_RETURNS = 0,   /* returns of episodes */
    METADRIFT_PREDICTION = 1 /* errors of a model that predicts the next readings, at every tick */
} metadrift_watch;
#define METADRIFT_THRESHOLD_OF_RETURNS 5.0
#define METADRIFT_THRESHOLD_OF_PREDICTION 40.0

typedef enum metadrift_test {
    METADRIFT_CUSUM = 0,       /* cumulative sums (Page 1954) */
    METADRIFT_PAGE_HINKLEY = 1 /* the test of Page and Hinkley (1970) */
} metadrift_test;

typedef struct metadrift_detector metadrift_detector;

/* The guard's opinion of the adapted policy. */
typedef enum metadrift_opinion {
    METADRIFT_TRIAL = 0,      /* not enough is known: both policies act, by a coin */
    METADRIFT_TRUSTED = 1,    /* it seems better: the unadapted one acts now and then */
    METADRIFT_ROLLED_BACK = 2 /* it was shown to be worse: the unadapted one acts */
} metadrift_opinion;

typedef struct metadrift_guard metadrift_guard;

/* The change of a policy by one step of adaptation. */
typedef struct metadrift_adapted {
    size_t episodes;    /* episodes that it learned from */
    size_t samples;     /* their steps */
    double mean_return; /* mean sum of rewards of an episode */
    double step_norm;   /* Euclidean length of the change of the parameters */
} metadrift_adapted;

/* The message of the last function on this thread that did not return METADRIFT_OK; an empty string before the first. It
 * stays valid until the next such function. Never null. */
const char *metadrift_error(void);

/* Opens the policy of a file policy.bin, `length` bytes; they are not needed afterwards. */
metadrift_code metadrift_open(const unsigned char *bytes, size_t length, metadrift_policy **policy);
/* Closes a policy; null is allowed, as in free(). */
void metadrift_close(metadrift_policy *policy);

/* Numbers of an observation and of a command (1 for a choice), parameters, and the episodes and steps of an episode that one
 * step of adaptation learned from in training; 0 for a null policy, and for one without such steps. */
size_t metadrift_observation_size(const metadrift_policy *policy);
size_t metadrift_command_size(const metadrift_policy *policy);
size_t metadrift_parameter_count(const metadrift_policy *policy);
size_t metadrift_episodes_per_step(const metadrift_policy *policy);
size_t metadrift_horizon(const metadrift_policy *policy);

/* Tells the command that is in force on the machine, from which a rate limit counts: the last one that the policy gave, and 0
 * at the beginning, if nobody tells another. */
metadrift_code metadrift_set_command(metadrift_policy *policy, const float *command, size_t command_size);

/* Forgets what the policy remembers: another life begins, and the command in force is 0. Parameters stay. */
metadrift_code metadrift_begin(metadrift_policy *policy);

/* The most likely command: the index of a choice, or a vector within its limits, also that of its change. */
metadrift_code metadrift_act(metadrift_policy *policy, const float *observation, size_t observation_size, float *command,
                             size_t command_size);

/* A command drawn from the policy's distribution, as is needed to learn from it, by four uniform numbers in [0, 1). */
metadrift_code metadrift_sample(metadrift_policy *policy, const float *observation, size_t observation_size,
                                const float uniforms[4], float *command, size_t command_size);

/* Four such numbers, a function of seed and tick. */
metadrift_code metadrift_uniforms(uint64_t seed, uint64_t tick, float uniforms[4]);

/* The outcome of the last command: the reward, and the observation after it, never that of a new episode. A policy that adapts
 * while it acts needs it after every command. */
metadrift_code metadrift_outcome(metadrift_policy *policy, float reward, const float *observation, size_t observation_size,
                                 metadrift_end end);

/* Makes room for `steps` steps to learn from, and forgets those before. This allocates. */
metadrift_code metadrift_room(metadrift_policy *policy, size_t steps);

/* metadrift_outcome, for a command by metadrift_sample that the policy is to learn from. */
metadrift_code metadrift_record(metadrift_policy *policy, float reward, const float *observation, size_t observation_size,
                                metadrift_end end);

/* Takes one step of adaptation from the episodes recorded since the last one, and forgets these. This allocates. */
metadrift_code metadrift_adapt(metadrift_policy *policy, metadrift_adapted *adapted);

/* Takes all adaptation back, and forgets the recorded steps. */
metadrift_code metadrift_reset(metadrift_policy *policy);

/* Copies the parameters as they are now. */
metadrift_code metadrift_parameters(const metadrift_policy *policy, float *parameters, size_t count);

/* Opens a detector of changes of the machine that the policy acts on; the policy is not needed afterwards. It allocates nothing
 * later. After an alarm it forgets the world before and learns the new one. */
metadrift_code metadrift_detector_open(const metadrift_policy *policy, metadrift_watch watch, metadrift_test test,
                                       double threshold, metadrift_detector **detector);
/* Closes a detector; null is allowed. */
void metadrift_detector_close(metadrift_detector *detector);

/* Takes in a step: the observation, the command that followed, and the observation after it, of the same size, never that of a
 * new episode. *alarm is 1 if the world has changed, else 0; always 0 from a detector of returns. */
metadrift_code metadrift_detector_step(metadrift_detector *detector, const float *observation, size_t observation_size,
                                       const float *command, size_t command_size, const float *next_observation, int *alarm);

/* Takes in the return of an episode; always 0 from a detector of prediction errors. */
metadrift_code metadrift_detector_episode(metadrift_detector *detector, double episode_return, int *alarm);

/* Forgets the world so far: after an adaptation, for a detector of returns. */
metadrift_code metadrift_detector_restart(metadrift_detector *detector);

/* Opens a guard. It takes an adapted policy back once it is shown to be worse than the unadapted one, and one that is never worse
 * with probability `level` at most, in a whole life, however the world moves. Needs two policies, an adapted one and one as it
 * was opened. */
metadrift_code metadrift_guard_open(double level, metadrift_guard **guard);
/* Closes a guard; null is allowed. */
void metadrift_guard_close(metadrift_guard *guard);

/* Decides who acts in the coming episode, by a uniform number in [0, 1): 1 for the adapted policy. */
metadrift_code metadrift_guard_toss(metadrift_guard *guard, double uniform, int *adapted_acts);

/* Takes in the return of the episode, and who acted. *rolled_back is 1 if the adapted policy is taken back because of
 * it. */
metadrift_code metadrift_guard_see(metadrift_guard *guard, double episode_return, int adapted_acted, int *rolled_back);

/* Begins a new trial, since the world has changed. */
metadrift_code metadrift_guard_renew(metadrift_guard *guard);

/* The guard's opinion, and the evidence (an e-value) that the adapted policy is worse. */
metadrift_code metadrift_guard_state(metadrift_guard *guard, metadrift_opinion *opinion, double *evidence);

#ifdef __cplusplus
}
#endif

#endif
