/* reference.h: the fp64 answer of a case and its a-priori error bound, row by row.
 *
 * Formulas: docs/correctness.md, "The rule". A reference block is self-contained plain memory, made
 * by prepare and read by judge:
 *
 *   struct bp_reference_header | rows × { double o[D]; float c[D]; float n[D]; }
 *
 * where c = C_d and n = N_d. Rows are those of bp_rows_at(shape, key, max_rows), in master heads. */
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
    uint32_t reserved;
};

/* Error class of CORRECTNESS: how much rounding a kernel may do. */
enum bp_strictness { BP_STRICT, BP_LENIENT };

size_t bp_reference_bytes(const struct bp_case *item);

/* Computes the block from a master input slot. */
void bp_reference_make(const struct bp_case *item, enum bp_dtype dtype,
                       enum bp_strictness strictness, const struct bp_key *rows_key,
                       const void *master_inputs, void *reference);

#endif
