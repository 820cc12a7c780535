/*! bulletproof
name: clean_atomics
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: 5 shapes
// options: --gates all

/* Nothing to object to: a histogram in LDS, sums in workspace, and the block that takes the last ticket
 * reads what the others left. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
    gqa_plan_launch(plan, 1, 3, 1, 1, 64, 0);
    plan->workspace_bytes = 1024;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    ((gqa_i32 *)workspace)[0] = 0;
}

GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ gqa_i32 counts[8];
    __shared__ gqa_i32 ticket;
    gqa_i32 *words = (gqa_i32 *)workspace;
    const gqa_u32 t = threadIdx.x;
    if (t < 8)
        counts[t] = 0;
    __syncthreads();
    atomicAdd(&counts[t % 8], 1);
    atomicMax(&counts[(t + 1) % 8], 2);
    atomicMin(&counts[(t + 2) % 8], 99);
    __syncthreads();
    words[2 + blockIdx.x * 64 + t] = counts[t % 8];
    __threadfence();
    __syncthreads();
    if (t == 0)
        ticket = atomicAdd(&words[0], 1);
    __syncthreads();
    if (ticket != (gqa_i32)gridDim.x - 1)
        return;
    gqa_i32 sum = 0;
    for (gqa_u32 b = 0; b < gridDim.x; b++)
        sum += words[2 + b * 64 + t];
    atomicExch(&words[1], sum);
    gqa_store(o + t, (float)sum);
}
