/*! bulletproof
name: print_flood
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: calls of the host
// nvidia: WRONG_RESULT|NONFINITE in judge

/* Prints more than anybody reads. On AMD that is a call of the host; NVIDIA keeps what fits a buffer. */
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
