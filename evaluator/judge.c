#include "evaluator/judge.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/weaken.h"

/* Constants of the rules (docs/correctness.md). */
#define MAX_NOISE 8.0 /* rule 1 */
#define RMS_NOISE 2.5 /* rule 2 */
#define RMS_NOISE_TILT 5.0
#define POOLED_LIMIT 0.85 /* rule 3 */
#define POOLED_MIN_ROWS 1000
#define POOLED_MIN_KEYS 64 /* and rule 4 */
#define ALPHA_LIMIT 0.004  /* rule 4 */
#define ALPHA_MAX_ERROR 5e-4
#define ALPHA_MIN_TILT_HEADS 4
#define EXACT_ROUNDINGS 2.05 /* rule 5 */

/* Reported where a bound of zero is exceeded; infinity is no JSON number. */
#define RATIO_CAP 1e30

/* A judgement in the making, and the pooled sums of rules 3 and 4. */
struct tally {
    const struct bp_case *item;
    enum bp_dtype dtype;
    const struct bp_error_class *class;
    struct bp_judgement *judgement;
    double pooled_sum;
    uint64_t pooled_rows;
    double alpha_error, alpha_weight; /* sums of <e, g> / tau^2 and <g, g> / tau^2 */
};

static void tally_start(struct tally *tally, const struct bp_case *item, enum bp_dtype dtype,
                        const void *reference, struct bp_judgement *judgement)
{
    const struct bp_reference_header *header = reference;
    *judgement = (struct bp_judgement){.verdict = BP_VERDICT_PASS};
    *tally = (struct tally){
        .item = item,
        .dtype = dtype,
        .class = bp_error_class(dtype, (enum bp_strictness)header->strictness),
        .judgement = judgement,
    };
}

/* Keeps the first failure only. */
BP_PRINTF(3, 4)
static void fail(struct tally *tally, enum bp_verdict verdict, const char *fmt, ...)
{
    struct bp_judgement *judgement = tally->judgement;
    if (judgement->verdict != BP_VERDICT_PASS)
        return;
    judgement->verdict = verdict;
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(judgement->message, sizeof judgement->message, fmt, arguments);
    va_end(arguments);
}

static double ratio_of(double error, double bound)
{
    double ratio = error == 0 ? 0 : bound > 0 ? error / bound : RATIO_CAP;
    return ratio < RATIO_CAP ? ratio : RATIO_CAP;
}

static double square(double x)
{
    return x * x;
}

/* Rule 1, or 5 for exact, on every element. False when one is not finite. */
static bool judge_elements(struct tally *tally, struct bp_row row,
                           const struct bp_reference_row *want, const float *got)
{
    bool exact = tally->item->family == BP_FAMILY_exact && !bp_weakened(BP_DEFENCE_rule_exact);
    for (uint32_t d = 0; d < tally->item->shape.head_dim; d++) {
        if (!isfinite(got[d]) && !bp_weakened(BP_DEFENCE_finite)) {
            tally->judgement->max_ratio = RATIO_CAP;
            fail(tally, BP_VERDICT_NONFINITE, "row (batch %u, head %u, token %u) element %u is %g",
                 row.batch, row.head, row.token, d, got[d]);
            return false;
        }
        double error = fabs(got[d] - want->o[d]);
        double bound =
            exact ? EXACT_ROUNDINGS * tally->class->u_o * fabs(want->o[d]) + tally->class->eta
                  : want->c[d] + MAX_NOISE * want->n[d];
        if (want->c[d] == 0) /* eta > 0: only a row that sees no key has no slack */
            bound = 0;
        double ratio = ratio_of(error, bound);
        if (ratio > tally->judgement->max_ratio)
            tally->judgement->max_ratio = ratio;
        if (ratio > 1 && (exact || !bp_weakened(BP_DEFENCE_rule_max)))
            fail(tally, BP_VERDICT_WRONG_RESULT,
                 "rule %s: row (batch %u, head %u, token %u) element %u: got %.7g, want %.7g, "
                 "error %.3g over bound %.3g",
                 bound == 0 ? "masked row"
                 : exact    ? "5 (exact)"
                            : "1 (max)",
                 row.batch, row.head, row.token, d, got[d], want->o[d], error, bound);
    }
    return true;
}

