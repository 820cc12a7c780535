/*! bulletproof
name: fault_null
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: GPU_FAULT in run: memory fault
// nvidia: GPU_FAULT in run: CUDA_ERROR_ILLEGAL_ADDRESS

/* Writes to address 0. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    *(volatile gqa_u32 *)(gqa_u64)shape.reserved = 1;
}
