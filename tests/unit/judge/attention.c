#include "attention.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/inputs.h"

#define MAX_KEYS 2048
#define MAX_SPLITS 8
#define DIM BP_MAX_HEAD_DIM
#define SKIPPED_TILE 64

static void transpose_keys(struct problem *problem, const float *k)
{
    const struct bp_shape *shape = &problem->item.shape;
    size_t head = (size_t)shape->kv_len * shape->head_dim;
    for (uint32_t g = 0; g < shape->batch * shape->kv_heads; g++) {
        for (uint32_t j = 0; j < shape->kv_len; j++) {
            for (uint32_t d = 0; d < shape->head_dim; d++)
                problem->kt[g * head + (size_t)d * shape->kv_len + j] =
                    k[g * head + (size_t)j * shape->head_dim + d];
        }
    }
}

static float *slot_floats(const struct problem *problem, struct bp_extent extent)
{
    size_t count = extent.bytes / bp_dtype_size(problem->dtype);
    float *floats = malloc(count * sizeof *floats);
    bp_dtype_to_floats(problem->dtype, (uint8_t *)problem->slot + extent.offset, count, floats);
    return floats;
}

void problem_make(struct problem *problem, const struct bp_shape *shape, enum bp_family family,
                  enum bp_dtype dtype, enum bp_strictness strictness)
{
    struct bp_input_layout in;
    struct bp_output_layout out;
    struct bp_key key;
    assert(shape->kv_len <= MAX_KEYS);
    *problem = (struct problem){.item = {*shape, family, UINT32_MAX}, .dtype = dtype};
    bp_layout_inputs(shape, dtype, &in);
    bp_layout_outputs(shape, dtype, &out);
    problem->master = calloc(1, in.bytes);
    problem->slot = calloc(1, in.bytes);
    problem->output = calloc(1, out.bytes);
    problem->reference = calloc(1, bp_reference_bytes(&problem->item));

    bp_key_from_seed(1000 + shape->kv_len, &key);
    bp_key_derive(&key, "rows", 0, &problem->rows_key);
    bp_inputs_make(shape, family, dtype, &key, problem->master);
    bp_reference_make(&problem->item, dtype, strictness, &problem->rows_key, problem->master,
                      problem->reference);
    bp_permutation_make(shape, &key, &problem->permutation);
    bp_permutation_copy(shape, dtype, &problem->permutation, problem->master, problem->slot);
    problem->q = slot_floats(problem, in.q);
    problem->v = slot_floats(problem, in.v);
    problem->kt = malloc(bp_shape_kv_elements(shape) * sizeof *problem->kt);
    float *k = slot_floats(problem, in.k);
    transpose_keys(problem, k);
    free(k);
}

void problem_free(struct problem *problem)
{
    free(problem->master);
    free(problem->slot);
    free(problem->output);
    free(problem->reference);
    free(problem->q);
    free(problem->kt);
    free(problem->v);
}

void *problem_row(struct problem *problem, struct bp_row row)
{
    const struct bp_shape *shape = &problem->item.shape;
    struct bp_output_layout out;
    bp_layout_outputs(shape, problem->dtype, &out);
    size_t index = ((size_t)row.batch * shape->q_heads + row.head) * shape->q_len + row.token;
    return (uint8_t *)problem->output + out.o.offset +
           index * shape->head_dim * bp_dtype_size(problem->dtype);
}

static float round_to(enum bp_dtype dtype, float x)
{
    float rounded;
    uint32_t bits;
    bp_dtype_store(dtype, &bits, x);
    bp_dtype_to_floats(dtype, &bits, 1, &rounded);
    return rounded;
}

static float round_bits(float x, int bits)
{
    int exponent;
    float mantissa = frexpf(x, &exponent);
    return ldexpf(rintf(ldexpf(mantissa, bits + 1)), exponent - bits - 1);
}

/* fp8 with a 4-bit exponent and 3 mantissa bits, saturating. */
static float round_e4m3(float x)
{
    float magnitude = fminf(fabsf(x), 448);
    float unit = magnitude < 0x1p-6f ? 0x1p-9f : 0;
    float rounded = unit > 0 ? rintf(magnitude / unit) * unit : round_bits(magnitude, 3);
    return copysignf(rounded, x);
}

static float round_p(const struct problem *problem, const struct kernel *kernel, float p)
{
    switch (kernel->mistake) {
    case P_IN_FP8:
        return round_e4m3(p);
    case P_3_BITS:
        return round_bits(p, 3);
    case P_5_BITS:
        return round_bits(p, 5);
    default:
        return round_to(problem->dtype, p);
    }
}

/* One row's work: which keys and values the kernel believes it must use. */
struct row_work {
    const struct problem *problem;
    const struct kernel *kernel;
    uint32_t begin, end, dim;
    const float *v;         /* [kv_len][dim] of the head */
    float scores[MAX_KEYS]; /* natural-log units */
    float p[MAX_KEYS];
};

