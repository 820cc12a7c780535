/* thinning.h: keeps failures/ below its caps: which bundles go, and their removal. The record, the
 * evaluations' files and the history are never touched. */
#ifndef BP_HARNESS_REPORT_THINNING_H
#define BP_HARNESS_REPORT_THINNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluator/verdict.h"

#define BP_THINNING_SPARED 3 /* the newest of each verdict, whatever the caps say */

struct bp_bundle {
    uint32_t number;         /* of the evaluation */
    enum bp_verdict verdict; /* BP_VERDICT_COUNT: not known, a class of its own */
    uint64_t bytes;          /* on disk */
};

struct bp_thinning_caps {
    uint64_t max_bytes;
    uint32_t max_count;
};

/* Sets gone[i] for the bundles that are to go so that the rest is within the caps: the oldest first,
 * never one of the newest BP_THINNING_SPARED of its verdict. bundles: [count], by ascending number.
 * Returns how many go. */
uint32_t bp_thinning_plan(const struct bp_bundle *bundles, uint32_t count,
                          const struct bp_thinning_caps *caps, bool *gone);

struct bp_thinning {
    char dir[4200]; /* DIR/failures */
    struct bp_thinning_caps caps;
    struct bp_bundle *bundles; /* owned, [count], by ascending number */
    uint32_t count, capacity;
};

/* Takes stock of run_dir/failures, which need not exist: directories named by a number, their verdict
 * as their evaluation.json or the run's eval_NNNNN.json tells. Removes what an earlier process did
 * not finish there (NAME.tmp). */
int bp_thinning_open(struct bp_thinning *thinning, const char *run_dir,
                     const struct bp_thinning_caps *caps, struct bp_error *err) BP_MUST_CHECK;
void bp_thinning_close(struct bp_thinning *thinning);

/* A bundle was written (or none was: nothing happens): what must go for it goes, each in one step
 * for a reader. What cannot be removed is logged, and tried again next time. For one thread. */
void bp_thinning_added(struct bp_thinning *thinning, uint32_t number, enum bp_verdict verdict);

#endif
