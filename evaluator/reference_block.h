/* reference_block.h: how the reference of a case lies in memory. Self-contained plain data, made by
 * prepare (reference.h), read by judge, sized by the supervisor:
 *
 *   struct bp_reference_header | rows × { double o[D]; double pooled_noise; float c[D], n[D], g[D]; }
 *
 * where c = C_d, n = N_d, g = the scale direction of rule 4 and pooled_noise = the denominator of
 * rule 3 (docs/correctness.md). Rows are those of bp_rows_at(shape, key, max_rows), in master heads.
 * A row that sees no key has all of them zero. */
#ifndef BP_EVALUATOR_REFERENCE_BLOCK_H
#define BP_EVALUATOR_REFERENCE_BLOCK_H

#include "evaluator/rows.h"
#include "evaluator/suite.h"

/* Error class: how much rounding a kernel may do. Lenient lets 16-bit kernels round scores or
 * pre-scaled queries to the dtype, and f32 kernels use tf32 products. */
enum bp_strictness { BP_STRICT, BP_LENIENT, BP_STRICTNESS_COUNT };

struct bp_reference_header {
    uint64_t rows;
    uint32_t head_dim;
    uint32_t dtype;
    uint32_t family;
    uint32_t strictness;
};

size_t bp_reference_row_bytes(uint32_t head_dim);
size_t bp_reference_bytes(const struct bp_case *item);

/* One row of a block; the pointers point into it, each at head_dim values. */
struct bp_reference_row {
    const double *o;
    const float *c, *n, *g;
    double pooled_noise;
};
struct bp_reference_row bp_reference_row(const void *reference, uint64_t index);

#endif
