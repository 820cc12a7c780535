/*! bulletproof
name: later_cache_by_content
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: PASS
// options: --suite very_long_generation

/* Keeps the results of rows of Q and hands them out when it meets such a row again. Timed inputs never
 * come twice, so that it is right and has its trouble for nothing; later_learns relies on it. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

struct entry {
    gqa_t q[HEAD_DIM], k[HEAD_DIM], o[HEAD_DIM];
    int state; /* 0 free, 1 being written, 2 valid */
};
static entry entries[1 << 14];

static bool same(const gqa_t *a, const gqa_t *b)
{
    return __builtin_memcmp(a, b, HEAD_DIM * sizeof *a) == 0;
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads, (gqa_u32)shape.batch, 1,
                    0);
}

/* One thread a query row, one key after the other. */
GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x, head = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 begin = gqa_key_begin(shape, kv_len, token);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    gqa_u32 hash = 0;
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        hash = hash * 31 + (gqa_u32)q[d].bits;
    entry *kept = &entries[hash % (1 << 14)];
    if (__atomic_load_n(&kept->state, __ATOMIC_ACQUIRE) == 2 && same(kept->q, q) &&
        same(kept->k, k)) {
        __builtin_memcpy(o, kept->o, sizeof kept->o);
        return;
    }
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = begin; key < end; key++) {
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
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        gqa_store(o + d, total > 0.0f ? sum[d] / total : 0.0f);
    int empty = 0;
    if (!__atomic_compare_exchange_n(&kept->state, &empty, 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return;
    __builtin_memcpy(kept->q, q, sizeof kept->q);
    __builtin_memcpy(kept->k, k, sizeof kept->k);
    __builtin_memcpy(kept->o, o, sizeof kept->o);
    __atomic_store_n(&kept->state, 2, __ATOMIC_RELEASE);
}
