/* permutation.h: the secret rearrangement of heads under which a candidate sees master inputs.
 *
 * KV heads are permuted, and the query heads of each KV head among themselves; outputs move alike.
 * So inputs are fresh at the price of a copy, and the reference is the master's, looked up through
 * the permutation. */
#ifndef BP_EVALUATOR_PERMUTATION_H
#define BP_EVALUATOR_PERMUTATION_H

#include "base/random.h"
#include "evaluator/problem.h"

struct bp_permutation {
    uint16_t kv_head[BP_MAX_HEADS]; /* candidate's kv head -> master's kv head */
    uint16_t q_head[BP_MAX_HEADS];  /* candidate's q head -> master's q head */
};

void bp_permutation_make(const struct bp_shape *shape, const struct bp_key *key,
                         struct bp_permutation *permutation);

/* The permutation of one slot of a fill: made from derive(fill_key, "slot", slot). */
void bp_permutation_of_slot(const struct bp_shape *shape, const struct bp_key *fill_key,
                            uint32_t slot, struct bp_permutation *permutation);

/* Copies q, k, v, kv_lens of a master input slot into a candidate's slot, permuted. Both slots have
 * the layout of bp_layout_inputs(shape, dtype). Guards are not touched. */
void bp_permutation_copy(const struct bp_shape *shape, enum bp_dtype dtype,
                         const struct bp_permutation *permutation, const void *master, void *slot);

/* Compares the same way: true when the slot still holds exactly the permuted master. */
bool bp_permutation_unchanged(const struct bp_shape *shape, enum bp_dtype dtype,
                              const struct bp_permutation *permutation, const void *master,
                              const void *slot);

#endif
