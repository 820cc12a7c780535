/*! bulletproof
name: barrier_divergent
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: divergent barrier: threads 0 and 1 of block (0,0,0) wait at different __syncthreads(): thread 0 (kernel.hip:24) and thread 1 (kernel.hip:22)
// options: --gates barrier

/* Half of the threads wait at one barrier, half at another. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    if (threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads();
    gqa_store(o + threadIdx.x, 0.0f);
}
