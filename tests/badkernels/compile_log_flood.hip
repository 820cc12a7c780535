/*! bulletproof
name: compile_log_flood
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILE_LIMIT in compile
// options: --compile-seconds 5

/* Diagnostics without end. */
#include "gqa.h"

template <int N> __attribute__((noinline)) float level()
{
    static_assert(N < 0, "0123456789012345678901234567890123456789012345678901234567890123456789");
    return level<N + 1>();
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, level<0>());
}
