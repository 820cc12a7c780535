/*! bulletproof
name: decode_split
targets: [cpu, amd, nvidia]
dtypes: [f16, bf16, f32]
supports: (head_dim == 64 || head_dim == 128) && q_len <= 16

knobs:
  KV_SPLITS: [1, 2, 4, 8, 16, 32, 64]  # blocks that share the keys of a sequence, at most
  BLOCK_N: [1, 2, 4, 8]                # keys a team has in flight
  THREADS: [32, 64, 128, 256, 512]     # threads per block
  LANES: [8, 16, 32]                   # threads of a team; a team takes one key's row at a time
  ROWS: [1, 2, 4, 8]                   # query rows of a group that share one read of K and V
constraints:
  - THREADS % LANES == 0
  # registers: Q and O of the rows, K and V of the keys
  - 2 * (ROWS + BLOCK_N) * (128 / LANES) <= 192
  # LDS at head_dim 128: every team's maxima, sums and outputs
  - THREADS / LANES * ROWS * (128 + 2) * 4 <= 65536
default: {KV_SPLITS: 8, BLOCK_N: 4, THREADS: 128, LANES: 16, ROWS: 4}
*/

/* Split-KV attention for few query tokens (decode): bound by the one read of K and V.
 *
 * The query heads of one kv head are packed: packed row r is query token r / group of the group's
 * head r % group. A block takes ROWS packed rows and one split of the keys, so K and V are read
 * once for all ROWS. Its teams of LANES threads walk the split, BLOCK_N keys at a time, each team
 * with an online softmax of its own in registers: no barrier in the loop. At the end the teams'
 * results are joined through LDS and written to the workspace; gqa_kernel1 joins the splits.
 *
 * Workspace, in floats, for row = (batch * q_heads + head) * q_len + token:
 *   output [row][split][head_dim]  unnormalised, relative to the split's maximum
 *   stats  [row][split][2]         maximum (in units of log2) and sum */
#include "gqa.h"

// EVOLVE-BLOCK-START
static constexpr gqa_i32 TEAMS = THREADS / LANES;
static constexpr gqa_i32 MAX_Q_LEN = 16;
static constexpr float LOG2_E = 1.44269504088896341f;
static constexpr float LOWEST = -3.402823466e+38f;

template <gqa_i32 N> struct alignas(sizeof(gqa_t) * N) vector_t {
    gqa_t x[N];
};
static_assert(sizeof(vector_t<8>) == sizeof(gqa_t) * 8, "vector_t has no padding");

/* A team's share of a head_dim vector for one lane: COUNT neighbouring elements. */
template <gqa_i32 D> struct slice {
    static constexpr gqa_i32 COUNT = D / LANES;
    static constexpr gqa_i32 VECTOR = COUNT < 8 ? COUNT : 8;
    gqa_t x[COUNT];
};

/* A team's online softmax; max and sum are the same in all its lanes. */
template <gqa_i32 D> struct team_state {
    float max[ROWS];
    float sum[ROWS];
    float o[ROWS][slice<D>::COUNT];
};

struct packed_row {
    gqa_i32 head, token;
    gqa_i32 key_begin, key_end; /* visible keys; none for a row past the last */
};

struct block_work {
    gqa_i32 batch, kv_head, group; /* group: query heads per kv head */
    gqa_i32 row_begin;             /* first packed row */
    gqa_i32 row_count;             /* packed rows of the kv head */
    gqa_i32 kv_len;
    gqa_i32 key_begin, key_end; /* this split's keys */
};

__device__ static inline packed_row find_row(const gqa_shape &shape, const block_work &w, gqa_i32 r)
{
    packed_row row = {0, 0, 0, 0};
    if (w.row_begin + r < w.row_count) {
        row.head = w.kv_head * w.group + (w.row_begin + r) % w.group;
        row.token = (w.row_begin + r) / w.group;
        row.key_begin = gqa_key_begin(shape, w.kv_len, row.token);
        row.key_end = gqa_key_end(shape, w.kv_len, row.token);
    }
    return row;
}

__device__ static inline gqa_i64 row_index(const gqa_shape &shape, gqa_i32 batch, gqa_i32 head,
                                           gqa_i32 token)
{
    return ((gqa_i64)batch * shape.q_heads + head) * shape.q_len + token;
}

