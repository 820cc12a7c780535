/*! bulletproof
name: matrix_flash
targets: [amd, nvidia]
dtypes: [f16, bf16]
supports: head_dim == 64 || head_dim == 128

knobs:
  BLOCK_M: [32, 64, 128, 256]  # query rows per block
  BLOCK_N: [16, 32, 64]        # keys per tile
  WAVES: [2, 4, 8]             # waves per block; each has BLOCK_M / WAVES rows
  Q_PLACE: [0, 1]              # Q stays 0 in LDS, 1 in registers
  P_PATH: [0, 1]               # P becomes an operand 0 through LDS, 1 in registers
constraints:
  # each wave has one or two tiles of 16 rows
  - BLOCK_M == 16 * WAVES || BLOCK_M == 32 * WAVES
  # LDS at head_dim 128: K, V transposed, Q, P; rows padded by 8 elements
  - "BLOCK_N * 136 + 128 * (BLOCK_N + 8)
    + (Q_PLACE ? 0 : BLOCK_M * 136) + (P_PATH ? 0 : BLOCK_M * (BLOCK_N + 8)) <= 32768"
default: {BLOCK_M: 64, BLOCK_N: 32, WAVES: 4, Q_PLACE: 1, P_PATH: 1}
*/

/* Online-softmax flash attention on matrix units: WMMA of gfx11 and gfx12, MFMA of gfx90a, gfx942 and
 * gfx950, mma.sync of sm_80 and later.
 *
 * A block computes BLOCK_M query rows of one head; a wave its own rows. Tiles of BLOCK_N keys
 * pass through LDS, V transposed, so that every operand is read along a row. Scores are fp32 in units
 * of log2.
 *
 * All products are of 16 x 16 tiles, rows . columns^T: S = Q.K^T and O = P.(V^T)^T. What an
 * architecture must say of itself is in one section: how a lane loads its part of an operand, where
 * its elements of a result are, and how an element of P finds the lane that needs it as an operand. On
 * AMD P_PATH 1 exchanges the operands (S^T = K.Q^T, O^T = V^T.P^T): then a lane holds many keys of
 * one row, a row's maximum is mostly inside a lane, and P is where the next product wants it. */
#include "gqa.h"

// EVOLVE-BLOCK-START
static constexpr gqa_i32 TILE = 16;
static constexpr gqa_i32 PAD = 8; /* keeps rows 16-byte aligned, and spreads them over the banks */
static constexpr gqa_i32 THREADS = WAVES * GQA_WAVE_SIZE;
static constexpr gqa_i32 ROW_TILES = BLOCK_M / WAVES / TILE; /* of a wave */
static constexpr gqa_i32 KEY_TILES = BLOCK_N / TILE;
static constexpr gqa_i32 CHUNK = 8; /* elements of a 16-byte load */
static constexpr float LOG2_E = 1.44269504088896341f;
static constexpr float LOWEST = -3.402823466e+38f;

struct alignas(16) chunk_t {
    gqa_u16 x[CHUNK];
};
static_assert(sizeof(chunk_t) == 16, "chunk_t is one 16-byte load");

__device__ static inline gqa_i32 wave_lane()
{
    return (gqa_i32)threadIdx.x % GQA_WAVE_SIZE;
}

__device__ static inline gqa_u32 pack(float low, float high)
{
    return gqa_from_float(low).bits | (gqa_u32)gqa_from_float(high).bits << 16;
}

/* ---- what an architecture says of itself ----
 *
 * fragment: a lane's part of an operand of 16 rows (or columns) and 16 elements of each.
 * accumulator: a lane's part of a result: element x[at(r, c)] is in tile row tile_row(r) and column
 * tile_column(c), for r < ROWS and c < COLUMNS. The lanes whose numbers differ only in the bits from
 * REDUCE_BEGIN up to REDUCE_END hold different columns of the same rows. */
#if defined(GQA_CUDA)
#if __CUDA_ARCH__ < 800
#error "matrix_flash: mma.sync on bf16 needs sm_80 or later"
#endif

