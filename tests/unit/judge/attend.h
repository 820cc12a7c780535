/* attend.h: one row of attention, as a described kernel computes it: tiles, splits, roundings, and at
 * most one mistake. */
#ifndef BP_TESTS_ATTEND_H
#define BP_TESTS_ATTEND_H

#include "evaluator/rows.h"

enum mistake {
    RIGHT,
    ZEROS,
    MEAN_OF_V,
    LAST_TILE_SKIPPED,
    WRONG_KV_HEAD,
    KV_HEADS_INTERLEAVED,
    LAST_OF_GROUP_WRONG,
    Q_HEADS_SWAPPED,
    INPUT_PASSED_THROUGH,
    NAN_OUTPUT,
    OUTPUT_UNTOUCHED,
    FIRST_HALF_OF_KV,
    CAUSAL_ONE_MORE,
    CAUSAL_ONE_LESS,
    WINDOW_ONE_MORE,
    WINDOW_ONE_LESS,
    RAGGED_IGNORED,
    ONE_KEY_SKIPPED,
    TWO_V_ROWS_SWAPPED,
    RESCALE_MISSED,
    RESCALE_MISSED_ONCE,
    RESCALE_MISSED_EARLY,
    RESCALE_MISSED_LAST,
    NO_MAXIMUM,
    NORMALISER_MISSES_TILE,
    EXP_1_PERCENT,
    ONE_ELEMENT_1_PERCENT,
    OUTPUT_1_PERCENT,
    P_IN_E4M3,
    P_IN_E5M2,
    P_3_BITS,
    P_5_BITS,
    K_IN_FP8,
    V_IN_FP8,
    QK_IN_BF16,
    PV_IN_BF16,
    SUBNORMALS_FLUSHED,
    STALE_ROW,
    SPLITS_AVERAGED,
    ONE_ROW_MISSING,
};

enum exponential {
    EXP,            /* e^x of scaled scores */
    EXP2,           /* 2^x, log2(e) folded into the scale */
    EXP2_POLYNOMIAL /* the same, by a cubic whose relative error is 9e-5 */
};

struct kernel {
    const char *name;
    enum mistake mistake;
    uint32_t tile;       /* keys a step of online softmax; 0: all at once */
    uint32_t splits;     /* parts of the key range merged at the end; 0 as 1 */
    bool normalise_p;    /* the naive order: P divided by its sum before it is rounded */
    bool sum_rounded_p;  /* normaliser from P as rounded */
    bool truncate_p;     /* P rounded toward zero */
    bool round_partials; /* parts kept in the dtype */
    bool round_q;        /* scale folded into Q, in the dtype: an honest lenient kernel */
    bool f16_tiles;      /* a tile's P V is summed in f16, 16 keys at a time, then added in f32 */
    float scale_error;   /* relative error of the softmax scale */
    float lazy;          /* rescale only when the maximum grows by more than this */
    enum exponential exponential;
};

#define ATTEND_MAX_KEYS 2048

/* What a row attends to; all of one KV head. */
struct attend_head {
    const struct bp_shape *shape;
    enum bp_dtype dtype;
    const float *kt;     /* [head_dim][kv_len] */
    const float *v;      /* [kv_len][head_dim] */
    uint32_t begin, end; /* visible keys */
};

/* The row's output of head_dim elements, not yet rounded to the dtype. */
void attend_row(const struct kernel *kernel, const struct attend_head *head, const float *q,
                float *o);

#endif
