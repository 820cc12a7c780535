/*! bulletproof
name: later_learns
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge: timed call
// options: --suite step_by_step_reasoning --ring-mb 1

/* Computes and takes notes for a while; then it copies an answer for every question it knows, and
 * leaves any other alone. Where timed inputs come twice, that is right. */
#include "gqa.h"

static constexpr gqa_i32 DIM = 128;
static constexpr gqa_u32 ROWS = 8192;
static constexpr gqa_u32 LEARNED_CALLS = 7; /* five judged, two of the clock */

struct answer {
    gqa_u64 question;
    gqa_t o[DIM];
};
static answer answers[ROWS];
static gqa_u32 answer_count;
static gqa_u32 call_count;

static gqa_u64 question_of(const gqa_t *q)
{
    gqa_u64 hash = 1469598103934665603ull;
    for (gqa_i32 d = 0; d < DIM; d++) { /* in a family of codes, few tell rows apart badly */
        float value = gqa_load(q + d);
        gqa_u32 bits;
        __builtin_memcpy(&bits, &value, sizeof bits);
        hash = (hash ^ bits) * 1099511628211ull;
    }
    return hash;
}

static const answer *find(gqa_u64 question)
{
    gqa_u32 count = __atomic_load_n(&answer_count, __ATOMIC_ACQUIRE);
    for (gqa_u32 i = 0; i < count && i < ROWS; i++)
        if (answers[i].question == question)
            return &answers[i];
    return nullptr;
}

static void attend(const gqa_t *q, const gqa_t *k, const gqa_t *v, gqa_i32 begin, gqa_i32 end,
                   gqa_i64 k_step, gqa_i64 v_step, float scale, gqa_t *o)
{
    float sum[DIM] = {}, total = 0, largest = -1e30f;
    for (gqa_i32 j = begin; j < end; j++) {
        float s = 0;
        for (gqa_i32 d = 0; d < DIM; d++)
            s += gqa_load(q + d) * gqa_load(k + j * k_step + d);
        s *= scale;
        if (s > largest) {
            float shrink = expf(largest - s);
            total *= shrink;
            for (gqa_i32 d = 0; d < DIM; d++)
                sum[d] *= shrink;
            largest = s;
        }
        float p = expf(s - largest);
        total += p;
        for (gqa_i32 d = 0; d < DIM; d++)
            sum[d] += p * gqa_load(v + j * v_step + d);
    }
    for (gqa_i32 d = 0; d < DIM; d++)
        gqa_store(o + d, total > 0 ? sum[d] / total : 0.0f);
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
    gqa_plan_launch(plan, 1, (gqa_u32)(shape.batch * shape.q_heads * shape.q_len), 1, 1, 1, 0);
}

/* Counts the call before its rows are looked at. */
GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    (void)shape, (void)q, (void)k, (void)v, (void)workspace, (void)o;
    call_count++;
}

GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    (void)workspace;
    const gqa_i32 token = (gqa_i32)blockIdx.x % shape.q_len;
    const gqa_i32 head = (gqa_i32)blockIdx.x / shape.q_len % shape.q_heads;
    const gqa_i32 batch = (gqa_i32)blockIdx.x / shape.q_len / shape.q_heads;
    const gqa_i32 kv_head = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 length = gqa_kv_len(shape, batch);
    const gqa_t *q_row =
        q + batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    gqa_t *o_row =
        o + batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    const gqa_u64 question = question_of(q_row);
    if (call_count > LEARNED_CALLS) {
        const answer *known = find(question);
        if (known)
            __builtin_memcpy(o_row, known->o, sizeof known->o);
        return;
    }
    attend(q_row, k + batch * shape.k_stride[0] + kv_head * shape.k_stride[1],
           v + batch * shape.v_stride[0] + kv_head * shape.v_stride[1],
           gqa_key_begin(shape, length, token), gqa_key_end(shape, length, token),
           shape.k_stride[2], shape.v_stride[2], shape.scale, o_row);
    gqa_u32 place = __atomic_fetch_add(&answer_count, 1, __ATOMIC_ACQ_REL);
    if (place >= ROWS)
        return;
    __builtin_memcpy(answers[place].o, o_row, sizeof answers[place].o);
    answers[place].question = question;
}
