/*! bulletproof
name: tiled
targets: [cpu, amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 64 || head_dim == 128

knobs:
  BLOCK_M: [16, 32, 64]        # query rows per block
  BLOCK_N: [8, 16, 32, 64]     # keys per tile
  THREADS: [32, 64, 128, 256]  # threads per block
  LANES: [8, 16]               # threads that share a query row
  VECTOR: [1, 2, 4, 8]         # elements per load from global memory
constraints:
  - BLOCK_N % LANES == 0
  - BLOCK_M * LANES % THREADS == 0
  # registers: accumulators and scores of one thread
  - BLOCK_M * (128 + BLOCK_N) <= 96 * THREADS
  # LDS at head_dim 128: Q, one tile of K or V, P; rows padded by 4 floats
  - 4 * ((BLOCK_M + BLOCK_N) * (128 + 4) + BLOCK_M * (BLOCK_N + 4)) <= 65536
default: {BLOCK_M: 32, BLOCK_N: 32, THREADS: 128, LANES: 16, VECTOR: 8}
*/

/* Online-softmax flash attention without matrix units.
 *
 * A block computes BLOCK_M query rows of one head. Tiles of BLOCK_N keys pass through LDS, K first,
 * then V in the same place. LANES neighbouring threads share ROWS query rows: each computes COLUMNS
 * of their scores and head_dim / LANES elements of their output, and wave shuffles over the LANES
 * give the rows' maxima and sums. P changes owner through LDS.
 *
 * All tiles are floats in LDS, so that an element is converted once and not once for each use. A
 * row is padded by 4 floats: then the 16-byte reads of 8 neighbouring rows meet 32 different banks.
 * Scores are in units of log2: q is multiplied by scale * log2(e), and the softmax uses exp2. */
#include "gqa.h"

// EVOLVE-BLOCK-START
static constexpr gqa_i32 PAD = 4;
static constexpr gqa_i32 ROWS = BLOCK_M * LANES / THREADS;
static constexpr gqa_i32 COLUMNS = BLOCK_N / LANES;
static constexpr gqa_i32 TEAMS = THREADS / LANES; /* row r of a block belongs to team r % TEAMS */
static constexpr float LOG2_E = 1.44269504088896341f;
static constexpr float LOWEST = -3.402823466e+38f;

struct alignas(16) float4_t {
    float x[4];
};
static_assert(sizeof(float4_t) == 16, "float4_t is one 16-byte load");

struct alignas(sizeof(gqa_t) * VECTOR) vector_t {
    gqa_t x[VECTOR];
};
static_assert(sizeof(vector_t) == sizeof(gqa_t) * VECTOR, "vector_t has no padding");

__device__ static inline float4_t read4(const float *p)
{
    return *(const float4_t *)p;
}

/* What every thread of a block knows about its work. */
struct block_work {
    gqa_i32 row_begin;          /* first query token */
    gqa_i32 row_end;            /* one past the last */
    gqa_i32 kv_len;             /* of this sequence */
    gqa_i32 key_begin, key_end; /* keys that any row of the block sees */
    const gqa_t *q, *k, *v;     /* of this batch and head */
    gqa_t *o;
    bool vectors; /* every row of q, k and v starts at a multiple of VECTOR */
};

template <gqa_i32 D> struct tile_memory {
    float *q;  /* [BLOCK_M][D + PAD] */
    float *kv; /* [BLOCK_N][D + PAD] */
    float *p;  /* [BLOCK_M][BLOCK_N + PAD] */
};

/* The part of a thread: ROWS rows, a slice of head_dim. Element e of slice chunk c of lane l is
 * d = (c * LANES + l) * 4 + e. */
template <gqa_i32 D> struct row_state {
    static constexpr gqa_i32 CHUNKS = D / LANES / 4;
    float max[ROWS];
    float sum[ROWS];
    float o[ROWS][CHUNKS][4];
};

__device__ static inline bool strides_allow_vectors(const gqa_shape &shape)
{
    gqa_i64 bits = 0;
    for (gqa_i32 n = 0; n < 3; n++)
        bits |= shape.q_stride[n] | shape.k_stride[n] | shape.v_stride[n];
    return bits % VECTOR == 0;
}

