/* bench_parts.h: a bench from within; bench.c makes it and fills its arenas, bench_requests.c asks children
 * about them. */
#ifndef BP_HARNESS_SUPERVISE_BENCH_PARTS_H
#define BP_HARNESS_SUPERVISE_BENCH_PARTS_H

#include "harness/supervise/bench.h"

struct bp_bench_lane {
    int inputs_fd, outputs_fd;
};

struct bp_bench {
    struct bp_bench_options options;
    struct bp_bench_case cases[BP_SUITE_MAX_CASES];
    struct bp_bench_timed timed[BP_SUITE_MAX_TIMED];
    uint64_t masters_bytes, references_bytes, inputs_bytes, outputs_bytes;
    uint64_t ring_inputs_bytes, ring_outputs_bytes;
    int masters_fd, references_fd, ring_inputs_fd, ring_outputs_fd[2];
    int masters_ro, references_ro, ring_inputs_ro;
    struct bp_bench_lane lanes[BP_MAX_LANES];
    uint64_t fresh_fill; /* number of the last fill of a batch, keys its inputs */

    struct bp_prepare *prepare; /* owned */
};

/* Every secret is a keyed function of the run key and a number. */
uint64_t bp_bench_canary(const struct bp_bench *bench, const char *purpose, uint64_t number);
void bp_bench_permutation_key(const struct bp_bench *bench, const char *purpose, uint64_t number,
                              uint32_t index, struct bp_key *key);

#endif