struct fragment {
    gqa_u32 x[4]; /* [half of the elements][half of the rows], two elements each */
};
struct accumulator {
    float x[8];
};
static constexpr gqa_i32 ROWS = 2, COLUMNS = 4;
static constexpr gqa_i32 REDUCE_BEGIN = 1, REDUCE_END = 4;

__device__ static inline gqa_i32 tile_row(gqa_i32 r)
{
    return wave_lane() / 4 + 8 * r;
}
__device__ static inline gqa_i32 tile_column(gqa_i32 c)
{
    return wave_lane() % 4 * 2 + c % 2 + c / 2 * 8;
}
__device__ static inline constexpr gqa_i32 at(gqa_i32 r, gqa_i32 c)
{
    return c / 2 * 4 + r * 2 + c % 2;
}

__device__ static inline fragment load_fragment(const gqa_u16 *source, gqa_i32 stride)
{
    fragment f;
    const gqa_u16 *const p = source + wave_lane() / 4 * stride + wave_lane() % 4 * 2;
#pragma unroll
    for (gqa_i32 n = 0; n < 4; n++)
        f.x[n] = *(const gqa_u32 *)(p + n % 2 * 8 * stride + n / 2 * 8);
    return f;
}

/* Columns come as two operands of eight. */
__device__ static inline void multiply(accumulator &sum, const fragment &rows,
                                       const fragment &columns)
{
#if defined(GQA_F16)
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#else
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#endif
#pragma unroll
    for (gqa_i32 n = 0; n < 2; n++) {
        float *const d = sum.x + n * 4;
        asm(MMA " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(rows.x[0]), "r"(rows.x[1]), "r"(rows.x[2]), "r"(rows.x[3]), "r"(columns.x[n]),
              "r"(columns.x[n + 2]));
    }
}

#if P_PATH
__device__ static inline fragment to_operand(const accumulator &p)
{
    fragment f;
#pragma unroll
    for (gqa_i32 n = 0; n < 4; n++)
        f.x[n] = pack(p.x[at(n % 2, n / 2 * 2)], p.x[at(n % 2, n / 2 * 2 + 1)]);
    return f;
}
#endif

#else /* AMD */

/* Both operands have one layout: row lane % 16, LENGTH elements from FIRST on. A result has column
 * lane % 16 and HELD rows. */
#if defined(__GFX12__)
static constexpr gqa_i32 LENGTH = 8, HELD = 8;
#elif defined(__GFX11__)
static constexpr gqa_i32 LENGTH = 16, HELD = 8; /* both halves of a wave load the same */
#elif defined(__gfx90a__) || defined(__gfx942__) || defined(__gfx950__)
static constexpr gqa_i32 LENGTH = 4, HELD = 4;
#else
#error "matrix_flash: needs WMMA (gfx11, gfx12) or MFMA (gfx90a, gfx942, gfx950)"
#endif

struct alignas(LENGTH < CHUNK ? 8 : 16) fragment {
    gqa_u32 x[LENGTH / 2]; /* two elements each */
};
typedef float floats_t __attribute__((ext_vector_type(HELD)));
#if defined(GQA_F16)
typedef _Float16 operand_t __attribute__((ext_vector_type(LENGTH)));
#elif defined(__GFX12__)
typedef __bf16 operand_t __attribute__((ext_vector_type(LENGTH)));
#else
typedef short operand_t __attribute__((ext_vector_type(LENGTH)));
#endif
struct accumulator {
    floats_t x;
};

__device__ static inline gqa_i32 held(gqa_i32 i)
{
#if defined(__GFX11__)
    return 2 * i + wave_lane() / TILE;
#else
    return HELD * (wave_lane() / TILE) + i;
#endif
}

#if P_PATH
static constexpr gqa_i32 ROWS = 1, COLUMNS = HELD;
static constexpr gqa_i32 REDUCE_BEGIN = TILE, REDUCE_END = GQA_WAVE_SIZE;
#else
static constexpr gqa_i32 ROWS = HELD, COLUMNS = 1;
static constexpr gqa_i32 REDUCE_BEGIN = 1, REDUCE_END = TILE;
#endif

