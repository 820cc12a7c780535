/*! bulletproof
name: trivial
targets: [cpu]
dtypes: [f16]
supports: head_dim <= 128
knobs:
  A: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
  B: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
  C: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
default: {A: 0, B: 0, C: 0}
*/

/* As little work as a right kernel can be, one thread a query row, in 4096 variants whose objects
 * differ (in the workspace they ask for): what an evaluation costs beside the kernel. */
#include "gqa.h"

// EVOLVE-BLOCK-START
GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, (gqa_u32)(shape.batch * shape.q_heads * shape.q_len), 1, 1, 1, 0);
    plan->workspace_bytes = 64 * (1 + A + 16 * B + 256 * C);
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(1) void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k,
                                                 const gqa_t *v, gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x % shape.q_len;
    const gqa_i32 head = (gqa_i32)blockIdx.x / shape.q_len % shape.q_heads;
    const gqa_i32 batch = (gqa_i32)blockIdx.x / shape.q_len / shape.q_heads;
    const gqa_i32 kv_head = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    (void)workspace;
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + kv_head * shape.k_stride[1];
    v += batch * shape.v_stride[0] + kv_head * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float max = -__builtin_inff(), sum = 0, out[128] = {};
    for (gqa_i32 key = gqa_key_begin(shape, kv_len, token);
         key < gqa_key_end(shape, kv_len, token); key++) {
        float score = 0;
        for (gqa_i32 d = 0; d < shape.head_dim; d++)
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
        score *= shape.scale;
        const float above = score > max ? score : max;
        const float keep = expf(max - above), p = expf(score - above);
        max = above;
        sum = sum * keep + p;
        for (gqa_i32 d = 0; d < shape.head_dim; d++)
            out[d] = out[d] * keep + p * gqa_load(v + key * shape.v_stride[2] + d);
    }
    for (gqa_i32 d = 0; d < shape.head_dim; d++)
        gqa_store(o + d, sum > 0 ? out[d] / sum : 0.0f);
}
// EVOLVE-BLOCK-END
