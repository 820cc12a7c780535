/* identity.h: what makes two candidates the same. */
#ifndef BP_HARNESS_EVOLVE_IDENTITY_H
#define BP_HARNESS_EVOLVE_IDENTITY_H

#include "harness/config/kernel_head.h"
#include "harness/store/evaluation.h"

/* Puts source (copied), knobs of point, dtype and the source hash into evaluation. The hash covers
 * the source without trailing blanks of its lines and without CR, every NAME=VALUE, and the dtype. */
int bp_identity_set(struct bp_evaluation *evaluation, const char *source, size_t source_bytes,
                    const struct bp_space *space, const struct bp_point *point, enum bp_dtype dtype,
                    struct bp_error *err) BP_MUST_CHECK;

#endif
