/*! bulletproof
name: guard_output
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: TAMPER in judge

/* Writes an element behind the output. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    o[(gqa_i64)shape.batch * shape.o_stride[0] + threadIdx.x] = q[0];
}
