/* judge.h: applies the rules of docs/correctness.md to a candidate's outputs. Pure computation. */
#ifndef BP_EVALUATOR_JUDGE_H
#define BP_EVALUATOR_JUDGE_H

#include "evaluator/permutation.h"
#include "evaluator/reference.h"
#include "evaluator/verdict.h"

struct bp_judgement {
    enum bp_verdict verdict; /* PASS, WRONG_RESULT or NONFINITE */
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

/* Judges single rows copied out of timed outputs: row_data holds count rows of head_dim elements;
 * indices[i] is the position in the reference's row list that row i must match. Rules 1, 2 and 5
 * only: the same row may be sampled many times, which the pooled rules 3 and 4 must not count as
 * independent. Messages name master heads. */
void bp_judge_rows(const struct bp_case *item, enum bp_dtype dtype, const struct bp_key *rows_key,
                   const void *reference, uint32_t count, const uint64_t *indices,
                   const void *row_data, struct bp_judgement *judgement);

#endif
