/*! bulletproof
name: candidates
targets: [cpu]
dtypes: [f16]
supports: head_dim == 128
knobs:
  KIND: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
         26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
         50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63]
  A: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
  B: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
default: {KIND: 0, A: 0, B: 0}
*/

/* What a candidate can do wrong, selected by KIND: 1 to 13 fail, each in its way (faults.yaml says
 * with which verdict); the others are right, 0 slowly, 61 and above very slowly. They differ in the
 * workspace they ask for, so that no two objects are the same. A fifth of all KINDs fail. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

#define EXTRA_WORK (KIND == 0 ? 40 : KIND >= 61 ? 160 : 0)
#define ENDLESS_LOOP 1
#define SEGFAULT 2
#define WRONG_RESULT 3
#define NOT_A_NUMBER 4
#define COMPILE_ERROR 5
#define COMPILE_BOMB 6
#define FORBIDDEN_CALL 7
#define FORK_BOMB 8
#define EXITS 9
#define FORGED_FRAME 10
#define MEMORY 11
#define PAST_OUTPUT 12
#define DIVERGENT_BARRIER 13

#if KIND == COMPILE_ERROR
#error "this one does not compile"
#endif

#if KIND == COMPILE_BOMB
template <int DEPTH, unsigned PATH> struct tree {
    static constexpr long value = tree<DEPTH - 1, 2 * PATH>::value +
                                  tree<DEPTH - 1, 2 * PATH + 1>::value;
};
template <unsigned PATH> struct tree<0, PATH> {
    static constexpr long value = PATH;
};
static constexpr long bomb = tree<40, 0>::value;
#endif

#if KIND == FORBIDDEN_CALL || KIND == FORK_BOMB || KIND == EXITS || KIND == FORGED_FRAME
static long system_call(long number, long a, long b, long c)
{
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c)
                 : "rcx", "r11", "memory");
    return result;
}
#endif

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    const gqa_u32 threads = KIND == DIVERGENT_BARRIER ? 64 : 1;
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads, (gqa_u32)shape.batch,
                    threads, 0);
    plan->workspace_bytes = 64 * (1 + KIND + 64 * A + 1024 * B);
    if (KIND == MEMORY)
        plan->workspace_bytes = 1ULL << 40;
}

/* What is to happen before anything is computed. */
static inline void misbehave()
{
#if KIND == ENDLESS_LOOP
    for (;;)
        asm volatile("");
#elif KIND == SEGFAULT
    *(volatile int *)nullptr = 1;
#elif KIND == FORBIDDEN_CALL
    system_call(41 /* socket */, 2, 1, 0);
#elif KIND == FORK_BOMB
    for (;;)
        system_call(57 /* fork */, 0, 0, 0);
#elif KIND == EXITS
    system_call(231 /* exit_group */, 0, 0, 0);
#elif KIND == FORGED_FRAME
    /* "the cases are done", well formed, with a nonce that is a guess */
    static const unsigned char frame[] = {
        0x00, 0x00, 0x00, 0x20, 0x94, 0xce, 0x00, 0x00, 0x00, 0x02, 0xce, 0x00, 0x00, 0x00,
        0x0b, 0xcf, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x81, 0xa5, 0x63, 0x6f,
        0x75, 0x6e, 0x74, 0xce, 0x00, 0x00, 0x00, 0x05};
    system_call(1 /* write */, 4, (long)frame, sizeof frame);
#elif KIND == DIVERGENT_BARRIER
    if (threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads();
#endif
}

/* The result of a row without keys is zero. */
static inline float result_of(float sum, float total)
{
    const float mean = total > 0.0f ? sum / total : 0.0f;
    if (KIND == WRONG_RESULT)
        return 0.5f * mean;
    return KIND == NOT_A_NUMBER ? __builtin_nanf("") * mean : mean;
}

/* One thread a query row, one key after the other. */
GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x, head = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    (void)workspace;
    misbehave();
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = gqa_key_begin(shape, kv_len, token); key < end; key++) {
        float score = 0.0f;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++) {
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
#if EXTRA_WORK > 0
            for (volatile int i = 0; i < EXTRA_WORK; i++)
                asm volatile("" : "+x"(score));
#endif
        }
        score *= shape.scale;
        const float new_max = fmaxf(max, score);
        const float kept = expf(max - new_max), p = expf(score - new_max);
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            sum[d] = sum[d] * kept + p * gqa_load(v + key * shape.v_stride[2] + d);
        total = total * kept + p;
        max = new_max;
    }
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        gqa_store(o + d, result_of(sum[d], total));
    if (KIND == PAST_OUTPUT && head == shape.q_heads - 1 && token == shape.q_len - 1)
        gqa_store(o + HEAD_DIM, 1.0f);
}
