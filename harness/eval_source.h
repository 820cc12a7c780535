/* eval_source.h: `eval` of a file that can be read and is no kernel. */
#ifndef BP_HARNESS_EVAL_SOURCE_H
#define BP_HARNESS_EVAL_SOURCE_H

#include "harness/config/config.h"
#include "harness/store/evaluation.h"

/* The verdict on it: INVALID_SOURCE with why, which names file and line. It has no name, no hash and no
 * bundle, as there is nothing that could be evaluated again. config: what was asked for beside the kernel;
 * BP_ERR_USAGE when that is wrong. why may be err's own message. */
int bp_eval_refuse_source(const char *why, const struct bp_config *config,
                          struct bp_evaluation *evaluation, struct bp_error *err) BP_MUST_CHECK;

#endif
