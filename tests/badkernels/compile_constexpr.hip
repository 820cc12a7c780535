/*! bulletproof
name: compile_constexpr
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* A computation without end for the compiler. */
#include "gqa.h"

constexpr unsigned long spin()
{
    unsigned long sum = 0;
    for (unsigned long i = 0; i < ~0UL; i++)
        sum += i;
    return sum;
}
static constexpr unsigned long result = spin();

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)result);
}
