/* reference.h: the fp64 answer of a case and its a-priori error bound, row by row.
 *
 * Formulas: docs/correctness.md, "The rule". A reference block is self-contained plain memory, made
 * by prepare and read by judge:
 *
 *   struct bp_reference_header | rows × { double o[D]; double pooled_noise; float c[D], n[D], g[D]; }
 *
 * where c = C_d, n = N_d, g = the scale direction of rule 4 and pooled_noise = the denominator of
 * rule 3. Rows are those of bp_rows_at(shape, key, max_rows), in master heads. A row that sees no
 * key has all of them zero. */
#ifndef BP_EVALUATOR_REFERENCE_H
#define BP_EVALUATOR_REFERENCE_H

#include "evaluator/layout.h"
#include "evaluator/rows.h"
#include "evaluator/suite.h"

struct bp_reference_header {
    uint64_t rows;
    uint32_t head_dim;
    uint32_t dtype;
    uint32_t family;
    uint32_t strictness;
};

/* Error class: how much rounding a kernel may do. Lenient lets 16-bit kernels round scores or
 * pre-scaled queries to the dtype, and f32 kernels use tf32 products. */
enum bp_strictness { BP_STRICT, BP_LENIENT, BP_STRICTNESS_COUNT };

/* Unit roundoffs and constants of an error class (docs/correctness.md, the table of classes). */
struct bp_error_class {
    double u_o; /* rounding of the output */
    double u_p; /* of the probabilities */
    double u_s; /* of the scores */
    double c, eta, gamma;
};
const struct bp_error_class *bp_error_class(enum bp_dtype dtype, enum bp_strictness strictness);

size_t bp_reference_bytes(const struct bp_case *item);

/* Computes the block from a master input slot, on all CPUs of the process. */
void bp_reference_make(const struct bp_case *item, enum bp_dtype dtype,
                       enum bp_strictness strictness, const struct bp_key *rows_key,
                       const void *master_inputs, void *reference);

/* One row of a block; the pointers point into it, each at head_dim values. */
struct bp_reference_row {
    const double *o;
    const float *c, *n, *g;
    double pooled_noise;
};
struct bp_reference_row bp_reference_row(const void *reference, uint64_t index);

#endif
