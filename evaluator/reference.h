/* reference.h: the fp64 answer of a case and its a-priori error bound, row by row. Formulas:
 * docs/correctness.md, "The rule". */
#ifndef BP_EVALUATOR_REFERENCE_H
#define BP_EVALUATOR_REFERENCE_H

#include "evaluator/layout.h"
#include "evaluator/reference_block.h"

/* Unit roundoffs and constants of an error class (docs/correctness.md, the table of classes). */
struct bp_error_class {
    double u_o; /* rounding of the output */
    double u_p; /* of the probabilities */
    double u_s; /* of the scores */
    double c, eta, gamma;
};
const struct bp_error_class *bp_error_class(enum bp_dtype dtype, enum bp_strictness strictness);

/* Computes the block from a master input slot, on all CPUs of the process. */
void bp_reference_make(const struct bp_case *item, enum bp_dtype dtype,
                       enum bp_strictness strictness, const struct bp_key *rows_key,
                       const void *master_inputs, void *reference);

/* Computes a block of the one row, wherever it lies in the case. */
void bp_reference_make_row(const struct bp_case *item, enum bp_dtype dtype,
                           enum bp_strictness strictness, struct bp_row row, const void *inputs,
                           void *reference);
/* Bytes of that block. */
size_t bp_reference_one_row_bytes(uint32_t head_dim);

#endif