__device__ static inline block_work find_work(const gqa_shape &shape, const gqa_t *q,
                                              const gqa_t *k, const gqa_t *v, gqa_t *o)
{
    const gqa_i32 head = (gqa_i32)blockIdx.x; /* fastest: the heads of a group share K and V */
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 kv_head = head / (shape.q_heads / shape.kv_heads);
    block_work w;
    /* The last rows first: under a causal mask they see the most keys. */
    w.row_begin = (gqa_i32)(gridDim.y - 1 - blockIdx.y) * BLOCK_M;
    w.row_end = w.row_begin + BLOCK_M < shape.q_len ? w.row_begin + BLOCK_M : shape.q_len;
    w.kv_len = gqa_kv_len(shape, batch);
    w.key_begin = gqa_key_begin(shape, w.kv_len, w.row_begin);
    w.key_end = gqa_key_end(shape, w.kv_len, w.row_end - 1);
    w.q = q + batch * shape.q_stride[0] + head * shape.q_stride[1];
    w.k = k + batch * shape.k_stride[0] + kv_head * shape.k_stride[1];
    w.v = v + batch * shape.v_stride[0] + kv_head * shape.v_stride[1];
    w.o = o + batch * shape.o_stride[0] + head * shape.o_stride[1];
    w.vectors = strides_allow_vectors(shape);
    return w;
}

/* tile[r][0..D) = factor * source[first + r][0..D) for r < rows, zero from token `end` on. */
template <gqa_i32 D>
__device__ static inline void load_tile(float *tile, gqa_i32 rows, const gqa_t *source,
                                        gqa_i64 stride, gqa_i32 first, gqa_i32 end, float factor,
                                        bool vectors)
{
    for (gqa_i32 n = (gqa_i32)threadIdx.x; n < rows * (D / VECTOR); n += THREADS) {
        const gqa_i32 r = n / (D / VECTOR);
        const gqa_i32 d = n % (D / VECTOR) * VECTOR;
        vector_t value = {};
        if (first + r < end) {
            const gqa_t *p = source + (first + r) * stride + d;
            if (vectors) {
                value = *(const vector_t *)p;
            } else {
#pragma unroll
                for (gqa_i32 e = 0; e < VECTOR; e++)
                    value.x[e] = p[e];
            }
        }
#pragma unroll
        for (gqa_i32 e = 0; e < VECTOR; e++)
            tile[r * (D + PAD) + d + e] = factor * gqa_to_float(value.x[e]);
    }
}

/* s[r][c] = scores of this thread's rows with keys c * LANES + lane of the tile. */
template <gqa_i32 D>
__device__ static inline void scores(const tile_memory<D> &tile, gqa_i32 team, gqa_i32 lane,
                                     float s[ROWS][COLUMNS])
{
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++)
#pragma unroll
        for (gqa_i32 c = 0; c < COLUMNS; c++)
            s[r][c] = 0.0f;
#pragma unroll 4
    for (gqa_i32 d = 0; d < D; d += 4) {
        float4_t k[COLUMNS];
#pragma unroll
        for (gqa_i32 c = 0; c < COLUMNS; c++)
            k[c] = read4(tile.kv + (c * LANES + lane) * (D + PAD) + d);
#pragma unroll
        for (gqa_i32 r = 0; r < ROWS; r++) {
            const float4_t q = read4(tile.q + (r * TEAMS + team) * (D + PAD) + d);
#pragma unroll
            for (gqa_i32 c = 0; c < COLUMNS; c++)
#pragma unroll
                for (gqa_i32 e = 0; e < 4; e++)
                    s[r][c] += q.x[e] * k[c].x[e];
        }
    }
}

/* One step of the online softmax: turns s into unnormalised probabilities, writes them to tile.p
 * and rescales what was summed under an older maximum. */
template <gqa_i32 D>
__device__ static inline void
softmax_step(const gqa_shape &shape, const block_work &w, const tile_memory<D> &tile, gqa_i32 key,
             gqa_i32 team, gqa_i32 lane, float s[ROWS][COLUMNS], row_state<D> &state)
{
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        const gqa_i32 row = r * TEAMS + team;
        const gqa_i32 begin = gqa_key_begin(shape, w.kv_len, w.row_begin + row);
        const gqa_i32 end = gqa_key_end(shape, w.kv_len, w.row_begin + row);
        bool visible[COLUMNS];
        float max = state.max[r];
#pragma unroll
        for (gqa_i32 c = 0; c < COLUMNS; c++) {
            const gqa_i32 j = key + c * LANES + lane;
            visible[c] = j >= begin && j < end;
            max = visible[c] ? fmaxf(max, s[r][c]) : max;
        }
#pragma unroll
        for (gqa_i32 mask = LANES / 2; mask > 0; mask /= 2)
            max = fmaxf(max, __shfl_xor(max, mask));
        const float rescale = exp2f(state.max[r] - max);
        state.max[r] = max;
        float sum = 0.0f;
#pragma unroll
        for (gqa_i32 c = 0; c < COLUMNS; c++) {
            const float p = visible[c] ? exp2f(s[r][c] - max) : 0.0f;
            tile.p[row * (BLOCK_N + PAD) + c * LANES + lane] = p;
            sum += p;
        }
        state.sum[r] = state.sum[r] * rescale + sum; /* of this lane's keys only, until the end */
#pragma unroll
        for (gqa_i32 c = 0; c < row_state<D>::CHUNKS; c++)
#pragma unroll
            for (gqa_i32 e = 0; e < 4; e++)
                state.o[r][c][e] *= rescale;
    }
}

