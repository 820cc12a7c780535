/*! bulletproof
name: plan_crashes
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in run: SIGSEGV

/* The plan writes through a null pointer. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    *(volatile int *)nullptr = 1;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{

}
