/* layout.h: where the tensors of a case lie inside an arena (one shared mapping of many cases).
 *
 *   slot of inputs:   guard | q | guard | k | guard | v | guard | kv_lens | guard
 *   slot of outputs:  guard | o | guard
 *
 * Every tensor starts 256-byte aligned; a guard is BP_GUARD_BYTES of canary bytes on each side, and
 * the padding that alignment leaves belongs to the guard behind it. A pure function of shape and
 * dtype, so that supervisor, prepare, run and judge agree without passing offsets about. */
#ifndef BP_EVALUATOR_LAYOUT_H
#define BP_EVALUATOR_LAYOUT_H

#include "evaluator/problem.h"

#define BP_GUARD_BYTES 256
#define BP_TENSOR_ALIGN 256

struct bp_extent {
    size_t offset; /* from the slot's start */
    size_t bytes;
};

struct bp_input_layout {
    struct bp_extent q, k, v;
    struct bp_extent kv_lens; /* batch int32 values, always present */
    size_t bytes;             /* of the slot, a multiple of 4096 */
};

struct bp_output_layout {
    struct bp_extent o;
    size_t bytes; /* of the slot, a multiple of 4096 */
};

void bp_layout_inputs(const struct bp_shape *shape, enum bp_dtype dtype,
                      struct bp_input_layout *layout);
void bp_layout_outputs(const struct bp_shape *shape, enum bp_dtype dtype,
                       struct bp_output_layout *layout);

/* Fills every guard byte of a slot with the canary: byte i of the slot is a function of
 * (canary, i). The check returns the slot offset of the first changed byte, or SIZE_MAX. */
void bp_layout_guard_inputs(const struct bp_input_layout *layout, uint64_t canary, void *slot);
void bp_layout_guard_outputs(const struct bp_output_layout *layout, uint64_t canary, void *slot);
size_t bp_layout_check_inputs(const struct bp_input_layout *layout, uint64_t canary,
                              const void *slot);
size_t bp_layout_check_outputs(const struct bp_output_layout *layout, uint64_t canary,
                               const void *slot);

/* Fills the output tensor with a poison that decodes to a large finite value in every dtype, so
 * that an untouched element is WRONG_RESULT; the second pattern decodes to NaN. */
enum bp_poison { BP_POISON_LARGE, BP_POISON_NAN };
void bp_layout_poison_output(const struct bp_output_layout *layout, enum bp_poison poison,
                             void *slot);

#endif
