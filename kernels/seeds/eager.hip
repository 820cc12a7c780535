/*! bulletproof
name: eager
targets: [cpu, amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim <= 256
knobs: {BLOCK: [64, 128, 256, 512]}
default: {BLOCK: 128}
*/

/* Three-pass attention, what a framework's eager mode does: the scores go to memory, the softmax
 * reads and rewrites them, the last pass multiplies them with V. It is the row that
 * `speedup_vs_eager` divides by, so it does nothing clever, and nothing needlessly slow.
 *
 *   gqa_kernel0   one thread per (query row, key)               S = scale * Q K^T
 *   gqa_kernel1   one thread per query row                      P = softmax(S), in place
 *   gqa_kernel2   one thread per (query row, SLICE of head_dim) O = P V
 *
 * The workspace holds S, then P, as float [batch][q_heads][q_len][kv_len]. Keys that a row does not
 * see are neither written nor read. No barriers and no wave operations: on the CPU the threads of a
 * block are iterations of a loop. */
#include "gqa.h"

// EVOLVE-BLOCK-START
/* Elements of the head dimension a thread takes at a time: 16 bytes of a 16-bit dtype. */
static constexpr gqa_i32 SLICE = 8;
static constexpr gqa_i32 MAX_HEAD_DIM = 256;

struct row {
    gqa_i32 batch, head, kv_head, token;
    gqa_i32 key_begin, key_end; /* visible keys */
    float *scores;              /* of this row, indexed by key */
};

__device__ static inline gqa_i64 row_count(const gqa_shape &shape)
{
    return (gqa_i64)shape.batch * shape.q_heads * shape.q_len;
}

__device__ static inline row find_row(const gqa_shape &shape, gqa_i64 index, void *workspace)
{
    row r;
    r.token = (gqa_i32)(index % shape.q_len);
    r.head = (gqa_i32)(index / shape.q_len % shape.q_heads);
    r.batch = (gqa_i32)(index / shape.q_len / shape.q_heads);
    r.kv_head = r.head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, r.batch);
    r.key_begin = gqa_key_begin(shape, kv_len, r.token);
    r.key_end = gqa_key_end(shape, kv_len, r.token);
    r.scores = (float *)workspace + index * shape.kv_len;
    return r;
}

__device__ static inline float dot(const gqa_t *a, const gqa_t *b, gqa_i32 size)
{
    /* SLICE independent sums, so that the additions need not wait for one another. */
    float partial[SLICE] = {};
    gqa_i32 d = 0;
    for (; d + SLICE <= size; d += SLICE) {
        float x[SLICE], y[SLICE];
        gqa_load_many(a + d, x);
        gqa_load_many(b + d, y);
#pragma unroll
        for (gqa_i32 e = 0; e < SLICE; e++)
            partial[e] += x[e] * y[e];
    }
    float sum = 0.0f;
    for (; d < size; d++)
        sum += gqa_load(a + d) * gqa_load(b + d);
#pragma unroll
    for (gqa_i32 e = 0; e < SLICE; e++)
        sum += partial[e];
    return sum;
}

/* o[0..width) = sum over the visible keys of p[key] * v[key][0..width), width <= SLICE. Inlined
 * with width known to be SLICE it has no inner branch. */
__device__ static inline void weighted_sum(const row &r, const gqa_t *v, gqa_i64 v_stride,
                                           gqa_i32 width, gqa_t *o)
{
    float sum[SLICE] = {};
    for (gqa_i32 key = r.key_begin; key < r.key_end; key++) {
        const float p = r.scores[key];
        float x[SLICE] = {};
        if (width == SLICE) {
            gqa_load_many(v + key * v_stride, x);
        } else {
#pragma unroll
            for (gqa_i32 e = 0; e < SLICE; e++)
                if (e < width)
                    x[e] = gqa_load(v + key * v_stride + e);
        }
#pragma unroll
        for (gqa_i32 e = 0; e < SLICE; e++)
            sum[e] += p * x[e];
    }
#pragma unroll
    for (gqa_i32 e = 0; e < SLICE; e++)
        if (e < width)
            gqa_store(o + e, sum[e]);
}

