#include "evaluator/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/parallel.h"

/* Keys, or elements of the head dimension, that the hot loops take at a time: arrays of so many
 * sums stay in registers. Plain loops, because gcc 12 lowers its own vector types badly on AVX2
 * (95 against 25 us for a row of 512 keys). */
#define LANES 16

/* The two hot loops are compiled for AVX-512, AVX2 and baseline x86-64 and chosen at load time: the
 * shipped binary must run on any machine, and a reference is mostly these loops. One row of 512
 * keys, head_dim 128: 16, 25, 41 us. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HOT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HOT
#endif

/* Weights are squared probabilities; scaled by 2^60 they keep p down to 2^-93 in a float. */
#define WEIGHT_SCALE 0x1p60

const struct bp_error_class *bp_error_class(enum bp_dtype dtype, enum bp_strictness strictness)
{
    static const struct bp_error_class classes[BP_DTYPE_COUNT][BP_STRICTNESS_COUNT] = {
        [BP_DTYPE_F16] = {{0x1p-11, 0x1p-11, 0x1p-19, 2, 0x1.8p-24, 0x1p-22},
                          {0x1p-11, 0x1p-11, 0x1p-11, 2, 0x1.8p-24, 0x1p-22}},
        [BP_DTYPE_BF16] = {{0x1p-8, 0x1p-8, 0x1p-19, 2, 0x1p-126, 0x1p-22},
                           {0x1p-8, 0x1p-8, 0x1p-8, 2, 0x1p-126, 0x1p-22}},
        /* IEEE products; tf32 products, whose u_p is 2^-9.5. */
        [BP_DTYPE_F32] = {{0x1p-24, 0x1p-20, 0x1p-19, 1, 0x1p-126, 0x1p-19},
                          {0x1p-24, 0x1.6ap-10, 0x1p-9, 1.5, 0x1p-126, 0x1p-19}},
    };
    return &classes[dtype][strictness];
}

/* One KV head as the loops want it, and one row's working arrays; a worker's own. keys is kv_len
 * rounded up to LANES, dim is head_dim rounded up; the padding is zero. V is scaled by a power of
 * two to at most 1, so that squares of any family fit a float. */
struct scratch {
    float *raw;               /* [kv_len][head_dim] */
    float *kt;                /* [head_dim][keys] */
    float *v;                 /* [keys][dim] */
    double v_scale;           /* v * v_scale is the true V */
    double *s, *p;            /* [keys] scores, probabilities */
    float *s2;                /* [keys] sum over d of (q_d k_jd)^2 */
    float *wa, *wb, *wp, *wg; /* [keys] weights of A^2, B^2, W and g */
    double *o;                /* [dim] */
    float *a, *b, *w, *g;     /* [dim] the sums */
    float *v_max;             /* [dim]: largest magnitude of each column of V */
    float *q;                 /* [head_dim] */
};

struct span {
    uint64_t first, count;   /* rows of the list */
    uint32_t batch, kv_head; /* that all of them attend to */
};

struct job {
    const struct bp_case *item;
    const struct bp_error_class *class;
    const struct bp_key *rows_key;
    enum bp_dtype dtype;
    const uint8_t *q, *k, *v;
    uint32_t keys, dim;
    struct span *spans;
    uint8_t *rows; /* the block behind its header */
    struct scratch scratch[BP_PARALLEL_MAX];
};

/* s_j = sum_d q_d k_jd in double and s2_j = sum_d (q_d k_jd)^2 for keys [begin, end), both
 * multiples of LANES. */
HOT static void score_keys(const float *q, const float *kt, uint32_t head_dim, uint32_t keys,
                           uint32_t begin, uint32_t end, double *s, float *s2)
{
    for (uint32_t j = begin; j < end; j += LANES) {
        double sum[LANES] = {0};
        float squares[LANES] = {0};
        for (uint32_t d = 0; d < head_dim; d++) {
            const float *k = kt + (size_t)d * keys + j;
            double wide = q[d];
            for (int i = 0; i < LANES; i++) {
                float product = k[i] * q[d];
                sum[i] += k[i] * wide;
                squares[i] += product * product;
            }
        }
        memcpy(s + j, sum, sizeof sum);
        memcpy(s2 + j, squares, sizeof squares);
    }
}

