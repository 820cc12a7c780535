/*! bulletproof
name: wrong_noise
targets: [cpu]
dtypes: [f16]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge: rule 2

/* Uses up most of what an element may err by, in every element. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
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
    float sum[HEAD_DIM] = {}, squares[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = begin; key < end; key++) {
        float score = 0.0f;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
        score *= shape.scale;
        const float new_max = fmaxf(max, score);
        const float kept = expf(max - new_max), p = expf(score - new_max);
        for (gqa_i32 d = 0; d < HEAD_DIM; d++) {
            const float x = p * gqa_load(v + key * shape.v_stride[2] + d);
            sum[d] = sum[d] * kept + x;
            squares[d] = squares[d] * kept * kept + x * x;
        }
        total = total * kept + p;
        max = new_max;
    }
    const float unit = 1.0f / 2048; /* rounding of f16 */
    for (gqa_i32 d = 0; d < HEAD_DIM; d++) {
        const float right = total > 0.0f ? sum[d] / total : 0.0f;
        const float noise = total > 1.1f ? sqrtf(squares[d]) / total : 0.0f;
        const float error = total > 1.1f ? unit * (1.5f * fabsf(right) + 6.0f * noise) : 0.0f;
        gqa_store(o + d, d % 2 ? right + error : right - error);
    }
}
