/*! bulletproof
name: skipped_shapes
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: skipped: the kernel supports none of the gates' shapes: the plan does not support q_len
// options: --gates all

/* A plan that refuses the shapes of the gates. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.q_len != 17) {
        plan->unsupported = GQA_UNSUPPORTED_Q_LEN;
        return;
    }
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o + threadIdx.x, 0.0f);
}