__device__ static inline gqa_i32 tile_row(gqa_i32 r)
{
    return P_PATH ? wave_lane() % TILE : held(r);
}
__device__ static inline gqa_i32 tile_column(gqa_i32 c)
{
    return P_PATH ? held(c) : wave_lane() % TILE;
}
__device__ static inline constexpr gqa_i32 at(gqa_i32 r, gqa_i32 c)
{
    return r + c; /* one of them is zero */
}

__device__ static inline fragment load_fragment(const gqa_u16 *source, gqa_i32 stride)
{
    const gqa_i32 first = LENGTH == TILE ? 0 : wave_lane() / TILE * LENGTH;
    return *(const fragment *)(source + wave_lane() % TILE * stride + first);
}

__device__ static inline floats_t matrix_product(operand_t a, operand_t b, floats_t c)
{
#if defined(__GFX12__) && defined(GQA_F16)
    return __builtin_amdgcn_wmma_f32_16x16x16_f16_w32_gfx12(a, b, c);
#elif defined(__GFX12__)
    return __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32_gfx12(a, b, c);
#elif defined(__GFX11__) && defined(GQA_F16)
    return __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(a, b, c);
#elif defined(__GFX11__)
    return __builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(a, b, c);
#elif defined(GQA_F16)
    return __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, c, 0, 0, 0);
#else
    return __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, c, 0, 0, 0);
#endif
}

__device__ static inline void multiply(accumulator &sum, const fragment &rows,
                                       const fragment &columns)
{
    const operand_t r = __builtin_bit_cast(operand_t, rows);
    const operand_t c = __builtin_bit_cast(operand_t, columns);
    sum.x = P_PATH ? matrix_product(c, r, sum.x) : matrix_product(r, c, sum.x);
}

#if P_PATH
__device__ static inline fragment to_operand(const accumulator &p)
{
    fragment f;
#if defined(__GFX11__)
    /* A lane has every other key of its row, lane ^ 16 the rest; each needs all. */
    const bool upper = wave_lane() >= TILE;
#pragma unroll
    for (gqa_i32 n = 0; n < LENGTH / 4; n++) {
        const gqa_u32 mine = pack(p.x[2 * n], p.x[2 * n + 1]);
        const gqa_u32 other = (gqa_u32)__shfl_xor((gqa_i32)mine, TILE);
        const gqa_u32 even = upper ? other : mine, odd = upper ? mine : other;
        f.x[2 * n] = (even & 0xffffu) | odd << 16;
        f.x[2 * n + 1] = even >> 16 | (odd & 0xffff0000u);
    }
#else
#pragma unroll
    for (gqa_i32 n = 0; n < LENGTH / 2; n++)
        f.x[n] = pack(p.x[2 * n], p.x[2 * n + 1]);
#endif
    return f;
}
#endif
#endif

/* ---- the kernel ---- */

/* What every thread of a block knows about its work. */
struct block_work {
    gqa_i32 row_begin;          /* first query token */
    gqa_i32 row_end;            /* one past the last */
    gqa_i32 kv_len;             /* of this sequence */
    gqa_i32 key_begin, key_end; /* keys that any row of the block sees */
    const gqa_t *q, *k, *v;     /* of this batch and head */
    gqa_t *o;
    bool chunks; /* every row of q, k and v starts at a multiple of CHUNK */
};

template <gqa_i32 D> struct tile_memory {
    static constexpr gqa_i32 K_STRIDE = D + PAD, V_STRIDE = BLOCK_N + PAD;
    static constexpr gqa_i32 K_SIZE = BLOCK_N * K_STRIDE, V_SIZE = D * V_STRIDE;
    static constexpr gqa_i32 Q_SIZE = Q_PLACE ? 0 : BLOCK_M * K_STRIDE;
    static constexpr gqa_i32 P_SIZE = P_PATH ? 0 : BLOCK_M * V_STRIDE;
    static constexpr gqa_u32 BYTES = 2u * (K_SIZE + V_SIZE + Q_SIZE + P_SIZE);
    gqa_u16 *k; /* [BLOCK_N][K_STRIDE] */
    gqa_u16 *v; /* [D][V_STRIDE], transposed */
    gqa_u16 *q; /* [BLOCK_M][K_STRIDE], with Q_PLACE 0 */
    gqa_u16 *p; /* [BLOCK_M][V_STRIDE], with P_PATH 0 */
};