__device__ static inline gqa_u32 blocks_for(gqa_i64 threads)
{
    return threads <= BLOCK ? 1 : (gqa_u32)((threads + BLOCK - 1) / BLOCK);
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.head_dim > MAX_HEAD_DIM) {
        plan->unsupported = GQA_UNSUPPORTED_HEAD_DIM;
        return;
    }
    const gqa_i64 rows = row_count(shape);
    const gqa_i64 slices = (shape.head_dim + SLICE - 1) / SLICE;
    gqa_plan_launch(plan, 0, (gqa_u32)rows, blocks_for(shape.kv_len), 1, BLOCK, 0);
    gqa_plan_launch(plan, 1, blocks_for(rows), 1, 1, BLOCK, 0);
    gqa_plan_launch(plan, 2, blocks_for(rows * slices), 1, 1, BLOCK, 0);
    plan->workspace_bytes = (gqa_u64)rows * shape.kv_len * sizeof(float);
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(BLOCK) void gqa_kernel0(gqa_shape shape, const gqa_t *q,
                                                     const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                     void *workspace)
{
    (void)v;
    (void)o;
    const row r = find_row(shape, blockIdx.x, workspace);
    const gqa_i32 key = (gqa_i32)(blockIdx.y * BLOCK + threadIdx.x);
    if (key < r.key_begin || key >= r.key_end)
        return;
    const gqa_t *q_row =
        q + r.batch * shape.q_stride[0] + r.head * shape.q_stride[1] + r.token * shape.q_stride[2];
    const gqa_t *k_row =
        k + r.batch * shape.k_stride[0] + r.kv_head * shape.k_stride[1] + key * shape.k_stride[2];
    r.scores[key] = shape.scale * dot(q_row, k_row, shape.head_dim);
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(BLOCK) void gqa_kernel1(gqa_shape shape, const gqa_t *q,
                                                     const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                     void *workspace)
{
    (void)q;
    (void)k;
    (void)v;
    (void)o;
    const gqa_i64 index = (gqa_i64)blockIdx.x * BLOCK + threadIdx.x;
    if (index >= row_count(shape))
        return;
    const row r = find_row(shape, index, workspace);
    if (r.key_begin >= r.key_end)
        return;
    float max = r.scores[r.key_begin];
    for (gqa_i32 key = r.key_begin + 1; key < r.key_end; key++)
        max = fmaxf(max, r.scores[key]);
    float sum = 0.0f;
    for (gqa_i32 key = r.key_begin; key < r.key_end; key++) {
        const float p = expf(r.scores[key] - max);
        r.scores[key] = p;
        sum += p;
    }
    for (gqa_i32 key = r.key_begin; key < r.key_end; key++)
        r.scores[key] /= sum;
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(BLOCK) void gqa_kernel2(gqa_shape shape, const gqa_t *q,
                                                     const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                     void *workspace)
{
    (void)q;
    (void)k;
    const gqa_i32 slices = (shape.head_dim + SLICE - 1) / SLICE;
    const gqa_i64 index = (gqa_i64)blockIdx.x * BLOCK + threadIdx.x;
    if (index >= row_count(shape) * slices)
        return;
    const row r = find_row(shape, index / slices, workspace);
    const gqa_i32 d = (gqa_i32)(index % slices) * SLICE;
    const gqa_t *v_slice = v + r.batch * shape.v_stride[0] + r.kv_head * shape.v_stride[1] + d;
    gqa_t *o_slice = o + r.batch * shape.o_stride[0] + r.head * shape.o_stride[1] +
                     r.token * shape.o_stride[2] + d;
    if (d + SLICE <= shape.head_dim)
        weighted_sum(r, v_slice, shape.v_stride[2], SLICE, o_slice);
    else
        weighted_sum(r, v_slice, shape.v_stride[2], shape.head_dim - d, o_slice);
}
// EVOLVE-BLOCK-END
