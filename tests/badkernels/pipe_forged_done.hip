/*! bulletproof
name: pipe_forged_done
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: PROTOCOL|NONFINITE|WRONG_RESULT|TAMPER

/* Says that the cases are done, in a well-formed frame, and does not do them. */
#include "gqa.h"

static long system_call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 asm("r10") = d;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                 : "rcx", "r11", "memory");
    return result;
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    static const unsigned char frame[] = {
        0x00, 0x00, 0x00, 0x20, 0x94, 0xce, 0x00, 0x00, 0x00, 0x02, 0xce, 0x00, 0x00, 0x00,
        0x0d, 0xcf, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x81, 0xa5, 0x63, 0x6f,
        0x75, 0x6e, 0x74, 0xce, 0x00, 0x00, 0x00, 0x05};
    system_call(1 /* write */, 4, (long)frame, sizeof frame, 0);
}
