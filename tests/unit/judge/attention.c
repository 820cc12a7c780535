#include "attention.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/inputs.h"
#include "rounding.h"

#define SKIPPED_TILE 64
#define F16_SMALLEST_NORMAL 0x1p-14f

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

void problem_make_seeded(struct problem *problem, const struct bp_shape *shape,
                         enum bp_family family, enum bp_dtype dtype, enum bp_strictness strictness,
                         uint64_t seed)
{
    struct bp_input_layout in;
    struct bp_output_layout out;
    struct bp_key key;
    assert(shape->kv_len <= ATTEND_MAX_KEYS);
    *problem = (struct problem){.item = {*shape, family, UINT32_MAX}, .dtype = dtype};
    bp_layout_inputs(shape, dtype, &in);
    bp_layout_outputs(shape, dtype, &out);
    problem->master = calloc(1, in.bytes);
    problem->slot = calloc(1, in.bytes);
    problem->output = calloc(1, out.bytes);
    problem->reference = calloc(1, bp_reference_bytes(&problem->item));

    bp_key_from_seed(seed, &key);
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

void problem_make(struct problem *problem, const struct bp_shape *shape, enum bp_family family,
                  enum bp_dtype dtype, enum bp_strictness strictness)
{
    problem_make_seeded(problem, shape, family, dtype, strictness, 1000 + shape->kv_len);
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
    free(problem->kt_fp8);
    free(problem->v_fp8);
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

/* ---- mistakes about a whole row ---- */

static uint32_t kv_head_of(const struct bp_shape *shape, enum mistake mistake, uint32_t head)
{
    uint32_t group_size = shape->q_heads / shape->kv_heads, group = head / group_size;
    switch (mistake) {
    case WRONG_KV_HEAD:
        return (group + 1) % shape->kv_heads;
    case KV_HEADS_INTERLEAVED:
        return head % shape->kv_heads;
    case LAST_OF_GROUP_WRONG:
        return (group + (head % group_size == group_size - 1)) % shape->kv_heads;
    default:
        return group;
    }
}

/* The row whose query the kernel takes. */
static struct bp_row query_of(enum mistake mistake, struct bp_row row)
{
    if (mistake == STALE_ROW && row.token > 0)
        row.token--;
    if (mistake == Q_HEADS_SWAPPED && row.head < 2)
        row.head = 1 - row.head;
    return row;
}

/* Keys that the kernel believes visible, from those that are. */
static void mistake_range(const struct bp_shape *shape, uint32_t length, enum mistake mistake,
                          uint32_t *begin, uint32_t *end)
{
    switch (mistake) {
    case LAST_TILE_SKIPPED:
        *end = (*end - 1) / SKIPPED_TILE * SKIPPED_TILE;
        break;
    case FIRST_HALF_OF_KV:
        *end = *begin + (*end - *begin + 1) / 2;
        break;
    case CAUSAL_ONE_MORE:
        *end += *end < length;
        break;
    case CAUSAL_ONE_LESS:
        *end -= *end > *begin + 1;
        break;
    case WINDOW_ONE_MORE:
        *begin -= *begin > 0;
        break;
    case WINDOW_ONE_LESS:
        *begin += *begin > 0 && *begin + 1 < *end;
        break;
    case RAGGED_IGNORED:
        *end = shape->kv_len;
        break;
    default:
        break;
    }
}

static void mean_of_v(const struct attend_head *head, float *o)
{
    uint32_t dim = head->shape->head_dim;
    memset(o, 0, dim * sizeof *o);
    for (uint32_t j = head->begin; j < head->end; j++) {
        for (uint32_t d = 0; d < dim; d++)
            o[d] += head->v[(size_t)j * dim + d] / (float)(head->end - head->begin);
    }
}

static void flush_subnormals(float *o, uint32_t dim)
{
    for (uint32_t d = 0; d < dim; d++)
        o[d] = fabsf(o[d]) < F16_SMALLEST_NORMAL ? 0 : o[d];
}

static void mistake_output(enum mistake mistake, const struct attend_head *head, struct bp_row row,
                           const float *q, float *o)
{
    uint32_t dim = head->shape->head_dim;
    switch (mistake) {
    case ZEROS:
        memset(o, 0, dim * sizeof *o);
        break;
    case MEAN_OF_V:
        mean_of_v(head, o);
        break;
    case INPUT_PASSED_THROUGH:
        memcpy(o, q, dim * sizeof *o);
        break;
    case NAN_OUTPUT:
        o[row.token % dim] = NAN;
        break;
    case ONE_ELEMENT_1_PERCENT:
        o[row.token % dim] *= 1.01f;
        break;
    case OUTPUT_1_PERCENT:
        for (uint32_t d = 0; d < dim; d++)
            o[d] *= 1.01f;
        break;
    case SUBNORMALS_FLUSHED:
        flush_subnormals(o, dim);
        break;
    case ONE_ROW_MISSING:
        if (row.head == 1 && row.token == head->shape->q_len - 1)
            memset(o, 0, dim * sizeof *o);
        break;
    default:
        break;
    }
}

/* ---- running a kernel ---- */

static void run_row(const struct problem *problem, const struct kernel *kernel, struct bp_row row,
                    float *o)
{
    const struct bp_shape *shape = &problem->item.shape;
    uint32_t group = kv_head_of(shape, kernel->mistake, row.head);
    size_t kv = ((size_t)row.batch * shape->kv_heads + group) * shape->kv_len * shape->head_dim;
    struct attend_head head = {
        .shape = shape,
        .dtype = problem->dtype,
        .kt = (kernel->mistake == K_IN_FP8 ? problem->kt_fp8 : problem->kt) + kv,
        .v = (kernel->mistake == V_IN_FP8 ? problem->v_fp8 : problem->v) + kv,
    };
    struct bp_row source = query_of(kernel->mistake, row);
    const float *q =
        problem->q +
        (((size_t)row.batch * shape->q_heads + source.head) * shape->q_len + source.token) *
            shape->head_dim;
    bp_shape_visible(shape, row.batch, source.token, &head.begin, &head.end);
    if (head.begin < head.end)
        mistake_range(shape, bp_shape_kv_len(shape, row.batch), kernel->mistake, &head.begin,
                      &head.end);
    attend_row(kernel, &head, q, o);
    mistake_output(kernel->mistake, &head, row, q, o);
}

static float *fp8_copy(const struct problem *problem, const float *values)
{
    size_t count = bp_shape_kv_elements(&problem->item.shape);
    float *copy = malloc(count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = round_e4m3(values[i]);
    return copy;
}

struct bp_judgement problem_judge(struct problem *problem, const struct kernel *kernel)
{
    const struct bp_shape *shape = &problem->item.shape;
    struct bp_output_layout out;
    struct bp_judgement judgement;
    bp_layout_outputs(shape, problem->dtype, &out);
    bp_layout_poison_output(&out, BP_POISON_LARGE, problem->output);
    if (kernel->mistake == K_IN_FP8 && !problem->kt_fp8)
        problem->kt_fp8 = fp8_copy(problem, problem->kt);
    if (kernel->mistake == V_IN_FP8 && !problem->v_fp8)
        problem->v_fp8 = fp8_copy(problem, problem->v);
    uint32_t rows = shape->batch * shape->q_heads * shape->q_len;
    for (uint32_t i = 0; i < rows && kernel->mistake != OUTPUT_UNTOUCHED; i++) {
        struct bp_row row = {i / (shape->q_heads * shape->q_len), i / shape->q_len % shape->q_heads,
                             i % shape->q_len};
        float o[BP_MAX_HEAD_DIM];
        run_row(problem, kernel, row, o);
        uint8_t *at = problem_row(problem, row);
        for (uint32_t d = 0; d < shape->head_dim; d++)
            bp_dtype_store(problem->dtype, at + d * bp_dtype_size(problem->dtype), o[d]);
    }
    bp_judge_case(&problem->item, problem->dtype, &problem->rows_key, &problem->permutation,
                  problem->reference, problem->output, &judgement);
    return judgement;
}
