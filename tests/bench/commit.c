/* commit: how long one evaluation takes to be on disk: queued, committed, synced; and the process's
 * anonymous memory half-way and at the end (SQLite's page cache fills first). One JSON object.
 *
 *     commit DIR [COUNT]        DIR exists and is empty; its file system is what is measured */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/unit/store/sample.h"

#define MAX_COUNT 10000

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static long anonymous_kb(void)
{
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && kb < 0 && fgets(line, sizeof line, status))
        (void)sscanf(line, "RssAnon: %ld kB", &kb);
    if (status)
        fclose(status);
    return kb;
}

static int measure(struct bp_store *store, double *times_ms, int count, long *half_kb,
                   struct bp_error *err)
{
    for (int i = 0; i < count; i++) {
        if (i == count / 2)
            *half_kb = anonymous_kb();
        struct bp_evaluation *evaluation = sample_evaluation((uint32_t)i + 1, BP_VERDICT_PASS);
        uint64_t start = bp_clock_ns();
        int result =
            bp_store_evaluation(store, evaluation, err) < 0 ? -1 : bp_store_flush(store, err);
        times_ms[i] = bp_ns_to_ms(bp_clock_ns() - start);
        bp_evaluation_free(evaluation);
        if (result < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static double times_ms[MAX_COUNT];
    long half_kb = -1, end_kb = -1;
    struct bp_error err;
    struct bp_store *store;
    int count = argc > 2 ? atoi(argv[2]) : 100;
    if (argc < 2 || count < 1 || count > MAX_COUNT) {
        fprintf(stderr, "usage: commit DIR [COUNT]\n");
        return 2;
    }
    int result = bp_store_create(argv[1], 0, &store, &err);
    if (result == 0) {
        struct bp_error closing;
        result = measure(store, times_ms, count, &half_kb, &err);
        end_kb = anonymous_kb();
        if (bp_store_close(store, &closing) < 0 && result == 0) {
            err = closing;
            result = -1;
        }
    }
    if (result < 0) {
        fprintf(stderr, "commit: %s\n", err.msg);
        return 1;
    }
    qsort(times_ms, (size_t)count, sizeof *times_ms, compare);
    printf("{\"count\": %d, \"median_ms\": %.3f, \"p95_ms\": %.3f, \"half_kb\": %ld, \"end_kb\": "
           "%ld}\n",
           count, times_ms[count / 2], times_ms[count * 95 / 100], half_kb, end_kb);
    return 0;
}
