/*! bulletproof
name: fault_read
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: GPU_FAULT in run: memory fault
// nvidia: GPU_FAULT in run: CUDA_ERROR_ILLEGAL_ADDRESS

/* Reads far before the keys. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    o[threadIdx.x] = k[-((gqa_i64)1 << 34) + threadIdx.x];
}
