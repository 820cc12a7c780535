#include "attend.h"

#include <math.h>
#include <string.h>

#include "rounding.h"

#define MAX_SPLITS 32
#define DIM BP_MAX_HEAD_DIM
#define LOG2_E 1.44269504f

#if defined(__x86_64__) && defined(__GNUC__)
#define HOT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HOT
#endif

struct row_work {
    const struct kernel *kernel;
    const struct attend_head *head;
    uint32_t dim;
    float scores[ATTEND_MAX_KEYS]; /* in units of the kernel's exponential */
    float p[ATTEND_MAX_KEYS];
};

HOT static void add_scaled(float *sums, const float *values, float factor, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += factor * values[i];
}

static void round_all(enum bp_dtype dtype, float *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        values[i] = round_to(dtype, values[i]);
}

/* ---- scores ---- */

static void score_row(struct row_work *work, const float *q)
{
    const struct kernel *kernel = work->kernel;
    const struct attend_head *head = work->head;
    float scale = bp_shape_scale(head->shape);
    uint32_t begin = head->begin, count = head->end - begin;
    memset(work->scores + begin, 0, count * sizeof *work->scores);
    for (uint32_t d = 0; d < work->dim; d++) {
        float q_d = kernel->round_q ? round_to(head->dtype, q[d] * scale) : q[d];
        add_scaled(work->scores + begin, head->kt + (size_t)d * head->shape->kv_len + begin, q_d,
                   count);
        if (kernel->mistake == QK_IN_BF16 && d % 16 == 15)
            round_all(BP_DTYPE_BF16, work->scores + begin, count);
    }
    float factor = kernel->round_q ? 1 : scale;
    factor *= 1 + kernel->scale_error;
    factor *= kernel->exponential == EXP ? 1 : LOG2_E;
    for (uint32_t j = begin; j < head->end; j++)
        work->scores[j] *= factor;
    if (kernel->mistake == ONE_KEY_SKIPPED && head->shape->kv_len > 1)
        work->scores[head->shape->kv_len / 2] = -1e30f;
}

/* ---- probabilities ---- */

/* 2^x: the integral part by the exponent, the rest by a cubic, as kernels do to spare the special
 * function units; coefficients as published with FlashAttention-4. */
static float exp2_polynomial(float x)
{
    if (x < -126)
        return 0;
    float whole = floorf(x), f = x - whole;
    float cubic = 1 + f * (0.69514614f + f * (0.22756439f + f * 0.07711909f));
    return ldexpf(cubic, (int)whole);
}

/* The exponential of a difference of scores. */
static float power(const struct kernel *kernel, float x)
{
    if (kernel->mistake == EXP_1_PERCENT) {
        float y = x * LOG2_E;
        return expf(x) * (1 + 0.01f * cosf(6.2831853f * (y - floorf(y))));
    }
    switch (kernel->exponential) {
    case EXP2:
        return exp2f(x);
    case EXP2_POLYNOMIAL:
        return exp2_polynomial(x);
    default:
        return expf(x);
    }
}

static float round_p(const struct row_work *work, float p)
{
    switch (work->kernel->mistake) {
    case P_IN_E4M3:
        return round_e4m3(p);
    case P_IN_E5M2:
        return round_e5m2(p);
    case P_3_BITS:
        return round_bits(p, 3);
    case P_5_BITS:
        return round_bits(p, 5);
    default:
        return work->kernel->truncate_p ? round_down_to(work->head->dtype, p)
                                        : round_to(work->head->dtype, p);
    }
}

/* ---- values ---- */

static const float *value_row(const struct row_work *work, uint32_t j)
{
    uint32_t middle = work->head->shape->kv_len / 2;
    if (work->kernel->mistake == TWO_V_ROWS_SWAPPED && middle > 0) {
        if (j == middle)
            j = middle - 1;
        else if (j == middle - 1)
            j = middle;
    }
    return work->head->v + (size_t)j * work->dim;
}

/* Adds P of keys [begin, end) times V, P already final. */
static void add_values(const struct row_work *work, uint32_t begin, uint32_t end, float *o)
{
    for (uint32_t j = begin; j < end; j++) {
        add_scaled(o, value_row(work, j), work->p[j], work->dim);
        if (work->kernel->mistake == PV_IN_BF16)
            round_all(BP_DTYPE_BF16, o, work->dim);
    }
}

static void add_tile(const struct row_work *work, uint32_t begin, uint32_t end, float *o)
{
    float sum[DIM] = {0};
    if (!work->kernel->f16_tiles) {
        add_values(work, begin, end, o);
        return;
    }
    for (uint32_t j = begin; j < end; j += 16) {
        add_values(work, j, j + 16 < end ? j + 16 : end, sum);
        round_all(BP_DTYPE_F16, sum, work->dim);
    }
    add_scaled(o, sum, 1, work->dim);
}

/* ---- online softmax ---- */

