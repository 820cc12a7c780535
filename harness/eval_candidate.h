/* eval_candidate.h: the kernel and the knobs that `eval` was given: the head's default with the command
 * line's values put in. */
#ifndef BP_HARNESS_EVAL_CANDIDATE_H
#define BP_HARNESS_EVAL_CANDIDATE_H

#include "harness/cli.h"
#include "harness/config/config.h"
#include "harness/store/evaluation.h"

/* Makes the candidate: 0; 1 when it is refused for its knobs, and the evaluation says so; or -1. knobs are
 * texts NAME=INTEGER. */
int bp_eval_candidate(const struct bp_config *config, enum bp_dtype dtype,
                      const struct bp_cli_list *knobs, struct bp_evaluation *evaluation,
                      struct bp_error *err) BP_MUST_CHECK;

#endif