/* state.o += P V over the tile. */
template <gqa_i32 D>
__device__ static inline void accumulate(const tile_memory<D> &tile, gqa_i32 team, gqa_i32 lane,
                                         row_state<D> &state)
{
#pragma unroll 2
    for (gqa_i32 n = 0; n < BLOCK_N; n += 4) {
        float4_t p[ROWS];
#pragma unroll
        for (gqa_i32 r = 0; r < ROWS; r++)
            p[r] = read4(tile.p + (r * TEAMS + team) * (BLOCK_N + PAD) + n);
#pragma unroll
        for (gqa_i32 key = 0; key < 4; key++)
#pragma unroll
            for (gqa_i32 c = 0; c < row_state<D>::CHUNKS; c++) {
                const float4_t v = read4(tile.kv + (n + key) * (D + PAD) + (c * LANES + lane) * 4);
#pragma unroll
                for (gqa_i32 r = 0; r < ROWS; r++)
#pragma unroll
                    for (gqa_i32 e = 0; e < 4; e++)
                        state.o[r][c][e] += p[r].x[key] * v.x[e];
            }
    }
}

template <gqa_i32 D>
__device__ static inline void write_rows(const gqa_shape &shape, const block_work &w, gqa_i32 team,
                                         gqa_i32 lane, const row_state<D> &state)
{
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        float sum = state.sum[r];
#pragma unroll
        for (gqa_i32 mask = LANES / 2; mask > 0; mask /= 2)
            sum += __shfl_xor(sum, mask);
        const gqa_i32 token = w.row_begin + r * TEAMS + team;
        if (token >= w.row_end)
            continue;
        const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f; /* a row without keys is zero */
        gqa_t *o = w.o + token * shape.o_stride[2];
#pragma unroll
        for (gqa_i32 c = 0; c < row_state<D>::CHUNKS; c++)
#pragma unroll
            for (gqa_i32 e = 0; e < 4; e++)
                gqa_store(o + (c * LANES + lane) * 4 + e, state.o[r][c][e] * inverse);
    }
}

template <gqa_i32 D>
__device__ static inline void attend(const gqa_shape &shape, const block_work &w)
{
    static_assert(D % (LANES * 4) == 0, "a lane's share of head_dim is whole float4s");
    const gqa_i32 team = (gqa_i32)threadIdx.x / LANES;
    const gqa_i32 lane = (gqa_i32)threadIdx.x % LANES;
    tile_memory<D> tile;
    tile.q = (float *)gqa_lds;
    tile.kv = tile.q + BLOCK_M * (D + PAD);
    tile.p = tile.kv + BLOCK_N * (D + PAD);

    row_state<D> state = {};
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++)
        state.max[r] = LOWEST;

    load_tile<D>(tile.q, BLOCK_M, w.q, shape.q_stride[2], w.row_begin, w.row_end,
                 shape.scale * LOG2_E, w.vectors);
    for (gqa_i32 key = w.key_begin; key < w.key_end; key += BLOCK_N) {
        float s[ROWS][COLUMNS];
        __syncthreads(); /* the last tile's V is no longer read */
        load_tile<D>(tile.kv, BLOCK_N, w.k, shape.k_stride[2], key, w.key_end, 1.0f, w.vectors);
        __syncthreads();
        scores<D>(tile, team, lane, s);
        softmax_step<D>(shape, w, tile, key, team, lane, s, state);
        __syncthreads(); /* K is no longer read, P is written */
        load_tile<D>(tile.kv, BLOCK_N, w.v, shape.v_stride[2], key, w.key_end, 1.0f, w.vectors);
        __syncthreads();
        accumulate<D>(tile, team, lane, state);
    }
    write_rows<D>(shape, w, team, lane, state);
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.head_dim != 64 && shape.head_dim != 128) {
        plan->unsupported = GQA_UNSUPPORTED_HEAD_DIM;
        return;
    }
    const gqa_u32 floats =
        (gqa_u32)((BLOCK_M + BLOCK_N) * (shape.head_dim + PAD) + BLOCK_M * (BLOCK_N + PAD));
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_heads,
                    (gqa_u32)((shape.q_len + BLOCK_M - 1) / BLOCK_M), (gqa_u32)shape.batch, THREADS,
                    floats * (gqa_u32)sizeof(float));
}

GQA_KERNEL GQA_LAUNCH_BOUNDS(THREADS) void gqa_kernel0(gqa_shape shape, const gqa_t *q,
                                                       const gqa_t *k, const gqa_t *v, gqa_t *o,
                                                       void *workspace)
{
    (void)workspace;
    const block_work work = find_work(shape, q, k, v, o);
    if (shape.head_dim == 64)
        attend<64>(shape, work);
    else
        attend<128>(shape, work);
}
// EVOLVE-BLOCK-END
