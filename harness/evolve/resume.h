/* resume.h: a run's state, rebuilt from its record as it was when the last thing was recorded. */
#ifndef BP_HARNESS_EVOLVE_RESUME_H
#define BP_HARNESS_EVOLVE_RESUME_H

#include "harness/evolve/run.h"

struct bp_resumed {
    bool has_pending; /* a batch was decided and not evaluated to its end */
    struct bp_batch pending;
    bool finished;        /* the last start of the run came to its end */
    double elapsed_s;     /* of all starts so far */
    uint32_t evaluations; /* the budget of the last start */
    double seconds;
};

/* Fills ledger, ladder, decision, eager, baseline, champion and final comparison of run, whose store,
 * config and session facts are there. The candidates have no objects. BP_ERR_UNAVAILABLE when the
 * record does not hold together. */
int bp_resume(struct bp_run *run, struct bp_resumed *resumed, struct bp_error *err) BP_MUST_CHECK;

#endif