/* Of a wave's rows; `row` is the first of them in the block. */
template <gqa_i32 D> struct wave_state {
    gqa_i32 row;
    fragment q[ROW_TILES][D / TILE]; /* with Q_PLACE 1 */
    float max[ROW_TILES][ROWS];
    float sum[ROW_TILES][ROWS]; /* of this lane's keys only, until the end */
    accumulator o[ROW_TILES][D / TILE];
};

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
    gqa_i64 bits = 0;
    for (gqa_i32 n = 0; n < 3; n++)
        bits |= shape.q_stride[n] | shape.k_stride[n] | shape.v_stride[n];
    w.chunks = bits % CHUNK == 0;
    return w;
}

/* Elements d.. of a token's row, zero when the token is not below `end`. */
__device__ static inline chunk_t load_chunk(const gqa_t *source, gqa_i64 stride, gqa_i32 token,
                                            gqa_i32 end, gqa_i32 d, bool whole)
{
    chunk_t value = {};
    if (token < end) {
        const gqa_t *const p = source + token * stride + d;
        if (whole) {
            value = *(const chunk_t *)p;
        } else {
#pragma unroll
            for (gqa_i32 e = 0; e < CHUNK; e++)
                value.x[e] = p[e].bits;
        }
    }
    return value;
}

/* tile[r][0..D) = source[first + r][0..D) for r < count, zero from token `end` on. */
template <gqa_i32 D>
__device__ static inline void load_rows(gqa_u16 *tile, gqa_i32 count, const gqa_t *source,
                                        gqa_i64 stride, gqa_i32 first, gqa_i32 end, bool whole)
{
    for (gqa_i32 n = (gqa_i32)threadIdx.x; n < count * (D / CHUNK); n += THREADS) {
        const gqa_i32 r = n / (D / CHUNK), d = n % (D / CHUNK) * CHUNK;
        *(chunk_t *)(tile + r * (D + PAD) + d) =
            load_chunk(source, stride, first + r, end, d, whole);
    }
}

/* tile[d][r] = source[first + r][d]: two tokens at a time, so that words are written, and tokens
 * fastest over the lanes, so that these go to different banks. */
template <gqa_i32 D>
__device__ static inline void load_columns(gqa_u16 *tile, const gqa_t *source, gqa_i64 stride,
                                           gqa_i32 first, gqa_i32 end, bool whole)
{
    for (gqa_i32 n = (gqa_i32)threadIdx.x; n < BLOCK_N / 2 * (D / CHUNK); n += THREADS) {
        const gqa_i32 r = n % (BLOCK_N / 2) * 2, d = n / (BLOCK_N / 2) * CHUNK;
        const chunk_t a = load_chunk(source, stride, first + r, end, d, whole);
        const chunk_t b = load_chunk(source, stride, first + r + 1, end, d, whole);
#pragma unroll
        for (gqa_i32 e = 0; e < CHUNK; e++)
            *(gqa_u32 *)(tile + (d + e) * (BLOCK_N + PAD) + r) = a.x[e] | (gqa_u32)b.x[e] << 16;
    }
}

/* Fills tile.q, or state.q by way of tile.k, BLOCK_N rows at a time. Rows from row_end on are zero. */
template <gqa_i32 D>
__device__ static inline void load_queries(const gqa_shape &shape, const block_work &w,
                                           const tile_memory<D> &tile, wave_state<D> &state)
{
#if Q_PLACE
    for (gqa_i32 first = 0; first < BLOCK_M; first += BLOCK_N) {
        __syncthreads();
        load_rows<D>(tile.k, BLOCK_N, w.q, shape.q_stride[2], w.row_begin + first, w.row_end,
                     w.chunks);
        __syncthreads();
#pragma unroll
        for (gqa_i32 m = 0; m < ROW_TILES; m++) {
            const gqa_i32 row = state.row + m * TILE - first;
            if (row < 0 || row >= BLOCK_N)
                continue;
#pragma unroll
            for (gqa_i32 d = 0; d < D / TILE; d++)
                state.q[m][d] =
                    load_fragment(tile.k + row * tile.K_STRIDE + d * TILE, tile.K_STRIDE);
        }
    }
#else
    (void)state;
    load_rows<D>(tile.q, BLOCK_M, w.q, shape.q_stride[2], w.row_begin, w.row_end, w.chunks);
#endif
}

