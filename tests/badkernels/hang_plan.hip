/*! bulletproof
name: hang_plan
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RUN_TIMEOUT in run
// options: --run-seconds 1

/* An endless loop in the plan. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape, gqa_launch_plan *)
{
    for (;;)
        asm volatile("");
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{

}