static void score_row(struct row_work *work, const float *q, const float *kt)
{
    const struct problem *problem = work->problem;
    const struct bp_shape *shape = &problem->item.shape;
    float scale = bp_shape_scale(shape);
    memset(work->scores, 0, work->end * sizeof *work->scores);
    for (uint32_t d = 0; d < work->dim; d++) {
        float q_d = work->kernel->round_q ? round_to(problem->dtype, q[d] * scale) : q[d];
        for (uint32_t j = work->begin; j < work->end; j++)
            work->scores[j] += q_d * kt[(size_t)d * shape->kv_len + j];
    }
    float factor = work->kernel->round_q ? 1 : scale;
    factor *= 1 + work->kernel->scale_error;
    for (uint32_t j = work->begin; j < work->end; j++)
        work->scores[j] *= factor;
}

struct partial {
    float maximum, sum;
    float o[DIM];
};

static const float *value_row(const struct row_work *work, uint32_t j)
{
    uint32_t middle = work->problem->item.shape.kv_len / 2;
    if (work->kernel->mistake == TWO_V_ROWS_SWAPPED && middle > 0) {
        if (j == middle)
            j = middle - 1;
        else if (j == middle - 1)
            j = middle;
    }
    return work->v + (size_t)j * work->dim;
}

/* Adds P of keys [begin, end) times V, P already final. */
static void add_values(const struct row_work *work, uint32_t begin, uint32_t end, float *o)
{
    for (uint32_t j = begin; j < end; j++) {
        const float *v = value_row(work, j);
        for (uint32_t d = 0; d < work->dim; d++) {
            float x = work->kernel->mistake == V_IN_FP8 ? round_e4m3(v[d]) : v[d];
            o[d] += work->p[j] * x;
        }
    }
}

/* Online softmax over [begin, end), keys of `tile` at a time. */
static void attend_part(struct row_work *work, uint32_t begin, uint32_t end, struct partial *part)
{
    const struct kernel *kernel = work->kernel;
    uint32_t tile = kernel->tile ? kernel->tile : MAX_KEYS;
    *part = (struct partial){.maximum = -INFINITY};
    uint32_t rescales = 0;
    for (uint32_t t = begin; t < end; t += tile) {
        uint32_t stop = t + tile < end ? t + tile : end;
        float maximum = part->maximum;
        for (uint32_t j = t; j < stop; j++)
            maximum = fmaxf(maximum, work->scores[j]);
        if (t > begin && maximum - part->maximum <= kernel->lazy)
            maximum = part->maximum;
        float rescale = t > begin ? expf(part->maximum - maximum) : 0;
        part->sum *= rescale;
        bool changed = t > begin && maximum > part->maximum;
        bool missed = kernel->mistake == RESCALE_MISSED ||
                      (kernel->mistake == RESCALE_MISSED_ONCE && rescales == 0);
        rescales += changed;
        if (!(changed && missed)) {
            for (uint32_t d = 0; d < work->dim; d++)
                part->o[d] *= rescale;
        }
        part->maximum = maximum;
        for (uint32_t j = t; j < stop; j++) {
            float p = expf(work->scores[j] - maximum);
            work->p[j] = kernel->normalise_p ? p : round_p(work->problem, kernel, p);
            part->sum += kernel->sum_rounded_p ? work->p[j] : p;
        }
        if (!kernel->normalise_p)
            add_values(work, t, stop, part->o);
    }
    if (kernel->normalise_p) {
        for (uint32_t j = begin; j < end; j++)
            work->p[j] = round_p(work->problem, kernel, work->p[j] / part->sum);
        part->sum = 1;
        add_values(work, begin, end, part->o);
    }
}

static void merge_parts(const struct row_work *work, struct partial *parts, uint32_t count,
                        float *o)
{
    float maximum = -INFINITY, total = 0;
    for (uint32_t i = 0; i < count; i++)
        maximum = fmaxf(maximum, parts[i].maximum);
    for (uint32_t i = 0; i < count; i++) {
        float weight = expf(parts[i].maximum - maximum) * parts[i].sum;
        if (work->kernel->mistake == SPLITS_AVERAGED)
            weight = 1;
        total += weight;
        for (uint32_t d = 0; d < work->dim; d++) {
            float x = parts[i].o[d] / parts[i].sum;
            if (work->kernel->round_partials)
                x = round_to(work->problem->dtype, x);
            o[d] += weight * x;
        }
    }
    for (uint32_t d = 0; d < work->dim; d++)
        o[d] /= total;
}

