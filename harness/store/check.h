/* check.h: what run.db of an ended run holds, for whoever did not write it: it is opened anew, its
 * integrity checked, its evaluations walked. */
#ifndef BP_HARNESS_STORE_CHECK_H
#define BP_HARNESS_STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluator/verdict.h"

struct bp_store_census {
    bool consecutive; /* they are numbered 1, 2, …, each has its attempts or is a duplicate */
    uint32_t evaluations;
    uint32_t max_attempts; /* of one evaluation */
    uint32_t verdicts[BP_VERDICT_COUNT];
};

/* Without a run.db, or one without tables yet, the census is empty. BP_ERR_SYSTEM when run.db cannot be
 * opened or is damaged. */
int bp_store_check(const char *dir, struct bp_store_census *census, struct bp_error *err)
    BP_MUST_CHECK;

#endif
