/* judge.h: applies the rules of docs/correctness.md to a candidate's outputs. Pure computation. */
#ifndef BP_EVALUATOR_JUDGE_H
#define BP_EVALUATOR_JUDGE_H

#include "evaluator/permutation.h"
#include "evaluator/reference.h"
#include "evaluator/verdict.h"

struct bp_judgement {
    enum bp_verdict verdict; /* PASS, WRONG_RESULT, NONFINITE or NONDETERMINISTIC */
    double max_ratio;        /* largest error / bound of rule 1 (5 for family exact) */
    double rms_ratio;        /* largest of rule 2 */
    double pooled;           /* rule 3's value, 0 when it does not apply */
    double alpha;            /* rule 4's value, 0 when it does not apply */
    uint64_t rows;           /* compared */
    char message[200];       /* first failing rule, row and element; empty on PASS */
};

/* Judges one case: output is the candidate's output slot of the item's shape, reference the block
 * of bp_reference_make, permutation the one its inputs were copied under. */
void bp_judge_case(const struct bp_case *item, enum bp_dtype dtype, const struct bp_key *rows_key,
                   const struct bp_permutation *permutation, const void *reference,
                   const void *output, struct bp_judgement *judgement);

/* Compares all of the output slots of two identical calls, bit by bit: NONDETERMINISTIC with the first
 * element that differs, or the judgement stays as it is. */
void bp_judge_again(const struct bp_shape *shape, enum bp_dtype dtype, const void *output,
                    const void *again, struct bp_judgement *judgement);

/* Judges a single row copied out of a timed output: row_data holds its head_dim elements, reference
 * the block of bp_reference_make_row. Rules 1, 2 and 5 only: the pooled rules 3 and 4 need more. */
void bp_judge_row(const struct bp_case *item, enum bp_dtype dtype, struct bp_row row,
                  const void *reference, const void *row_data, struct bp_judgement *judgement);

#endif