/* The five sums over keys [begin, end) that need V, LANES columns at a time. */
HOT static void sum_values(const struct scratch *x, uint32_t dim, uint32_t begin, uint32_t end)
{
    for (uint32_t d = 0; d < dim; d += LANES) {
        double o[LANES] = {0};
        float a[LANES] = {0}, b[LANES] = {0}, w[LANES] = {0}, g[LANES] = {0};
        for (uint32_t j = begin; j < end; j++) {
            const float *v = x->v + (size_t)j * dim + d;
            double p = x->p[j];
            float wa = x->wa[j], wb = x->wb[j], wp = x->wp[j], wg = x->wg[j];
            for (int i = 0; i < LANES; i++) {
                float square = v[i] * v[i];
                o[i] += v[i] * p;
                a[i] += square * wa;
                b[i] += square * wb;
                w[i] += fabsf(v[i]) * wp;
                g[i] += v[i] * wg;
            }
        }
        memcpy(x->o + d, o, sizeof o);
        memcpy(x->a + d, a, sizeof a);
        memcpy(x->b + d, b, sizeof b);
        memcpy(x->w + d, w, sizeof w);
        memcpy(x->g + d, g, sizeof g);
    }
}

static void load_head(const struct job *job, const struct span *span, struct scratch *x)
{
    const struct bp_shape *shape = &job->item->shape;
    uint32_t length = bp_shape_kv_len(shape, span->batch), dim = shape->head_dim;
    size_t head = (size_t)span->batch * shape->kv_heads + span->kv_head;
    size_t offset = head * shape->kv_len * dim * bp_dtype_size(job->dtype);

    bp_dtype_to_floats(job->dtype, job->k + offset, (size_t)length * dim, x->raw);
    for (uint32_t d = 0; d < dim; d++) {
        for (uint32_t j = 0; j < length; j++)
            x->kt[(size_t)d * job->keys + j] = x->raw[(size_t)j * dim + d];
    }

    bp_dtype_to_floats(job->dtype, job->v + offset, (size_t)length * dim, x->raw);
    memset(x->v_max, 0, job->dim * sizeof *x->v_max);
    for (uint32_t j = 0; j < length; j++) {
        for (uint32_t d = 0; d < dim; d++) {
            float magnitude = fabsf(x->raw[(size_t)j * dim + d]);
            x->v_max[d] = magnitude > x->v_max[d] ? magnitude : x->v_max[d];
        }
    }
    float largest = 0;
    for (uint32_t d = 0; d < dim; d++)
        largest = x->v_max[d] > largest ? x->v_max[d] : largest;
    int exponent = 0;
    frexp(largest, &exponent);
    x->v_scale = ldexp(1, exponent);
    double shrink = ldexp(1, -exponent);
    for (uint32_t j = 0; j < length; j++) {
        for (uint32_t d = 0; d < dim; d++)
            x->v[(size_t)j * job->dim + d] = (float)(x->raw[(size_t)j * dim + d] * shrink);
    }
}

struct row_sums {
    double a, b;  /* sum of squared weights without V */
    double flush; /* probability that f16 may flush to zero */
};

/* S of the rule: how far an error u_s * t in a score moves its exponential, in units of u_s. */
static double inflate(double t, double u_s)
{
    double x = u_s * t;
    return x > 1e-3 ? expm1(x) / u_s : t * (1 + x / 2);
}

/* Turns scores into probabilities and the weights of every sum, for visible keys [begin, end). */
static struct row_sums weigh_keys(const struct job *job, struct scratch *x, uint32_t begin,
                                  uint32_t end)
{
    const struct bp_error_class *class = job->class;
    /* f16 rounds a p below 2^-14 with the absolute error of a subnormal. */
    double subnormal = job->dtype == BP_DTYPE_F16 ? 0x1p-14 : 0;
    double flushed = job->dtype == BP_DTYPE_F16 ? 0x1p-24 : 0;
    double scale = bp_shape_scale(&job->item->shape);
    double largest = -INFINITY, total = 0, mean = 0;
    for (uint32_t j = begin; j < end; j++) {
        x->s[j] *= scale;
        largest = fmax(largest, x->s[j]);
    }
    for (uint32_t j = begin; j < end; j++) {
        x->p[j] = exp(x->s[j] - largest);
        total += x->p[j];
    }
    for (uint32_t j = begin; j < end; j++) {
        x->p[j] /= total;
        mean += x->p[j] * x->s[j];
    }
    struct row_sums sums = {0};
    for (uint32_t j = begin; j < end; j++) {
        double p = x->p[j], s = x->s[j];
        double t = sqrt(s * s + scale * scale * x->s2[j]);
        double p_hat = p > subnormal ? p : fmin(subnormal, p / class->u_p);
        double spread = p * inflate(t, class->u_s);
        sums.a += p_hat * p_hat;
        sums.b += spread * spread;
        sums.flush += p < flushed ? p : 0;
        x->wa[j] = (float)(p_hat * p_hat * WEIGHT_SCALE);
        x->wb[j] = (float)(spread * spread * WEIGHT_SCALE);
        x->wp[j] = (float)p;
        x->wg[j] = (float)(p * (s - mean));
    }
    return sums;
}

