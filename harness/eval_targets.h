/* eval_targets.h: `eval --compile-only --target …`: a row a target, no device needed. */
#ifndef BP_HARNESS_EVAL_TARGETS_H
#define BP_HARNESS_EVAL_TARGETS_H

#include "harness/evolve/targets.h"

/* Compiles the candidate for every target and prints what came of it. Returns the exit status: 20 when a
 * compile could not be done, else 10 when one blames the candidate, else 0; or -1. */
int bp_eval_targets(const struct bp_config *config, const struct bp_evaluation *candidate,
                    const char *targets, bool json, struct bp_error *err) BP_MUST_CHECK;

#endif
