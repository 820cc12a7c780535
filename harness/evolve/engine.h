/* engine.h: a whole run of `evolve`: eager and baseline kernels, the search, the final comparison,
 * and everything written on the way. */
#ifndef BP_HARNESS_EVOLVE_ENGINE_H
#define BP_HARNESS_EVOLVE_ENGINE_H

#include "harness/config/config.h"

struct bp_engine_options {
    const char *config;  /* path; null: the recorded one of `resume` */
    const char *resume;  /* directory of the run to go on with; null: a new run */
    const char *replay;  /* directory of the run whose recorded results are taken; null: children */
    const char *out;     /* of a new run; null: output/NAME-DATE-TIME */
    bool allow_degraded; /* start although a layer of the sandbox is missing */
    bool json;           /* print the summary object instead of the table */

    /* In place of what the config says, where set. Of a resumed run only the budget can be changed. */
    const uint64_t *evaluations, *seed;
    const double *seconds;
    const char *device;
};

/* Runs to the end of the budget or to a stop signal. Returns the exit status (exit_codes.h); -1 when
 * nothing was started (err: usage). */
int bp_engine_run(const struct bp_engine_options *options, struct bp_error *err) BP_MUST_CHECK;

#endif