static double square(double x)
{
    return x * x;
}

static void write_row(const struct job *job, const struct scratch *x, const struct row_sums *sums,
                      uint32_t visible, uint8_t *out)
{
    const struct bp_error_class *class = job->class;
    uint32_t dim = job->item->shape.head_dim;
    double *o = (double *)out;
    float *c = (float *)(o + dim + 1), *n = c + dim, *g = n + dim;
    double gamma = class->gamma * sqrt(1 + visible / 64.0);
    double scale2 = square(x->v_scale) / WEIGHT_SCALE;
    o[dim] = 0;
    for (uint32_t d = 0; d < dim; d++) {
        double value = x->o[d] * x->v_scale;
        double drift = gamma * x->w[d] * x->v_scale;
        double flush = sums->flush * x->v_max[d];
        double n2 = square(class->u_p) * (x->a[d] * scale2 + square(value) * sums->a) +
                    square(class->u_s) * (x->b[d] * scale2 + square(value) * sums->b);
        o[d] = value;
        c[d] = (float)((class->u_o + class->c * class->u_p) * fabs(value) + class->eta + drift +
                       flush);
        n[d] = (float)sqrt(n2);
        g[d] = (float)(x->g[d] * x->v_scale);
        o[dim] +=
            square(class->u_o * value) + n2 + square(class->eta) + square(drift) + square(flush);
    }
}

static void make_row(const struct job *job, struct scratch *x, struct bp_row row, uint8_t *out)
{
    const struct bp_shape *shape = &job->item->shape;
    uint32_t begin, end;
    bp_shape_visible(shape, row.batch, row.token, &begin, &end);
    if (begin >= end) {
        memset(out, 0, bp_reference_row_bytes(shape->head_dim));
        return;
    }
    size_t at = ((size_t)row.batch * shape->q_heads + row.head) * shape->q_len + row.token;
    bp_dtype_to_floats(job->dtype, job->q + at * shape->head_dim * bp_dtype_size(job->dtype),
                       shape->head_dim, x->q);
    score_keys(x->q, x->kt, shape->head_dim, job->keys, begin / LANES * LANES,
               (end + LANES - 1) / LANES * LANES, x->s, x->s2);
    struct row_sums sums = weigh_keys(job, x, begin, end);
    sum_values(x, job->dim, begin, end);
    write_row(job, x, &sums, end - begin, out);
}

static void make_span(void *context, uint32_t index, uint32_t worker)
{
    struct job *job = context;
    const struct span *span = &job->spans[index];
    struct scratch *x = &job->scratch[worker];
    const struct bp_case *item = job->item;
    load_head(job, span, x);
    for (uint64_t i = span->first; i < span->first + span->count; i++) {
        struct bp_row row = bp_rows_at(&item->shape, job->rows_key, item->max_rows, i);
        make_row(job, x, row, job->rows + i * bp_reference_row_bytes(item->shape.head_dim));
    }
}

/* Rows of one KV head follow each other in the list, because query heads of a group do. */
static uint32_t find_spans(const struct job *job, uint64_t rows)
{
    const struct bp_shape *shape = &job->item->shape;
    uint32_t ratio = shape->q_heads / shape->kv_heads, count = 0;
    for (uint64_t i = 0; i < rows; i++) {
        struct bp_row row = bp_rows_at(shape, job->rows_key, job->item->max_rows, i);
        struct span *last = count ? &job->spans[count - 1] : NULL;
        if (last && last->batch == row.batch && last->kv_head == row.head / ratio)
            last->count++;
        else
            job->spans[count++] = (struct span){i, 1, row.batch, row.head / ratio};
    }
    return count;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        abort(); /* a child of ours without memory: the supervisor reads the signal as INFRA */
    return memory;
}

