/*! bulletproof
name: bounds_k
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: bounds: read of 2 bytes, 0 bytes past the end of k, by thread 0 of block (0,0,0) (kernel.hip:24)
// options: --gates all

/* The loop over keys goes one too far. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float sum = 0.0f;
    for (gqa_i32 j = 0; j <= shape.kv_len; j++) {
        const gqa_i64 last = shape.batch * shape.kv_heads - 1;
        sum += gqa_load(k + last * shape.k_stride[1] + j * shape.k_stride[2]);
    }
    gqa_store(o + threadIdx.x, sum);
}