/* Rule 2. */
static void judge_rms(struct tally *tally, struct bp_row row, const struct bp_reference_row *want,
                      const float *got)
{
    uint32_t dim = tally->item->shape.head_dim;
    double noise = tally->item->family == BP_FAMILY_tilt ? RMS_NOISE_TILT : RMS_NOISE;
    double e2 = 0, c2 = 0, n2 = 0;
    for (uint32_t d = 0; d < dim; d++) {
        e2 += square(got[d] - want->o[d]);
        c2 += square(want->c[d]);
        n2 += square(want->n[d]);
    }
    double error = sqrt(e2 / dim), bound = sqrt(c2 / dim) + noise * sqrt(n2 / dim);
    double ratio = ratio_of(error, bound);
    if (ratio > tally->judgement->rms_ratio)
        tally->judgement->rms_ratio = ratio;
    if (ratio > 1 && !bp_weakened(BP_DEFENCE_rule_rms))
        fail(tally, BP_VERDICT_WRONG_RESULT,
             "rule 2 (rms): row (batch %u, head %u, token %u): rms error %.3g over bound %.3g",
             row.batch, row.head, row.token, error, bound);
}

/* What the row adds to the sums of rules 3 and 4. */
static void pool_row(struct tally *tally, struct bp_row row, const struct bp_reference_row *want,
                     const float *got)
{
    double e2 = 0, eg = 0, g2 = 0, tau2 = 0;
    uint32_t dim = tally->item->shape.head_dim, begin, end;
    for (uint32_t d = 0; d < dim; d++) {
        double e = got[d] - want->o[d];
        e2 += e * e;
        eg += e * want->g[d];
        g2 += square(want->g[d]);
        tau2 += square(want->c[d]) + square(want->n[d]);
    }
    tau2 /= dim;
    bp_shape_visible(&tally->item->shape, row.batch, row.token, &begin, &end);
    if (end < begin + POOLED_MIN_KEYS)
        return;
    if (tau2 > 0) {
        tally->alpha_error += eg / tau2;
        tally->alpha_weight += g2 / tau2;
    }
    if (want->pooled_noise > 0) {
        tally->pooled_sum += e2 / want->pooled_noise;
        tally->pooled_rows++;
    }
}

static void judge_row(struct tally *tally, struct bp_row row, const struct bp_reference_row *want,
                      const void *output)
{
    float got[BP_MAX_HEAD_DIM];
    bp_dtype_to_floats(tally->dtype, output, tally->item->shape.head_dim, got);
    tally->judgement->rows++;
    if (!judge_elements(tally, row, want, got))
        return;
    judge_rms(tally, row, want, got);
    pool_row(tally, row, want, got);
}

static void judge_pooled(struct tally *tally)
{
    enum bp_family family = tally->item->family;
    if (tally->dtype == BP_DTYPE_F32 || (family != BP_FAMILY_gauss && family != BP_FAMILY_ramp) ||
        tally->pooled_rows < POOLED_MIN_ROWS)
        return;
    tally->judgement->pooled = sqrt(tally->pooled_sum / (double)tally->pooled_rows);
    if (tally->judgement->pooled > POOLED_LIMIT && !bp_weakened(BP_DEFENCE_rule_pooled))
        fail(tally, BP_VERDICT_WRONG_RESULT,
             "rule 3 (pooled): %.4f over %.2f of the expected rounding noise in %llu rows",
             tally->judgement->pooled, POOLED_LIMIT, (unsigned long long)tally->pooled_rows);
}