struct partial {
    float maximum, sum;
    uint32_t tiles, rescales; /* so far */
    float o[DIM];
};

static float next_maximum(const struct row_work *work, const struct partial *part, uint32_t begin,
                          uint32_t end)
{
    float maximum = part->maximum;
    if (work->kernel->mistake == NO_MAXIMUM)
        return 0;
    for (uint32_t j = begin; j < end; j++)
        maximum = fmaxf(maximum, work->scores[j]);
    return part->tiles > 0 && maximum - part->maximum <= work->kernel->lazy ? part->maximum
                                                                            : maximum;
}

static bool misses_rescale(enum mistake mistake, const struct partial *part, bool is_last)
{
    return mistake == RESCALE_MISSED || (mistake == RESCALE_MISSED_ONCE && part->rescales == 0) ||
           (mistake == RESCALE_MISSED_EARLY && part->tiles == 1) ||
           (mistake == RESCALE_MISSED_LAST && is_last);
}

/* To the maximum that the next tile brings. */
static void rescale(const struct kernel *kernel, struct partial *part, float maximum, bool is_last,
                    uint32_t dim)
{
    bool changed = maximum > part->maximum;
    float factor = part->tiles > 0 ? power(kernel, part->maximum - maximum) : 0;
    part->maximum = maximum;
    if (part->tiles == 0 || !changed)
        return;
    part->sum *= factor;
    if (!misses_rescale(kernel->mistake, part, is_last))
        for (uint32_t d = 0; d < dim; d++)
            part->o[d] *= factor;
    part->rescales++;
}

static void attend_tile(struct row_work *work, uint32_t begin, uint32_t end, bool is_last,
                        struct partial *part)
{
    const struct kernel *kernel = work->kernel;
    rescale(kernel, part, next_maximum(work, part, begin, end), is_last, work->dim);
    bool counts = kernel->mistake != NORMALISER_MISSES_TILE || !is_last || part->tiles == 0;
    for (uint32_t j = begin; j < end; j++) {
        float p = power(kernel, work->scores[j] - part->maximum);
        work->p[j] = kernel->normalise_p ? p : round_p(work, p);
        if (counts)
            part->sum += kernel->sum_rounded_p ? work->p[j] : p;
    }
    if (!kernel->normalise_p)
        add_tile(work, begin, end, part->o);
    part->tiles++;
}

/* Keys [begin, end), `tile` at a time. */
static void attend_part(struct row_work *work, uint32_t begin, uint32_t end, struct partial *part)
{
    uint32_t tile = work->kernel->tile ? work->kernel->tile : ATTEND_MAX_KEYS;
    *part = (struct partial){.maximum = -INFINITY};
    for (uint32_t t = begin; t < end; t += tile)
        attend_tile(work, t, t + tile < end ? t + tile : end, t + tile >= end, part);
    if (!work->kernel->normalise_p)
        return;
    for (uint32_t j = begin; j < end; j++)
        work->p[j] = round_p(work, work->p[j] / part->sum);
    part->sum = 1;
    add_values(work, begin, end, part->o);
}

static void merge_parts(const struct row_work *work, const struct partial *parts, uint32_t count,
                        float *o)
{
    const struct kernel *kernel = work->kernel;
    float maximum = -INFINITY, total = 0;
    for (uint32_t i = 0; i < count; i++)
        maximum = fmaxf(maximum, parts[i].maximum);
    memset(o, 0, work->dim * sizeof *o);
    for (uint32_t i = 0; i < count; i++) {
        float weight = power(kernel, parts[i].maximum - maximum) * parts[i].sum;
        if (kernel->mistake == SPLITS_AVERAGED)
            weight = 1;
        total += weight;
        for (uint32_t d = 0; d < work->dim; d++) {
            float x = parts[i].o[d] / parts[i].sum;
            o[d] += weight * (kernel->round_partials ? round_to(work->head->dtype, x) : x);
        }
    }
    for (uint32_t d = 0; d < work->dim; d++)
        o[d] /= total;
}

void attend_row(const struct kernel *kernel, const struct attend_head *head, const float *q,
                float *o)
{
    static struct row_work work;
    static struct partial parts[MAX_SPLITS];
    uint32_t splits = kernel->splits ? kernel->splits : 1, count = 0;
    work.kernel = kernel;
    work.head = head;
    work.dim = head->shape->head_dim;
    memset(o, 0, work.dim * sizeof *o);
    if (head->begin >= head->end)
        return;
    score_row(&work, q);
    uint32_t step = (head->end - head->begin + splits - 1) / splits;
    for (uint32_t at = head->begin; at < head->end; at += step)
        attend_part(&work, at, at + step < head->end ? at + step : head->end, &parts[count++]);
    if (count > 1 || kernel->round_partials)
        merge_parts(&work, parts, count, o);
    else
        for (uint32_t d = 0; d < work.dim; d++)
            o[d] = parts[0].o[d] / parts[0].sum;
}
