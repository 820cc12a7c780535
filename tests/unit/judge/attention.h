/* attention.h: attention kernels in plain C for the checker's own test: honest ones with the
 * roundings real kernels make, and wrong ones with the mistakes real kernels make. */
#ifndef BP_TESTS_ATTENTION_H
#define BP_TESTS_ATTENTION_H

#include "evaluator/judge.h"

enum mistake {
    RIGHT,
    ZEROS,
    MEAN_OF_V,
    LAST_TILE_SKIPPED,
    WRONG_KV_HEAD,
    INPUT_PASSED_THROUGH,
    NAN_OUTPUT,
    OUTPUT_UNTOUCHED,
    FIRST_HALF_OF_KV,
    CAUSAL_OFF_BY_ONE,
    ONE_KEY_SKIPPED,
    TWO_V_ROWS_SWAPPED,
    RESCALE_MISSED,
    RESCALE_MISSED_ONCE,
    ONE_ELEMENT_1_PERCENT,
    OUTPUT_1_PERCENT,
    P_IN_FP8,
    P_3_BITS,
    P_5_BITS,
    V_IN_FP8,
    STALE_ROW,
    SPLITS_AVERAGED,
    ONE_ROW_MISSING,
};

struct kernel {
    const char *name;
    enum mistake mistake;
    uint32_t tile;       /* keys a step of online softmax; 0: all at once */
    uint32_t splits;     /* parts of the key range merged at the end; 0 as 1 */
    bool normalise_p;    /* the naive order: P divided by its sum before it is rounded */
    bool sum_rounded_p;  /* normaliser from P as rounded */
    bool round_partials; /* parts kept in the dtype */
    bool round_q;        /* scale folded into Q, in the dtype: an honest lenient kernel */
    float scale_error;   /* relative error of the softmax scale */
    float lazy;          /* rescale only when the maximum grows by more than this */
};

/* A case with its inputs and reference, ready to run kernels on. */
struct problem {
    struct bp_case item;
    enum bp_dtype dtype;
    struct bp_key rows_key;
    struct bp_permutation permutation;
    void *master, *slot, *output, *reference; /* owned */
    float *q, *kt, *v;                        /* owned: the candidate's slot, keys transposed */
};

void problem_make(struct problem *problem, const struct bp_shape *shape, enum bp_family family,
                  enum bp_dtype dtype, enum bp_strictness strictness);
void problem_free(struct problem *problem);

/* Runs the kernel on every row and judges the output. */
struct bp_judgement problem_judge(struct problem *problem, const struct kernel *kernel);

/* The row's place in problem->output. */
void *problem_row(struct problem *problem, struct bp_row row);

#endif