static void scratch_make(const struct job *job, struct scratch *x)
{
    const struct bp_shape *shape = &job->item->shape;
    size_t keys = job->keys, dim = job->dim;
    x->raw = allocate((size_t)shape->kv_len * shape->head_dim, sizeof *x->raw);
    x->kt = allocate(shape->head_dim * keys, sizeof *x->kt);
    x->v = allocate(keys * dim, sizeof *x->v);
    x->o = allocate(dim, sizeof *x->o);
    x->s = allocate(2 * keys, sizeof *x->s);
    x->p = x->s + keys;
    x->s2 = allocate(5 * keys, sizeof *x->s2);
    x->wa = x->s2 + keys;
    x->wb = x->wa + keys;
    x->wp = x->wb + keys;
    x->wg = x->wp + keys;
    x->a = allocate(6 * dim, sizeof *x->a);
    x->b = x->a + dim;
    x->w = x->b + dim;
    x->g = x->w + dim;
    x->v_max = x->g + dim;
    x->q = x->v_max + dim;
}

static void scratch_free(struct scratch *x)
{
    free(x->raw);
    free(x->kt);
    free(x->v);
    free(x->o);
    free(x->s);
    free(x->s2);
    free(x->a);
}

/* Writes the block's header and sets the job up to fill in what follows it. */
static void open_job(struct job *job, const struct bp_case *item, enum bp_dtype dtype,
                     enum bp_strictness strictness, uint64_t rows, const void *input_slot,
                     void *reference)
{
    const struct bp_shape *shape = &item->shape;
    struct bp_reference_header *header = reference;
    *header = (struct bp_reference_header){
        .rows = rows,
        .head_dim = shape->head_dim,
        .dtype = dtype,
        .family = item->family,
        .strictness = strictness,
    };
    struct bp_input_layout layout;
    bp_layout_inputs(shape, dtype, &layout);
    const uint8_t *inputs = input_slot;
    *job = (struct job){
        .item = item,
        .class = bp_error_class(dtype, strictness),
        .dtype = dtype,
        .q = inputs + layout.q.offset,
        .k = inputs + layout.k.offset,
        .v = inputs + layout.v.offset,
        .keys = (shape->kv_len + LANES - 1) / LANES * LANES,
        .dim = (shape->head_dim + LANES - 1) / LANES * LANES,
        .rows = (uint8_t *)(header + 1),
    };
}

void bp_reference_make(const struct bp_case *item, enum bp_dtype dtype,
                       enum bp_strictness strictness, const struct bp_key *rows_key,
                       const void *master_inputs, void *reference)
{
    const struct bp_shape *shape = &item->shape;
    uint64_t rows = bp_rows_count(shape, item->max_rows);
    struct job job;
    open_job(&job, item, dtype, strictness, rows, master_inputs, reference);
    job.rows_key = rows_key;
    job.spans = allocate((size_t)shape->batch * shape->kv_heads, sizeof *job.spans);
    uint32_t span_count = find_spans(&job, rows);
    uint32_t workers = bp_parallel_workers();
    if (workers > span_count)
        workers = span_count;
    for (uint32_t w = 0; w < workers; w++)
        scratch_make(&job, &job.scratch[w]);
    bp_parallel_for(span_count, make_span, &job);
    for (uint32_t w = 0; w < workers; w++)
        scratch_free(&job.scratch[w]);
    free(job.spans);
}

size_t bp_reference_one_row_bytes(uint32_t head_dim)
{
    return sizeof(struct bp_reference_header) + bp_reference_row_bytes(head_dim);
}

void bp_reference_make_row(const struct bp_case *item, enum bp_dtype dtype,
                           enum bp_strictness strictness, struct bp_row row, const void *inputs,
                           void *reference)
{
    uint32_t ratio = item->shape.q_heads / item->shape.kv_heads;
    struct span span = {0, 1, row.batch, row.head / ratio};
    struct job job;
    open_job(&job, item, dtype, strictness, 1, inputs, reference);
    scratch_make(&job, &job.scratch[0]);
    load_head(&job, &span, &job.scratch[0]);
    make_row(&job, &job.scratch[0], row, job.rows);
    scratch_free(&job.scratch[0]);
}