template <gqa_i32 D>
__device__ static inline fragment query(const tile_memory<D> &tile, const wave_state<D> &state,
                                        gqa_i32 m, gqa_i32 d)
{
#if Q_PLACE
    (void)tile;
    return state.q[m][d];
#else
    return load_fragment(tile.q + (state.row + m * TILE) * tile.K_STRIDE + d * TILE, tile.K_STRIDE);
#endif
}

template <gqa_i32 D>
__device__ static inline void scores(const tile_memory<D> &tile, const wave_state<D> &state,
                                     accumulator s[ROW_TILES][KEY_TILES])
{
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
            s[m][n] = accumulator{};
#pragma unroll
    for (gqa_i32 d = 0; d < D / TILE; d++) {
        fragment q[ROW_TILES];
#pragma unroll
        for (gqa_i32 m = 0; m < ROW_TILES; m++)
            q[m] = query<D>(tile, state, m, d);
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++) {
            const fragment k =
                load_fragment(tile.k + n * TILE * tile.K_STRIDE + d * TILE, tile.K_STRIDE);
#pragma unroll
            for (gqa_i32 m = 0; m < ROW_TILES; m++)
                multiply(s[m][n], q[m], k);
        }
    }
}

/* One step of the online softmax of row tile m: s becomes unnormalised probabilities, and what was
 * summed under an older maximum is rescaled. */
template <gqa_i32 D>
__device__ static inline void softmax_step(const gqa_shape &shape, const block_work &w, gqa_i32 key,
                                           gqa_i32 m, accumulator s[KEY_TILES],
                                           wave_state<D> &state)
{
#pragma unroll
    for (gqa_i32 r = 0; r < ROWS; r++) {
        const gqa_i32 token = w.row_begin + state.row + m * TILE + tile_row(r);
        const gqa_i32 begin = gqa_key_begin(shape, w.kv_len, token);
        const gqa_i32 end = gqa_key_end(shape, w.kv_len, token);
        float max = state.max[m][r];
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (gqa_i32 c = 0; c < COLUMNS; c++) {
                const gqa_i32 j = key + n * TILE + tile_column(c);
                const float x = s[n].x[at(r, c)] * (shape.scale * LOG2_E);
                s[n].x[at(r, c)] = x;
                max = j >= begin && j < end ? fmaxf(max, x) : max;
            }
#pragma unroll
        for (gqa_i32 mask = REDUCE_BEGIN; mask < REDUCE_END; mask *= 2)
            max = fmaxf(max, __shfl_xor(max, mask));
        const float rescale = exp2f(state.max[m][r] - max);
        float sum = 0.0f;
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (gqa_i32 c = 0; c < COLUMNS; c++) {
                const gqa_i32 j = key + n * TILE + tile_column(c);
                const float p = j >= begin && j < end ? exp2f(s[n].x[at(r, c)] - max) : 0.0f;
                s[n].x[at(r, c)] = p;
                sum += p;
            }
        state.max[m][r] = max;
        state.sum[m][r] = state.sum[m][r] * rescale + sum;
#pragma unroll
        for (gqa_i32 d = 0; d < D / TILE; d++)
#pragma unroll
            for (gqa_i32 c = 0; c < COLUMNS; c++)
                state.o[m][d].x[at(r, c)] *= rescale;
    }
}

/* p[m][n] = the probabilities of row tile m and key tile n as an operand. */
template <gqa_i32 D>
__device__ static inline void probabilities(const tile_memory<D> &tile, const wave_state<D> &state,
                                            const accumulator s[ROW_TILES][KEY_TILES],
                                            fragment p[ROW_TILES][KEY_TILES])
{
#if P_PATH
    (void)tile;
    (void)state;
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
            p[m][n] = to_operand(s[m][n]);
#else
    gqa_u16 *const mine = tile.p + state.row * tile.V_STRIDE;
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (gqa_i32 r = 0; r < ROWS; r++)
#pragma unroll
                for (gqa_i32 c = 0; c < COLUMNS; c++)
                    mine[(m * TILE + tile_row(r)) * tile.V_STRIDE + n * TILE + tile_column(c)] =
                        gqa_from_float(s[m][n].x[at(r, c)]).bits;
    __syncthreads();
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++)
            p[m][n] = load_fragment(mine + m * TILE * tile.V_STRIDE + n * TILE, tile.V_STRIDE);
