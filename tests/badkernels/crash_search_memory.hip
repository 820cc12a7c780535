/*! bulletproof
name: crash_search_memory
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in run: SIGSEGV

/* Walks through memory in search of what it is compared with. */
#include "gqa.h"

static unsigned found;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const volatile float *at = (const volatile float *)o;
    for (;;)
        found += *at++ == 1.25f;
}
