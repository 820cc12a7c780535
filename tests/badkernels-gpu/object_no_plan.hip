/*! bulletproof
name: object_no_plan
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: hipErrorNotFound
// nvidia: LAUNCH_ERROR in run: CUDA_ERROR_NOT_FOUND

/* No gqa_plan. */
#include "gqa.h"

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    o[0] = q[0];
}
