/* inputs.h: the families of test inputs (docs/correctness.md). */
#ifndef BP_EVALUATOR_INPUTS_H
#define BP_EVALUATOR_INPUTS_H

#include "base/random.h"
#include "evaluator/layout.h"
#include "evaluator/suite.h"

/* Fills q, k, v and kv_lens of a slot with the family's inputs, distinct per head, rounded to
 * dtype; a pure function of (shape, family, dtype, key). */
void bp_inputs_make(const struct bp_shape *shape, enum bp_family family, enum bp_dtype dtype,
                    const struct bp_key *key, void *slot);

#endif
