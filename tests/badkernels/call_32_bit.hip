/*! bulletproof
name: call_32_bit
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: POLICY in run: SIGSYS

/* Calls by the 32-bit gate, where the numbers mean other things. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(5L), "b"(0L) : "memory");
    gqa_store(o, (float)result);
}
