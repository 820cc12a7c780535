/*! bulletproof
name: device
targets: [amd]
dtypes: [f16]
supports: head_dim == 128
knobs:
  VARIANT: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47]
default: {VARIANT: 0}
*/

/* What runs while a device fails: small, and right with every VARIANT, which only makes the objects
 * differ. A block has a row: each thread the scores of every 32nd key and four
 * elements of the output. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128, THREADS = 32, OWN = HEAD_DIM / THREADS;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads, (gqa_u32)shape.batch,
                    THREADS, 0);
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(THREADS) void gqa_kernel0(gqa_shape shape, const gqa_t *q,
                                                       const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                       void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x, head = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z, lane = (gqa_i32)threadIdx.x, first = lane * OWN;
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    __shared__ float scores[THREADS];
    if (shape.q_len == -1 - VARIANT)
        return; /* never */
    (void)workspace;
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1] + first;
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2] + first;
    const gqa_i32 begin = gqa_key_begin(shape, kv_len, token), end = gqa_key_end(shape, kv_len, token);
    float sum[OWN] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 base = begin; base < end; base += THREADS) {
        float score = base + lane < end ? 0.0f : -3.0e38f, new_max = max;
        for (gqa_i32 d = 0; base + lane < end && d < HEAD_DIM; d++)
            score += shape.scale * gqa_load(q + d) *
                     gqa_load(k + (base + lane) * shape.k_stride[2] + d);
        __syncthreads();
        scores[lane] = score;
        __syncthreads();
        for (gqa_i32 i = 0; i < THREADS; i++)
            new_max = fmaxf(new_max, scores[i]);
        const float kept = expf(max - new_max);
        for (gqa_i32 d = 0; d < OWN; d++)
            sum[d] *= kept;
        total *= kept;
        for (gqa_i32 i = 0; i < THREADS && base + i < end; i++) {
            const float p = expf(scores[i] - new_max);
            for (gqa_i32 d = 0; d < OWN; d++)
                sum[d] += p * gqa_load(v + (base + i) * shape.v_stride[2] + d);
            total += p;
        }
        max = new_max;
    }
    for (gqa_i32 d = 0; d < OWN; d++)
        gqa_store(o + d, total > 0.0f ? sum[d] / total : 0.0f); /* 0: a row that sees no key */
}
