/* attention.h: judged cases to run the kernels of attend.h on: honest ones with the roundings real
 * kernels make, and wrong ones with the mistakes real kernels make. */
#ifndef BP_TESTS_ATTENTION_H
#define BP_TESTS_ATTENTION_H

#include "attend.h"
#include "evaluator/judge.h"

/* A case with its inputs and reference, ready to run kernels on. */
struct problem {
    struct bp_case item;
    enum bp_dtype dtype;
    struct bp_key rows_key;
    struct bp_permutation permutation;
    void *master, *slot, *output, *reference; /* owned */
    float *q, *kt, *v;                        /* owned: the candidate's slot, keys transposed */
    float *kt_fp8, *v_fp8;                    /* owned: both in e4m3; made at the first need */
};

/* The same seed gives the same problem. */
void problem_make_seeded(struct problem *problem, const struct bp_shape *shape,
                         enum bp_family family, enum bp_dtype dtype, enum bp_strictness strictness,
                         uint64_t seed);
/* With a seed of the shape's own. */
void problem_make(struct problem *problem, const struct bp_shape *shape, enum bp_family family,
                  enum bp_dtype dtype, enum bp_strictness strictness);
void problem_free(struct problem *problem);

/* Runs the kernel on every row and judges the output. */
struct bp_judgement problem_judge(struct problem *problem, const struct kernel *kernel);

/* The row's place in problem->output. */
void *problem_row(struct problem *problem, struct bp_row row);

#endif
