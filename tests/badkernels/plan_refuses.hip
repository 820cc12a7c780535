/*! bulletproof
name: plan_refuses
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: UNSUPPORTED in run: kv_len

/* The declaration promises the shape, the plan refuses it. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    plan->unsupported = GQA_UNSUPPORTED_KV_LEN;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{

}
