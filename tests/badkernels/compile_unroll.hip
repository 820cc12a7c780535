/*! bulletproof
name: compile_unroll
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_TIMEOUT|COMPILE_LIMIT in compile
// options: --compile-seconds 2

/* A hundred loops, each unrolled as far as the compiler lets it. */
#include "gqa.h"

#define TEN(x) x x x x x x x x x x
#define LOOP                                                                                       \
    _Pragma("unroll") for (int i = 0; i < 500; i++)                                                \
    {                                                                                              \
        x = x * y + gqa_load(q + i * shape.q_len);                                                 \
        y = fmaxf(x, y) - gqa_load(k + i * shape.kv_len);                                          \
    }

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float x = (float)shape.q_len, y = shape.scale;
    TEN(TEN(LOOP))
    gqa_store(o, x + y);
}
