/* Checks an exported policy by its vectors: every command and every parameter after adaptation must be the one that training
 * computed, to the bit.
 *
 *   cc -o check check.c policy.c libmetadrift_c.a -lpthread -ldl -lm
 *   ./check ../vectors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadrift.h"
#include "policy.h"

enum { LINE = 1 << 16, MOST = 4096 };
static char line[LINE];
static float numbers[MOST];

static void need(int good, const char *what, long row) {
    if (!good) {
        fprintf(stderr, "row %ld: %s\n", row, what);
        exit(1);
    }
}

static void ok(metadrift_code code, long row) { need(code == METADRIFT_OK, metadrift_error(), row); }

/* Opens a file of vectors and reads its header; null if there is none. */
static FILE *vectors(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file != NULL) need(fgets(line, LINE, file) != NULL, "no header", 1);
    return file;
}

/* Reads numbers up to the end of the line or a word; gives their count, and the word. */
static size_t split(char **word) {
    size_t count = 0;
    char *at = line;
    for (;;) {
        char *end;
        float number = strtof(at, &end);
        if (end == at || count == MOST) break;
        numbers[count++] = number;
        at = *end == ',' ? end + 1 : end;
    }
    *word = at;
    return count;
}

/* Lets the policy live through a file; gives the number of commands. */
static long live(metadrift_policy *policy, const char *folder, const char *name, int record) {
    size_t n = metadrift_observation_size(policy), m = metadrift_command_size(policy);
    FILE *file = vectors(folder, name);
    need(file != NULL, "a file of vectors is missing", 0);
    size_t draws = strstr(line, "uniform0") != NULL ? 4 : 0;
    float command[16], life = -1;
    long row = 1;
    need(m <= 16, "too many numbers in a command", row);
    while (fgets(line, LINE, file) != NULL) {
        char *word;
        row++;
        need(split(&word) == 2 + 2 * n + m + draws, "another number of columns", row);
        const float *observation = numbers + 1, *uniforms = observation + n, *expected = uniforms + draws;
        if (numbers[0] != life) ok(metadrift_begin(policy), row);
        life = numbers[0];
        if (draws > 0)
            ok(metadrift_sample(policy, observation, n, uniforms, command, m), row);
        else
            ok(metadrift_act(policy, observation, n, command, m), row);
        need(memcmp(command, expected, m * sizeof(float)) == 0, "another command than in training", row);
        metadrift_end end = word[0] == 't' ? METADRIFT_TERMINATED : word[0] == 's' ? METADRIFT_STOPPED : METADRIFT_GOING;
        if (record)
            ok(metadrift_record(policy, expected[m], expected + m + 1, n, end), row);
        else
            ok(metadrift_outcome(policy, expected[m], expected + m + 1, n, end), row);
    }
    fclose(file);
    return row - 1;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "../vectors";
    metadrift_policy *policy;
    ok(metadrift_open(policy_bytes, policy_length, &policy), 0);
    long ticks = live(policy, folder, "likely.csv", 0);
    long drawn = live(policy, folder, "drawn.csv", 0);
    printf("%ld commands as in training\n", ticks + drawn);
    FILE *file = vectors(folder, "adapted.csv");
    if (file != NULL) {
        size_t count = metadrift_parameter_count(policy);
        float *parameters = malloc(count * sizeof *parameters);
        metadrift_adapted adapted;
        char *word;
        need(parameters != NULL, "no memory", 0);
        ok(metadrift_room(policy, (size_t)drawn), 0);
        live(policy, folder, "drawn.csv", 1);
        ok(metadrift_adapt(policy, &adapted), 0);
        ok(metadrift_parameters(policy, parameters, count), 0);
        /* live() has read other lines meanwhile, but not from this file */
        for (size_t at = 0; at < count; at++) {
            need(fgets(line, LINE, file) != NULL && split(&word) == 1, "a parameter is missing", (long)at + 2);
            need(memcmp(numbers, parameters + at, sizeof(float)) == 0, "another parameter than in training", (long)at + 2);
        }
        fclose(file);
        free(parameters);
        printf("%zu parameters after adaptation as in training\n", count);
    }
    metadrift_close(policy);
    return 0;
}
