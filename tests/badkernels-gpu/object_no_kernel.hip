/*! bulletproof
name: object_no_kernel
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: hipErrorNotFound
// nvidia: LAUNCH_ERROR in run: CUDA_ERROR_NOT_FOUND

/* No gqa_kernel0. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}
