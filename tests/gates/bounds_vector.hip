/*! bulletproof
name: bounds_vector
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: bounds: read of 64 bytes, across the end of q, by thread 3 of block (0,0,0) (kernel.hip:24)
// options: --gates all

/* A vector load whose second half is behind the tensor. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    typedef float floats __attribute__((ext_vector_type(16), aligned(4)));
    const gqa_i64 bytes = shape.batch * shape.q_stride[0] * (gqa_i64)sizeof(gqa_t);
    if (threadIdx.x == 3) {
        *(floats *)o = *(const floats *)((const char *)q + bytes - 32);
    }
}