/* KV_SPLITS, or fewer where a split would be less than one step of a block. */
__device__ static inline gqa_i32 split_count(const gqa_shape &shape)
{
    const gqa_i32 steps = (shape.kv_len + TEAMS * BLOCK_N - 1) / (TEAMS * BLOCK_N);
    return steps < 1 ? 1 : steps < KV_SPLITS ? steps : KV_SPLITS;
}

__device__ static inline float *split_stats(const gqa_shape &shape, void *workspace, gqa_i32 splits)
{
    return (float *)workspace + row_index(shape, shape.batch, 0, 0) * splits * shape.head_dim;
}

__device__ static inline block_work find_work(const gqa_shape &shape)
{
    block_work w;
    w.batch = (gqa_i32)blockIdx.z;
    w.group = shape.q_heads / shape.kv_heads;
    w.row_count = w.group * shape.q_len;
    const gqa_i32 row_blocks = (w.row_count + ROWS - 1) / ROWS;
    w.kv_head = (gqa_i32)blockIdx.y / row_blocks;
    w.row_begin = (gqa_i32)blockIdx.y % row_blocks * ROWS;
    w.kv_len = gqa_kv_len(shape, w.batch);

    const gqa_i32 last =
        w.row_begin + ROWS < w.row_count ? w.row_begin + ROWS - 1 : w.row_count - 1;
    const gqa_i32 begin = gqa_key_begin(shape, w.kv_len, w.row_begin / w.group);
    const gqa_i32 end = gqa_key_end(shape, w.kv_len, last / w.group);
    const gqa_i32 keys = end > begin ? end - begin : 0;
    const gqa_i32 share = (keys + (gqa_i32)gridDim.x - 1) / (gqa_i32)gridDim.x;
    w.key_begin = begin + (gqa_i32)blockIdx.x * share;
    w.key_end = w.key_begin + share < end ? w.key_begin + share : end;
    return w;
}

__device__ static inline bool strides_allow_vectors(const gqa_shape &shape, gqa_i32 width)
{
    gqa_i64 bits = 0;
    for (gqa_i32 n = 0; n < 3; n++)
        bits |= shape.k_stride[n] | shape.v_stride[n];
    return bits % width == 0;
}

/* rows[n] = this lane's slice of source[key + n] for n < BLOCK_N, zero from key `end` on. All loads
 * are issued before the first use. */
template <gqa_i32 D>
__device__ static inline void load_keys(const gqa_t *source, gqa_i64 stride, gqa_i32 key,
                                        gqa_i32 end, bool vectors, slice<D> rows[BLOCK_N])
{
    constexpr gqa_i32 VECTOR = slice<D>::VECTOR;
    if (vectors) {
#pragma unroll
        for (gqa_i32 n = 0; n < BLOCK_N; n++)
#pragma unroll
            for (gqa_i32 d = 0; d < slice<D>::COUNT; d += VECTOR) {
                vector_t<VECTOR> value = {};
                if (key + n < end)
                    value = *(const vector_t<VECTOR> *)(source + (key + n) * stride + d);
#pragma unroll
                for (gqa_i32 e = 0; e < VECTOR; e++)
                    rows[n].x[d + e] = value.x[e];
            }
    } else {
#pragma unroll
        for (gqa_i32 n = 0; n < BLOCK_N; n++)
#pragma unroll
            for (gqa_i32 d = 0; d < slice<D>::COUNT; d++)
                rows[n].x[d] = key + n < end ? source[(key + n) * stride + d] : gqa_t{};
    }
}

/* s[r][n] = scores of the rows with the keys, the same in all lanes of the team. */
template <gqa_i32 D>
__device__ static inline void scores(const float q[ROWS][slice<D>::COUNT],
                                     const slice<D> k[BLOCK_N], float s[ROWS][BLOCK_N])
{
#pragma unroll
    for (gqa_i32 n = 0; n < BLOCK_N; n++) {
        float key[slice<D>::COUNT];
#pragma unroll
        for (gqa_i32 d = 0; d < slice<D>::COUNT; d++)
            key[d] = gqa_to_float(k[n].x[d]);
#pragma unroll
        for (gqa_i32 r = 0; r < ROWS; r++) {
            float sum = 0.0f;
#pragma unroll
            for (gqa_i32 d = 0; d < slice<D>::COUNT; d++)
                sum += q[r][d] * key[d];
#pragma unroll
            for (gqa_i32 mask = LANES / 2; mask > 0; mask /= 2)
                sum += __shfl_xor(sum, mask);
            s[r][n] = sum;
        }
    }
}

