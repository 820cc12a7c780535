/*! bulletproof
name: skipped_compile
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: skipped: compiled for the gates: kernel.hip:
// options: --gates all

/* What cannot be compiled with instrumentation is not vetoed. */
#include "gqa.h"

#if defined(GQA_GATES)
#error "no"
#endif

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o + threadIdx.x, 0.0f);
}
