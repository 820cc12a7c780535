/*! bulletproof
name: compile_templates
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILE_TIMEOUT|COMPILE_LIMIT in compile
// options: --compile-seconds 2

/* A template that makes two of itself, forty levels deep. */
#include "gqa.h"

template <int DEPTH, unsigned PATH> struct tree {
    static constexpr long value = tree<DEPTH - 1, 2 * PATH>::value +
                                  tree<DEPTH - 1, 2 * PATH + 1>::value;
};
template <unsigned PATH> struct tree<0, PATH> {
    static constexpr long value = PATH;
};

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)tree<40, 0>::value);
}
