/* unseen_shapes.h: shapes that no candidate can know beforehand: drawn by a secret key, small, of the kinds
 * that kernels get wrong, with the head_dim of a suite. Pure. */
#ifndef BP_HARNESS_EVOLVE_UNSEEN_SHAPES_H
#define BP_HARNESS_EVOLVE_UNSEEN_SHAPES_H

#include "base/random.h"
#include "evaluator/suite.h"

/* One of each kind: a timed shape with other lengths and heads, prefill, causal, decode, sliding window,
 * ragged batch, and a few queries on more keys than the suite ever has. */
#define BP_UNSEEN_MAX_SHAPES 7

/* Draws up to BP_UNSEEN_MAX_SHAPES, each named by its kind and sizes; returns how many. None is in the
 * suite or much work beside it, and all satisfy admits(context, shape): a kind that hardly ever does is left
 * out. */
uint32_t bp_unseen_shapes_draw(const struct bp_key *key, const struct bp_suite *suite,
                               bool (*admits)(const void *context, const struct bp_shape *shape),
                               const void *context, struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES]);

/* A suite of that shape alone, with nothing timed, and a few families of inputs drawn by the key. */
void bp_unseen_shapes_suite(const struct bp_key *key, const struct bp_shape *shape,
                            struct bp_suite *suite);

#endif