static void attend(struct row_work *work, float *o)
{
    static struct partial parts[MAX_SPLITS];
    uint32_t splits = work->kernel->splits ? work->kernel->splits : 1;
    uint32_t keys = work->end - work->begin, count = 0;
    uint32_t step = (keys + splits - 1) / splits;
    memset(o, 0, work->dim * sizeof *o);
    if (work->begin >= work->end)
        return;
    for (uint32_t at = work->begin; at < work->end; at += step) {
        uint32_t stop = at + step < work->end ? at + step : work->end;
        attend_part(work, at, stop, &parts[count++]);
    }
    if (count == 1 && !work->kernel->round_partials) {
        for (uint32_t d = 0; d < work->dim; d++)
            o[d] = parts[0].o[d] / parts[0].sum;
        return;
    }
    merge_parts(work, parts, count, o);
}

static void mistake_range(struct row_work *work, uint32_t length)
{
    switch (work->kernel->mistake) {
    case LAST_TILE_SKIPPED:
        work->end = (work->end - 1) / SKIPPED_TILE * SKIPPED_TILE;
        break;
    case FIRST_HALF_OF_KV:
        work->end = work->begin + (work->end - work->begin + 1) / 2;
        break;
    case CAUSAL_OFF_BY_ONE:
        work->end += work->end < length;
        break;
    default:
        break;
    }
}

static void mean_of_v(const struct row_work *work, float *o)
{
    memset(o, 0, work->dim * sizeof *o);
    for (uint32_t j = work->begin; j < work->end; j++) {
        for (uint32_t d = 0; d < work->dim; d++)
            o[d] += work->v[(size_t)j * work->dim + d] / (float)(work->end - work->begin);
    }
}

static void mistake_output(const struct row_work *work, struct bp_row row, const float *q, float *o)
{
    switch (work->kernel->mistake) {
    case ZEROS:
        memset(o, 0, work->dim * sizeof *o);
        break;
    case MEAN_OF_V:
        mean_of_v(work, o);
        break;
    case INPUT_PASSED_THROUGH:
        memcpy(o, q, work->dim * sizeof *o);
        break;
    case NAN_OUTPUT:
        o[row.token % work->dim] = NAN;
        break;
    case ONE_ELEMENT_1_PERCENT:
        o[row.token % work->dim] *= 1.01f;
        break;
    case OUTPUT_1_PERCENT:
        for (uint32_t d = 0; d < work->dim; d++)
            o[d] *= 1.01f;
        break;
    case ONE_ROW_MISSING:
        if (row.head == 1 && row.token == work->problem->item.shape.q_len - 1)
            memset(o, 0, work->dim * sizeof *o);
        break;
    default:
        break;
    }
}

static void run_row(const struct problem *problem, const struct kernel *kernel, struct bp_row row,
                    float *o)
{
    static struct row_work work;
    const struct bp_shape *shape = &problem->item.shape;
    uint32_t group = row.head / (shape->q_heads / shape->kv_heads);
    if (kernel->mistake == WRONG_KV_HEAD)
        group = (group + 1) % shape->kv_heads;
    size_t head = ((size_t)row.batch * shape->kv_heads + group) * shape->kv_len * shape->head_dim;
    if (kernel->mistake == STALE_ROW && row.token > 0)
        row.token--;
    const float *q =
        problem->q + (((size_t)row.batch * shape->q_heads + row.head) * shape->q_len + row.token) *
                         shape->head_dim;
    work.problem = problem;
    work.kernel = kernel;
    work.dim = shape->head_dim;
    work.v = problem->v + head;
    bp_shape_visible(shape, row.batch, row.token, &work.begin, &work.end);
    if (work.begin < work.end)
        mistake_range(&work, bp_shape_kv_len(shape, row.batch));
    score_row(&work, q, problem->kt + head);
    if (kernel->mistake == ONE_KEY_SKIPPED && shape->kv_len > 1)
        work.scores[shape->kv_len / 2] = -1e30f;
    attend(&work, o);
    mistake_output(&work, row, q, o);
}

struct bp_judgement problem_judge(struct problem *problem, const struct kernel *kernel)
{
    const struct bp_shape *shape = &problem->item.shape;
    struct bp_output_layout out;
    struct bp_judgement judgement;
    bp_layout_outputs(shape, problem->dtype, &out);
    bp_layout_poison_output(&out, BP_POISON_LARGE, problem->output);
    uint32_t rows = shape->batch * shape->q_heads * shape->q_len;
    for (uint32_t i = 0; i < rows && kernel->mistake != OUTPUT_UNTOUCHED; i++) {
        struct bp_row row = {i / (shape->q_heads * shape->q_len), i / shape->q_len % shape->q_heads,
                             i % shape->q_len};
        float o[DIM];
        run_row(problem, kernel, row, o);
        uint8_t *at = problem_row(problem, row);
        for (uint32_t d = 0; d < shape->head_dim; d++)
            bp_dtype_store(problem->dtype, at + d * bp_dtype_size(problem->dtype), o[d]);
    }
    bp_judge_case(&problem->item, problem->dtype, &problem->rows_key, &problem->permutation,
                  problem->reference, problem->output, &judgement);
    return judgement;
}
