/*! bulletproof
name: print_flood
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT|NONFINITE|RUN_TIMEOUT|LAUNCH_ERROR

/* Prints more than anybody reads. ROCm 7 refuses the launch. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    for (int i = 0; i < 20; i++)
        printf("%d of many lines from thread %d\n", i, (int)threadIdx.x);
}