/* One step of the online softmax over BLOCK_N keys from `key` on. */
template <gqa_i32 D>
__device__ static inline void accumulate(const packed_row rows[ROWS], gqa_i32 key, gqa_i32 key_end,
                                         const float s[ROWS][BLOCK_N], const slice<D> v[BLOCK_N],
                                         team_state<D> &state)
{
    float p[ROWS][BLOCK_N];
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        const gqa_i32 begin = rows[r].key_begin;
        const gqa_i32 end = rows[r].key_end < key_end ? rows[r].key_end : key_end;
        float max = state.max[r];
#pragma unroll
        for (gqa_i32 n = 0; n < BLOCK_N; n++)
            max = key + n >= begin && key + n < end ? fmaxf(max, s[r][n]) : max;
        const float rescale = exp2f(state.max[r] - max);
        state.max[r] = max;
        state.sum[r] *= rescale;
#pragma unroll
        for (gqa_i32 n = 0; n < BLOCK_N; n++) {
            p[r][n] = key + n >= begin && key + n < end ? exp2f(s[r][n] - max) : 0.0f;
            state.sum[r] += p[r][n];
        }
#pragma unroll
        for (gqa_i32 d = 0; d < slice<D>::COUNT; d++)
            state.o[r][d] *= rescale;
    }
#pragma unroll
    for (gqa_i32 n = 0; n < BLOCK_N; n++)
#pragma unroll
        for (gqa_i32 d = 0; d < slice<D>::COUNT; d++) {
            const float value = gqa_to_float(v[n].x[d]);
#pragma unroll
            for (gqa_i32 r = 0; r < ROWS; r++)
                state.o[r][d] += p[r][n] * value;
        }
}

/* Joins the teams' states in LDS, [team][row][D + 2], and writes the split's result. */
template <gqa_i32 D>
__device__ static inline void write_split(const gqa_shape &shape, const block_work &w,
                                          const packed_row rows[ROWS], const team_state<D> &state,
                                          void *workspace)
{
    float *const lds = (float *)gqa_lds;
    const gqa_i32 team = (gqa_i32)threadIdx.x / LANES;
    const gqa_i32 lane = (gqa_i32)threadIdx.x % LANES;
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        float *const mine = lds + (team * ROWS + r) * (D + 2);
#pragma unroll
        for (gqa_i32 d = 0; d < slice<D>::COUNT; d++)
            mine[lane * slice<D>::COUNT + d] = state.o[r][d];
        if (lane == 0) {
            mine[D] = state.max[r];
            mine[D + 1] = state.sum[r];
        }
    }
    __syncthreads();
    const gqa_i32 splits = (gqa_i32)gridDim.x;
    float *const stats = split_stats(shape, workspace, splits);
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        if (w.row_begin + r >= w.row_count)
            return;
        const gqa_i64 index =
            row_index(shape, w.batch, rows[r].head, rows[r].token) * splits + blockIdx.x;
        float max = LOWEST;
        for (gqa_i32 t = 0; t < TEAMS; t++)
            max = fmaxf(max, lds[(t * ROWS + r) * (D + 2) + D]);
        for (gqa_i32 d = (gqa_i32)threadIdx.x; d < D + 1; d += THREADS) {
            /* Column D is the sum: it joins as the outputs do. */
            const gqa_i32 column = d < D ? d : D + 1;
            float total = 0.0f;
            for (gqa_i32 t = 0; t < TEAMS; t++) {
                const float *const its = lds + (t * ROWS + r) * (D + 2);
                total += exp2f(its[D] - max) * its[column];
            }
            if (d < D)
                ((float *)workspace)[index * D + d] = total;
            else
                stats[index * 2 + 1] = total;
        }
        if (threadIdx.x == 0)
            stats[index * 2] = max;
    }
}