#endif
}

/* state.o += P V over the tile. */
template <gqa_i32 D>
__device__ static inline void
accumulate(const tile_memory<D> &tile, const fragment p[ROW_TILES][KEY_TILES], wave_state<D> &state)
{
#pragma unroll
    for (gqa_i32 d = 0; d < D / TILE; d++)
#pragma unroll
        for (gqa_i32 n = 0; n < KEY_TILES; n++) {
            const fragment v =
                load_fragment(tile.v + d * TILE * tile.V_STRIDE + n * TILE, tile.V_STRIDE);
#pragma unroll
            for (gqa_i32 m = 0; m < ROW_TILES; m++)
                multiply(state.o[m][d], p[m][n], v);
        }
}

template <gqa_i32 D>
__device__ static inline void write_rows(const gqa_shape &shape, const block_work &w,
                                         const wave_state<D> &state)
{
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 r = 0; r < ROWS; r++) {
            float sum = state.sum[m][r];
#pragma unroll
            for (gqa_i32 mask = REDUCE_BEGIN; mask < REDUCE_END; mask *= 2)
                sum += __shfl_xor(sum, mask);
            const gqa_i32 token = w.row_begin + state.row + m * TILE + tile_row(r);
            if (token >= w.row_end)
                continue;
            const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f; /* a row without keys is zero */
            gqa_t *const o = w.o + token * shape.o_stride[2];
#pragma unroll
            for (gqa_i32 d = 0; d < D / TILE; d++)
#pragma unroll
                for (gqa_i32 c = 0; c < COLUMNS; c++)
                    gqa_store(o + d * TILE + tile_column(c), state.o[m][d].x[at(r, c)] * inverse);
        }
}

template <gqa_i32 D>
__device__ static inline void attend(const gqa_shape &shape, const block_work &w)
{
    tile_memory<D> tile;
    tile.k = (gqa_u16 *)gqa_lds;
    tile.v = tile.k + tile.K_SIZE;
    tile.q = tile.v + tile.V_SIZE;
    tile.p = tile.q + tile.Q_SIZE;

    wave_state<D> state = {};
    state.row = (gqa_i32)threadIdx.x / GQA_WAVE_SIZE * (ROW_TILES * TILE);
#pragma unroll
    for (gqa_i32 m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (gqa_i32 r = 0; r < ROWS; r++)
            state.max[m][r] = LOWEST;

    load_queries<D>(shape, w, tile, state);
    for (gqa_i32 key = w.key_begin; key < w.key_end; key += BLOCK_N) {
        accumulator s[ROW_TILES][KEY_TILES];
        fragment p[ROW_TILES][KEY_TILES];
        __syncthreads(); /* the last tile is no longer read */
        load_rows<D>(tile.k, BLOCK_N, w.k, shape.k_stride[2], key, w.key_end, w.chunks);
        load_columns<D>(tile.v, w.v, shape.v_stride[2], key, w.key_end, w.chunks);
        __syncthreads();
        scores<D>(tile, state, s);
#pragma unroll
        for (gqa_i32 m = 0; m < ROW_TILES; m++)
            softmax_step<D>(shape, w, key, m, s[m], state);
        probabilities<D>(tile, state, s, p);
        accumulate<D>(tile, p, state);
    }
    write_rows<D>(shape, w, state);
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.head_dim != 64 && shape.head_dim != 128) {
        plan->unsupported = GQA_UNSUPPORTED_HEAD_DIM;
        return;
    }
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_heads,
                    (gqa_u32)((shape.q_len + BLOCK_M - 1) / BLOCK_M), (gqa_u32)shape.batch, THREADS,
                    shape.head_dim == 64 ? tile_memory<64>::BYTES : tile_memory<128>::BYTES);
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
