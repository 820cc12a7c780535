/*! bulletproof
name: honest_declares
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128 && q_len == 17 && kv_len == 17
*/
// expected: PASS
// options: --unseen

/* Refuses all that its declaration excludes: that is no promise broken. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.q_len != 17 || shape.kv_len != 17) {
        plan->unsupported = GQA_UNSUPPORTED_KV_LEN;
        return;
    }
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads, (gqa_u32)shape.batch, 1,
                    0);
}

/* One thread a query row, one key after the other. */
GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x, head = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 begin = gqa_key_begin(shape, kv_len, token);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = begin; key < end; key++) {
        float score = 0.0f;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
        score *= shape.scale;
        const float new_max = fmaxf(max, score);
        const float kept = expf(max - new_max), p = expf(score - new_max);
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            sum[d] = sum[d] * kept + p * gqa_load(v + key * shape.v_stride[2] + d);
        total = total * kept + p;
        max = new_max;
    }
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        gqa_store(o + d, total > 0.0f ? sum[d] / total : 0.0f);
}
