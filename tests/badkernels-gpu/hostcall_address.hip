/*! bulletproof
name: hostcall_address
targets: [amd]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: calls of the host (hidden_hostcall_buffer)

/* Has the process that launched it call an address. */
#include "gqa.h"

typedef unsigned long two_words __attribute__((ext_vector_type(2)));
extern "C" __device__ two_words __ockl_hostcall_preview(gqa_u32 service, unsigned long,
                                                        unsigned long, unsigned long,
                                                        unsigned long, unsigned long,
                                                        unsigned long, unsigned long,
                                                        unsigned long);
static constexpr gqa_u32 CALL_FUNCTION = 1;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    two_words answer = __ockl_hostcall_preview(CALL_FUNCTION, 0x401000, 0, 0, 0, 0, 0, 0, 0);
    ((unsigned long *)workspace)[threadIdx.x] = answer.x;
}
