/*! bulletproof
name: tamper_remap_output
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: TAMPER|NONFINITE|WRONG_RESULT in judge

/* Maps memory of its own over the output: what it computes there nobody else sees. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const long page = (long)o & ~4095L, prot = 3, fixed_private_anonymous = 0x32;
    register long r8 asm("r8") = -1;
    register long r9 asm("r9") = 0;
    register long r10 asm("r10") = fixed_private_anonymous;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(9L /* mmap */), "D"(page), "S"(4096L), "d"(prot), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    for (gqa_i32 d = 0; d < shape.head_dim; d++)
        gqa_store(o + d, 1.0f);
}
