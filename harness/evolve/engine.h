/* engine.h: a whole run of `evolve`: eager and baseline kernels, the search, the final comparison,
 * and everything written on the way. */
#ifndef BP_HARNESS_EVOLVE_ENGINE_H
#define BP_HARNESS_EVOLVE_ENGINE_H

#include "harness/config/config.h"

struct bp_engine_options {
    const struct bp_config *config; /* borrowed */
    const char *out;                /* --out, or null */
    bool json;                      /* print the summary object instead of the table */
};

/* Runs to the end of the budget or to a stop signal. Returns the exit status (exit_codes.h); -1 when
 * nothing was started (err: usage). */
int bp_engine_run(const struct bp_engine_options *options, struct bp_error *err) BP_MUST_CHECK;

#endif
