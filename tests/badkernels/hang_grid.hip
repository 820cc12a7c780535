/*! bulletproof
name: hang_grid
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RUN_TIMEOUT|RESOURCE_LIMIT in run
// options: --run-seconds 1

/* As many blocks as three numbers can say. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, ~0u, 1, 1, 1024, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    (void)shape;
}
