/*! bulletproof
name: plan_no_launch
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: 0 launches

/* A plan that is left empty. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape, gqa_launch_plan *) {}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{

}
