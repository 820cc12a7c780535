/*! bulletproof
name: compile_include_device
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILE_TIMEOUT|COMPILE_LIMIT in compile
// options: --compile-seconds 3

/* Includes a file that never ends. */
#include "/dev/zero"
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{

}
