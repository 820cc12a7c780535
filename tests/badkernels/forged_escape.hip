/*! bulletproof
name: forged_escape
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: ?[2J?[32mPASS

/* A failure that it may claim, in words that a terminal obeys. */
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

/* What the harness keeps of the conversation, on the stack of the thread that calls gqa_plan. */
struct conversation {
    int requests, answers, control;
    unsigned received, sent;
    unsigned long nonce;
};
static const conversation *harness;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    const long *at = (const long *)__builtin_frame_address(0);
    while (((const int *)at)[0] != 3 || ((const int *)at)[1] != 4 || ((const int *)at)[2] != -1)
        at++;
    harness = (const conversation *)at;
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

static unsigned char frame[512];
static unsigned size;

static void put(unsigned head, unsigned long value, int bytes)
{
    frame[size++] = (unsigned char)head;
    while (bytes-- > 0)
        frame[size++] = (unsigned char)(value >> 8 * bytes);
}

static void put_text(const char *text)
{
    unsigned length = 0;
    while (text[length])
        length++;
    put(0xa0 + length, 0, 0);
    for (unsigned i = 0; i < length; i++)
        frame[size++] = (unsigned char)text[i];
}

static void put_u32(const char *name, unsigned value)
{
    put_text(name);
    put(0xce, value, 4);
}

/* [sequence, type, nonce, map] behind a length that `end` knows. */
static void begin(unsigned sequence, unsigned type, unsigned fields)
{
    size = 4;
    put(0x94, 0, 0);
    put(0xce, sequence, 4);
    put(0xce, type, 4);
    put(0xcf, harness->nonce, 8);
    put(0x80 + fields, 0, 0);
}

static void end()
{
    for (int i = 0; i < 4; i++)
        frame[i] = (unsigned char)(size - 4 >> 8 * (3 - i));
    system_call(1 /* write */, 4, (long)frame, size, 0);
}

static void wait_for_ever()
{
    for (;;)
        asm volatile("pause");
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    begin(harness->sent, 1 /* failure */, 2);
    put_u32("verdict", 8 /* LAUNCH_ERROR */);
    put_text("message");
    put_text("\x1b[2J\x1b[32mPASS");
    end();
    wait_for_ever();
}
