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

/* Forgets what the policy remembers: another life begins. Parameters stay. */
metadrift_code metadrift_begin(metadrift_policy *policy);

/* The most likely command: the index of a choice, or a vector within its limits. */
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

#ifdef __cplusplus
}
#endif

#endif
