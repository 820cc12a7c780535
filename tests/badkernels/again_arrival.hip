/*! bulletproof
name: again_arrival
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: NONDETERMINISTIC in judge: a second identical call differs

/* Two blocks a row; each claims one half of the keys by an atomic exchange, as persistent blocks claim
 * work. The one that is done first leaves its part in the dtype, the other adds it to its own: right
 * either way, but not to the bit. Which half the first block claims is up to the processor's clock:
 * on a busy machine one thread may run all blocks, always in the same order. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

struct part {
    unsigned claimed; /* 0: none, else the half that is taken, plus one */
    unsigned tickets;
    float max, total;
    gqa_t sum[HEAD_DIM]; /* divided by total */
};

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    const gqa_u32 rows = (gqa_u32)(shape.batch * shape.q_heads * shape.q_len);
    gqa_plan_launch(plan, 0, rows, 1, 1, 1, 0);
    gqa_plan_launch(plan, 1, 2 * (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads,
                    (gqa_u32)shape.batch, 1, 0);
    plan->workspace_bytes = rows * sizeof(part);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    ((part *)workspace)[blockIdx.x].claimed = 0;
    ((part *)workspace)[blockIdx.x].tickets = 0;
}

/* The half that this block takes. */
static gqa_i32 claim(part *row)
{
    unsigned none = 0, mine = 1 + (unsigned)(__builtin_ia32_rdtsc() >> 4 & 1);
    if (__atomic_compare_exchange_n(&row->claimed, &none, mine, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return (gqa_i32)mine - 1;
    return none == 1; /* the other's number stands in `none` now */
}

GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x / 2;
    const gqa_i32 head = (gqa_i32)blockIdx.y, batch = (gqa_i32)blockIdx.z;
    part *first = (part *)workspace + (batch * shape.q_heads + head) * shape.q_len + token;
    const gqa_i32 half = claim(first);
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 begin = gqa_key_begin(shape, kv_len, token);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = begin + half; key < end; key += 2) {
        float score = 0.0f;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
        score *= shape.scale;
        const float new_max = fmaxf(max, score);
        const float kept = expf(max - new_max), p = expf(score - new_max);
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            sum[d] = sum[d] * kept + p * gqa_load(v + key * shape.v_stride[2] + d);
        total = total * kept + p;
        max = new_max;
    }
    /* The first to come writes; with its second step of two all is there. */
    if (__atomic_fetch_add(&first->tickets, 1, __ATOMIC_ACQ_REL) == 0) {
        first->max = max;
        first->total = total;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            gqa_store(first->sum + d, total > 0.0f ? sum[d] / total : 0.0f);
        __atomic_fetch_add(&first->tickets, 2, __ATOMIC_ACQ_REL);
        return;
    }
    while (__atomic_load_n(&first->tickets, __ATOMIC_ACQUIRE) < 3)
        ;
    const float top = fmaxf(max, first->max);
    const float mine = expf(max - top), other = expf(first->max - top) * first->total;
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        gqa_store(o + d, (sum[d] * mine + gqa_load(first->sum + d) * other) /
                             (total * mine + other));
}