template <gqa_i32 D>
__device__ static inline void attend(const gqa_shape &shape, const gqa_t *q, const gqa_t *k,
                                     const gqa_t *v, void *workspace)
{
    static_assert(D % LANES == 0, "every lane has the same share of head_dim");
    constexpr gqa_i32 COUNT = slice<D>::COUNT;
    const gqa_i32 team = (gqa_i32)threadIdx.x / LANES;
    const gqa_i32 first = (gqa_i32)threadIdx.x % LANES * COUNT; /* element of this lane's slice */
    const block_work w = find_work(shape);
    const bool vectors = strides_allow_vectors(shape, slice<D>::VECTOR);

    packed_row rows[ROWS];
    float q_row[ROWS][COUNT];
    team_state<D> state = {};
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        rows[r] = find_row(shape, w, r);
        const gqa_t *const source = q + w.batch * shape.q_stride[0] +
                                    rows[r].head * shape.q_stride[1] +
                                    rows[r].token * shape.q_stride[2] + first;
        /* Rows past the last compute head 0 of the batch, to no effect: they see no key. */
#pragma unroll
        for (gqa_i32 d = 0; d < COUNT; d++)
            q_row[r][d] = shape.scale * LOG2_E * gqa_load(source + d);
        state.max[r] = LOWEST;
    }

    k += w.batch * shape.k_stride[0] + w.kv_head * shape.k_stride[1] + first;
    v += w.batch * shape.v_stride[0] + w.kv_head * shape.v_stride[1] + first;
    /* All teams make the same number of steps: wave shuffles need all lanes of a wave. */
    for (gqa_i32 step = w.key_begin; step < w.key_end; step += TEAMS * BLOCK_N) {
        const gqa_i32 key = step + team * BLOCK_N;
        slice<D> k_rows[BLOCK_N], v_rows[BLOCK_N];
        float s[ROWS][BLOCK_N];
        load_keys<D>(k, shape.k_stride[2], key, w.key_end, vectors, k_rows);
        load_keys<D>(v, shape.v_stride[2], key, w.key_end, vectors, v_rows);
        scores<D>(q_row, k_rows, s);
        accumulate<D>(rows, key, w.key_end, s, v_rows, state);
    }
    write_split<D>(shape, w, rows, state, workspace);
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.head_dim != 64 && shape.head_dim != 128) {
        plan->unsupported = GQA_UNSUPPORTED_HEAD_DIM;
        return;
    }
    if (shape.q_len > MAX_Q_LEN) {
        plan->unsupported = GQA_UNSUPPORTED_Q_LEN;
        return;
    }
    const gqa_i32 splits = split_count(shape);
    const gqa_i32 rows = shape.q_heads / shape.kv_heads * shape.q_len;
    const gqa_i32 row_blocks = (rows + ROWS - 1) / ROWS;
    const gqa_u32 lds = (gqa_u32)(TEAMS * ROWS * (shape.head_dim + 2)) * (gqa_u32)sizeof(float);
    gqa_plan_launch(plan, 0, (gqa_u32)splits, (gqa_u32)(shape.kv_heads * row_blocks),
                    (gqa_u32)shape.batch, THREADS, lds);
    gqa_plan_launch(plan, 1, (gqa_u32)shape.q_heads, (gqa_u32)shape.q_len, (gqa_u32)shape.batch,
                    (gqa_u32)shape.head_dim, 0);
    plan->workspace_bytes = (gqa_u64)row_index(shape, shape.batch, 0, 0) * (gqa_u64)splits *
                            (gqa_u64)(shape.head_dim + 2) * sizeof(float);
}

/* Grid: (split, kv head and its block of packed rows, batch). */
GQA_KERNEL GQA_LAUNCH_BOUNDS(THREADS) void gqa_kernel0(gqa_shape shape, const gqa_t *q,
                                                       const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                       void *workspace)
{
    (void)o;
    if (shape.head_dim == 64)
        attend<64>(shape, q, k, v, workspace);
    else
        attend<128>(shape, q, k, v, workspace);
}

/* One thread per element of o. Grid: (head, token, batch). */
GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    (void)q;
    (void)k;
    (void)v;
    const gqa_i32 head = (gqa_i32)blockIdx.x;
    const gqa_i32 token = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 d = (gqa_i32)threadIdx.x;
    const gqa_i32 splits = split_count(shape);
    const gqa_i64 index = row_index(shape, batch, head, token) * splits;
    const float *const outputs = (const float *)workspace + index * shape.head_dim;
    const float *const stats = split_stats(shape, workspace, splits) + index * 2;

    float max = LOWEST;
    for (gqa_i32 n = 0; n < splits; n++)
        max = fmaxf(max, stats[n * 2]);
    float sum = 0.0f, total = 0.0f;
    for (gqa_i32 n = 0; n < splits; n++) {
        const float weight = exp2f(stats[n * 2] - max);
        sum += weight * stats[n * 2 + 1];
        total += weight * outputs[n * shape.head_dim + d];
    }
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    gqa_store(o + d, sum > 0.0f ? total / sum : 0.0f); /* a row without keys is zero */
}
// EVOLVE-BLOCK-END
