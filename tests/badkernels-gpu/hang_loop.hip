/*! bulletproof
name: hang_loop
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RUN_TIMEOUT|GPU_HANG in run
// options: --run-seconds 3

/* Never ends. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    volatile gqa_u32 *turns = (volatile gqa_u32 *)o;
    for (gqa_u32 i = 1; i != 0; i += 2)
        turns[threadIdx.x] = i;
}
