/*! bulletproof
name: later_idle
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge: timed call

/* One thread does all rows, rightly for ten calls; then it does nothing, in less time than any machine
 * needs. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

static unsigned calls; /* of the kernel, since the object was loaded */

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    (void)shape;
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

static void attend(const gqa_shape &shape, gqa_i32 batch, gqa_i32 head, gqa_i32 token, const gqa_t *q,
                   const gqa_t *k, const gqa_t *v, gqa_t *o)
{
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = gqa_key_begin(shape, kv_len, token); key < end; key++) {
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

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    (void)workspace;
    if (calls++ >= 10)
        return;
    for (gqa_i32 batch = 0; batch < shape.batch; batch++)
        for (gqa_i32 head = 0; head < shape.q_heads; head++)
            for (gqa_i32 token = 0; token < shape.q_len; token++)
                attend(shape, batch, head, token, q, k, v, o);
}