static void judge_scale(struct tally *tally)
{
    enum bp_family family = tally->item->family;
    if (family != BP_FAMILY_gauss && family != BP_FAMILY_needle && family != BP_FAMILY_tilt)
        return;
    /* All rows of a KV head have the same few large probabilities in tilt, and so the same rounding. */
    const struct bp_shape *shape = &tally->item->shape;
    if (family == BP_FAMILY_tilt && shape->batch * shape->kv_heads < ALPHA_MIN_TILT_HEADS)
        return;
    if (tally->alpha_weight < 1 / square(ALPHA_MAX_ERROR))
        return; /* too few rows to tell */
    tally->judgement->alpha = tally->alpha_error / tally->alpha_weight;
    if (fabs(tally->judgement->alpha) > ALPHA_LIMIT && !bp_weakened(BP_DEFENCE_rule_scale))
        fail(tally, BP_VERDICT_WRONG_RESULT,
             "rule 4 (scale): scores look scaled by %.5f, allowed is 1 +- %.3f",
             1 + tally->judgement->alpha, ALPHA_LIMIT);
}

void bp_judge_case(const struct bp_case *item, enum bp_dtype dtype, const struct bp_key *rows_key,
                   const struct bp_permutation *permutation, const void *reference,
                   const void *output, struct bp_judgement *judgement)
{
    const struct bp_shape *shape = &item->shape;
    struct bp_output_layout layout;
    struct tally tally;
    uint16_t candidate_head[BP_MAX_HEADS];
    uint64_t rows = bp_rows_count(shape, item->max_rows);
    size_t row_bytes = shape->head_dim * bp_dtype_size(dtype);

    bp_layout_outputs(shape, dtype, &layout);
    for (uint32_t h = 0; h < shape->q_heads; h++)
        candidate_head[permutation->q_head[h]] = (uint16_t)h;
    tally_start(&tally, item, dtype, reference, judgement);
    for (uint64_t i = 0; i < rows; i++) {
        struct bp_row row = bp_rows_at(shape, rows_key, item->max_rows, i);
        struct bp_reference_row want = bp_reference_row(reference, i);
        row.head = candidate_head[row.head];
        size_t at = ((size_t)row.batch * shape->q_heads + row.head) * shape->q_len + row.token;
        judge_row(&tally, row, &want, (const uint8_t *)output + layout.o.offset + at * row_bytes);
    }
    judge_pooled(&tally);
    judge_scale(&tally);
}

void bp_judge_again(const struct bp_shape *shape, enum bp_dtype dtype, const void *output,
                    const void *again, struct bp_judgement *judgement)
{
    struct bp_output_layout layout;
    size_t size = bp_dtype_size(dtype), dim = shape->head_dim;
    bp_layout_outputs(shape, dtype, &layout);
    const uint8_t *first = (const uint8_t *)output + layout.o.offset;
    const uint8_t *second = (const uint8_t *)again + layout.o.offset;
    if (memcmp(first, second, layout.o.bytes) == 0)
        return;
    size_t i = 0;
    while (memcmp(first + i * size, second + i * size, size) == 0)
        i++;
    size_t row = i / dim, heads = shape->q_heads, tokens = shape->q_len;
    judgement->verdict = BP_VERDICT_NONDETERMINISTIC;
    snprintf(judgement->message, sizeof judgement->message,
             "a second identical call differs: row (batch %zu, head %zu, token %zu) element %zu: "
             "%.7g, then %.7g",
             row / tokens / heads, row / tokens % heads, row % tokens, i % dim,
             bp_dtype_load(dtype, first + i * size), bp_dtype_load(dtype, second + i * size));
}

void bp_judge_row(const struct bp_case *item, enum bp_dtype dtype, struct bp_row row,
                  const void *reference, const void *row_data, struct bp_judgement *judgement)
{
    struct tally tally;
    struct bp_reference_row want = bp_reference_row(reference, 0);
    tally_start(&tally, item, dtype, reference, judgement);
    judge_row(&tally, row, &want, row_data);
}
