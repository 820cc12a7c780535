/*! bulletproof
name: object_no_plan
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: gqa_plan

/* No gqa_plan. */
#include "gqa.h"

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 0.0f);
}
