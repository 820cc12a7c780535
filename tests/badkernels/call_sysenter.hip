/*! bulletproof
name: call_sysenter
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: POLICY|CRASH in run

/* The other instruction for 32-bit calls; it does not exist on processors of AMD in 64-bit code. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    asm volatile("mov %%rsp, %%rbp\n sysenter" : : "a"(1L), "b"(0L) : "memory");
}
