/*! bulletproof
name: call_vsyscall
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: POLICY|CRASH in run

/* Asks the page at a fixed address that answers old system calls; it is one call more for the filter,
 * or not there at all. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    unsigned cpu;
    ((long (*)(unsigned *, void *, void *))0xffffffffff600800)(&cpu, nullptr, nullptr);
}
