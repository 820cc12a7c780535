/*! bulletproof
name: skipped_slow
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: skipped: the instrumented kernel: no answer within
// options: --gates all --gate-seconds 0.3

/* What takes the gates too long is not vetoed. */
#include "gqa.h"

#if defined(GQA_GATES)
#define GQA_KEYS 4000000
#else
#define GQA_KEYS 1
#endif

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    volatile float x = gqa_load(q);
    for (gqa_u32 i = 0; i < 4000; i++)
        for (gqa_u32 j = 0; j < GQA_KEYS; j++)
            x = x + 1.0f;
    gqa_store(o, x);
}
