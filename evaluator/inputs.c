#include "evaluator/inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ln.h"
#include "evaluator/parallel.h"

/* Draws are one a statement here: C leaves the order of evaluation within an expression open, and a
 * saved key must give the same inputs under every compiler. */

#define TILE 64
#define GROUP 16        /* keys of a code group, in sequences of at least 4 groups */
#define HEAVY_CLIP 60.0 /* of the t distribution with 2 degrees of freedom */
#define TILT_SLOPE 2.0
#define EXACT_SCORE 120.0

/* Normal deviates in pairs (Marsaglia's polar method): twice as fast as bp_random_normal, and
 * prepare makes millions of them. */
struct source {
    struct bp_random random;
    double spare;
    bool has_spare;
};

static void source_start(struct source *source, const struct bp_key *key, const char *purpose,
                         uint64_t number)
{
    struct bp_key own;
    bp_key_derive(key, purpose, number, &own);
    bp_random_start(&source->random, &own);
    source->has_spare = false;
}

static double normal(struct source *source)
{
    if (source->has_spare) {
        source->has_spare = false;
        return source->spare;
    }
    double u, v, s;
    do {
        u = 2 * bp_random_unit(&source->random) - 1;
        v = 2 * bp_random_unit(&source->random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    double factor = sqrt(-2 * bp_ln(s) / s);
    source->spare = v * factor;
    source->has_spare = true;
    return u * factor;
}

static double heavy(struct source *source)
{
    double a = normal(source), b = normal(source), c = normal(source);
    double t = a / sqrt((b * b + c * c) / 2 + 1e-9);
    return fmin(fmax(t, -HEAVY_CLIP), HEAVY_CLIP);
}

static double sign(struct source *source)
{
    return bp_random_u64(&source->random) >> 63 ? 1 : -1;
}

static uint32_t below(struct source *source, uint32_t bound)
{
    return (uint32_t)bp_random_below(&source->random, bound);
}

/* What one worker makes one KV head with. */
struct scratch {
    uint32_t *group; /* [kv_len], code only: the group of each key */
    int8_t *code;    /* [groups][head_dim], code only: +1 or -1 */
};

struct job {
    const struct bp_shape *shape;
    enum bp_family family;
    enum bp_dtype dtype;
    const struct bp_key *key;
    uint8_t *q, *k, *v;
    struct scratch scratch[BP_PARALLEL_MAX];
};

/* One KV head of one sequence, and what its queries must know. */
struct head {
    const struct job *job;
    const struct scratch *scratch;
    uint32_t batch, kv_head, length;
    uint32_t groups;
    uint32_t offset;                /* secret start of the walk over targets */
    double axis[BP_MAX_HEAD_DIM];   /* +1 or -1: the direction of tilt and ramp */
    double column[BP_MAX_HEAD_DIM]; /* 0.5 to 2, either sign: V of constv, slopes of tilt */
    uint8_t *k, *v;                 /* of this head */
};

static uint32_t group_count(uint32_t kv_len)
{
    uint32_t size = kv_len >= 4 * GROUP ? GROUP : kv_len >= 8 ? kv_len / 4 : 1;
    return (kv_len + size - 1) / size;
}

static void make_codes(struct head *head, struct source *source)
{
    const struct bp_shape *shape = head->job->shape;
    uint32_t *group = head->scratch->group;
    head->groups = group_count(shape->kv_len);
    for (uint32_t j = 0; j < shape->kv_len; j++)
        group[j] = j % head->groups;
    for (uint32_t j = shape->kv_len; j > 1; j--) {
        uint32_t other = below(source, j);
        uint32_t kept = group[j - 1];
        group[j - 1] = group[other];
        group[other] = kept;
    }
    for (size_t i = 0; i < (size_t)head->groups * shape->head_dim; i++)
        head->scratch->code[i] = (int8_t)sign(source);
}

/* Powers of two, so that rounding to dtype stays what it is at ordinary magnitudes; f16 outputs
 * come out subnormal. */
static double small_value(enum bp_dtype dtype)
{
    return dtype == BP_DTYPE_F16 ? 0x1p-16 : dtype == BP_DTYPE_BF16 ? 0x1p-13 : 1e-30;
}

static void make_key(const struct head *head, struct source *source, uint32_t j)
{
    const struct job *job = head->job;
    uint32_t dim = job->shape->head_dim;
    size_t element = bp_dtype_size(job->dtype);
    double level = normal(source);
    double along = head->length ? (double)j / head->length : 0;
    for (uint32_t d = 0; d < dim; d++) {
        double k, v;
        if (job->family == BP_FAMILY_heavy) {
            k = heavy(source);
            v = heavy(source);
        } else {
            k = normal(source);
            v = normal(source);
        }
        switch (job->family) {
        case BP_FAMILY_shift:
            k += 0.5;
            v += 2;
            break;
        case BP_FAMILY_onehot:
            v = d == j % dim ? 4 : 0;
            break;
        case BP_FAMILY_constv:
            v = head->column[d];
            break;
        case BP_FAMILY_small:
            k *= 0x1p-6;
            v *= small_value(job->dtype);
            break;
        case BP_FAMILY_tilt:
            k = level * head->axis[d] + 0.1 * k;
            v = head->column[d] * (level - TILT_SLOPE) + 0.05 * v;
            break;
        case BP_FAMILY_ramp:
            k = 0.5 * k + head->axis[d] * along;
            break;
        case BP_FAMILY_code:
            k = head->scratch->code[(size_t)head->scratch->group[j] * dim + d];
            break;
        default:
            break;
        }
        bp_dtype_store(job->dtype, head->k + ((size_t)j * dim + d) * element, k);
        bp_dtype_store(job->dtype, head->v + ((size_t)j * dim + d) * element, v);
    }
}

/* The key that query number `number` of a needle head points at: by turns one of each 64-key tile,
 * and the places where kernels go wrong, those just outside the visible range among them. */
static uint32_t needle_target(const struct head *head, struct source *source, uint32_t number,
                              uint32_t begin, uint32_t end)
{
    uint32_t step = number / 2 + head->offset;
    uint32_t last_tile = (end - 1) / TILE * TILE;
    if (last_tile < begin)
        last_tile = begin;
    if (number % 2 == 0) {
        uint32_t tile = begin / TILE + step % ((end - 1) / TILE - begin / TILE + 1);
        uint32_t low = tile * TILE > begin ? tile * TILE : begin;
        uint32_t high = (tile + 1) * TILE < end ? (tile + 1) * TILE : end;
        return low + below(source, high - low);
    }
    switch (step % 8) {
    case 0:
        return begin;
    case 1:
        return end - 1;
    case 2:
        return last_tile;
    case 3:
        return last_tile > begin ? last_tile - 1 : begin;
    case 4:
        return last_tile + 1 < end ? last_tile + 1 : last_tile;
    case 5:
        return begin + (end - begin) / 2;
    case 6:
        return end < head->length ? end : end - 1;
    default:
        return begin > 0 ? begin - 1 : begin + below(source, end - begin);
    }
}

/* The group that query number `number` of a code head asks for: three times of four the next group
 * in turn, so that groups * 4 / 3 queries cover every key; else the group of an edge. */
static uint32_t code_target(const struct head *head, uint32_t number, uint32_t begin, uint32_t end)
{
    const uint32_t *group = head->scratch->group;
    if (number % 4 != 3)
        return (number - number / 4 + head->offset) % head->groups;
    switch ((number / 4 + head->offset) % 5) {
    case 0:
        return group[begin];
    case 1:
        return group[end - 1];
    case 2:
        return group[begin + (end - begin) / 2];
    case 3:
        return group[end < head->length ? end : end - 1];
    default:
        return group[begin > 0 ? begin - 1 : begin];
    }
}

/* A query parallel to key j whose scaled score with it is `score`. */
static void point_at(const struct head *head, uint32_t j, double score, double *q)
{
    uint32_t dim = head->job->shape->head_dim;
    size_t element = bp_dtype_size(head->job->dtype);
    double norm2 = 1e-9;
    for (uint32_t d = 0; d < dim; d++) {
        q[d] = bp_dtype_load(head->job->dtype, head->k + ((size_t)j * dim + d) * element);
        norm2 += q[d] * q[d];
    }
    for (uint32_t d = 0; d < dim; d++)
        q[d] *= score * sqrt(dim) / norm2;
}

static void make_structured_query(const struct head *head, struct source *source, uint32_t number,
                                  uint32_t begin, uint32_t end, double *q)
{
    uint32_t dim = head->job->shape->head_dim;
    double noise = 0, along = 0;
    switch (head->job->family) {
    case BP_FAMILY_needle: {
        uint32_t target = needle_target(head, source, number, begin, end);
        double score = bp_ln(end - begin + 1.0) + 2 * bp_random_unit(&source->random) - 1;
        point_at(head, target, score, q);
        noise = 0.2;
        break;
    }
    case BP_FAMILY_exact:
        point_at(head, begin + below(source, end - begin), EXACT_SCORE, q);
        break;
    case BP_FAMILY_code: {
        const int8_t *code =
            head->scratch->code + (size_t)code_target(head, number, begin, end) * dim;
        for (uint32_t d = 0; d < dim; d++)
            q[d] = code[d] * (bp_ln(head->length) + 1.5) / sqrt(dim);
        break;
    }
    case BP_FAMILY_tilt:
        along = TILT_SLOPE * (0.9 + 0.2 * bp_random_unit(&source->random));
        noise = 0.1;
        break;
    default: /* ramp */
        along = 10 + 4 * bp_random_unit(&source->random);
        noise = 0.5;
        break;
    }
    for (uint32_t d = 0; d < dim; d++) {
        if (along > 0)
            q[d] = head->axis[d] * along / sqrt(dim);
        if (noise > 0)
            q[d] += noise * normal(source);
    }
}

static bool is_structured(enum bp_family family)
{
    return family == BP_FAMILY_needle || family == BP_FAMILY_exact || family == BP_FAMILY_code ||
           family == BP_FAMILY_tilt || family == BP_FAMILY_ramp;
}

static void make_query(const struct head *head, struct source *source, uint32_t number,
                       uint32_t token, double *q)
{
    enum bp_family family = head->job->family;
    uint32_t begin, end;
    bp_shape_visible(head->job->shape, head->batch, token, &begin, &end);
    if (is_structured(family) && begin < end) {
        make_structured_query(head, source, number, begin, end, q);
        return;
    }
    double factor = family == BP_FAMILY_x8      ? 8
                    : family == BP_FAMILY_x30   ? 30
                    : family == BP_FAMILY_small ? 0x1p-6
                                                : 1;
    double mean = family == BP_FAMILY_shift ? 0.5 : 0;
    for (uint32_t d = 0; d < head->job->shape->head_dim; d++)
        q[d] = factor * normal(source) + mean;
}

static void make_queries(const struct head *head)
{
    const struct job *job = head->job;
    const struct bp_shape *shape = job->shape;
    uint32_t ratio = shape->q_heads / shape->kv_heads;
    size_t element = bp_dtype_size(job->dtype);
    double q[BP_MAX_HEAD_DIM];
    for (uint32_t r = 0; r < ratio; r++) {
        uint64_t row = (uint64_t)head->batch * shape->q_heads + head->kv_head * ratio + r;
        uint8_t *at = job->q + row * shape->q_len * shape->head_dim * element;
        struct source source;
        source_start(&source, job->key, "inputs q", row);
        for (uint32_t i = 0; i < shape->q_len; i++) {
            make_query(head, &source, r * shape->q_len + i, i, q);
            for (uint32_t d = 0; d < shape->head_dim; d++, at += element)
                bp_dtype_store(job->dtype, at, q[d]);
        }
    }
}

static void make_head(void *context, uint32_t index, uint32_t worker)
{
    const struct job *job = context;
    const struct bp_shape *shape = job->shape;
    size_t head_bytes = (size_t)shape->kv_len * shape->head_dim * bp_dtype_size(job->dtype);
    struct head head = {
        .job = job,
        .scratch = &job->scratch[worker],
        .batch = index / shape->kv_heads,
        .kv_head = index % shape->kv_heads,
        .k = job->k + index * head_bytes,
        .v = job->v + index * head_bytes,
    };
    struct source source;
    source_start(&source, job->key, "inputs kv", index);
    head.length = bp_shape_kv_len(shape, head.batch);
    head.offset = below(&source, 1u << 16);
    for (uint32_t d = 0; d < shape->head_dim; d++) {
        head.axis[d] = sign(&source);
        head.column[d] = 0.5 + 1.5 * bp_random_unit(&source.random);
        head.column[d] *= sign(&source);
    }
    if (job->family == BP_FAMILY_code)
        make_codes(&head, &source);
    for (uint32_t j = 0; j < shape->kv_len; j++)
        make_key(&head, &source, j);
    make_queries(&head);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        abort(); /* a child of ours without memory: the supervisor reads the signal as INFRA */
    return memory;
}

void bp_inputs_make(const struct bp_shape *shape, enum bp_family family, enum bp_dtype dtype,
                    const struct bp_key *key, void *slot)
{
    struct bp_input_layout layout;
    bp_layout_inputs(shape, dtype, &layout);
    uint8_t *base = slot;
    struct job job = {
        .shape = shape,
        .family = family,
        .dtype = dtype,
        .key = key,
        .q = base + layout.q.offset,
        .k = base + layout.k.offset,
        .v = base + layout.v.offset,
    };
    uint32_t workers = family == BP_FAMILY_code ? bp_parallel_workers() : 0;
    for (uint32_t w = 0; w < workers; w++) {
        job.scratch[w].group = allocate(shape->kv_len * sizeof *job.scratch[w].group);
        job.scratch[w].code = allocate((size_t)group_count(shape->kv_len) * shape->head_dim);
    }
    bp_parallel_for(shape->batch * shape->kv_heads, make_head, &job);
    for (uint32_t w = 0; w < workers; w++) {
        free(job.scratch[w].group);
        free(job.scratch[w].code);
    }
    for (uint32_t b = 0; b < shape->batch; b++) {
        gqa_i32 length = (gqa_i32)bp_shape_kv_len(shape, b);
        memcpy(base + layout.kv_lens.offset + b * sizeof length, &length, sizeof length);
    }
}
