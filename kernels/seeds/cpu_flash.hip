/*! bulletproof
name: cpu_flash
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 64 || head_dim == 128

# The knobs of prefill first, those of decode (D...) last. README.md says what each one buys.
knobs:
  BM: [32, 64, 96, 128, 192, 256, 384, 512]  # packed query rows per work item
  BN: [16, 32, 64, 96, 128, 192, 256]        # keys per tile
  PANEL: [16, 32, 48, 64, 96, 128]           # rows that pass scores, softmax, output together
  QK: [0, 1]               # vector lanes of the score product: 0 query rows, 1 keys
  QK_R: [1, 2, 4, 6, 8, 12, 14, 16]          # its register tile: broadcast rows ...
  QK_C: [1, 2, 3, 4]                         # ... by vectors
  PV: [0, 1]               # vector lanes of the output product: 0 query rows, 1 head dimension
  PV_R: [1, 2, 4, 8, 16]                     # its register tile, likewise
  PV_C: [1, 2, 3, 4]
  KTRANS: [0, 1]           # K tile transposed (QK 1) by: 0 scalar stores, 1 shuffles in registers
  VCONV: [0, 1]            # V to float: 0 in the product, for each use; 1 once per tile
  RESCALE: [0, 1, 2, 3]    # older output: 0 a pass per tile; 1 if a maximum moved; 2 in the
                           # product; 3 as 1, and a maximum moves only when exceeded by a margin
  EXP_DEG: [0, 3, 4, 5, 6] # degree of the exp2 polynomial (at least 5 for f32); 0 calls expf
  SKIP: [0, 1]             # 1: a panel skips the tiles that its own mask hides entirely
  DN: [16, 32, 64, 128, 256]                 # keys per tile
  DPACK: [0, 1, 2, 4, 8]   # rows that share each vector of K and V; 0: one query head per block
  DRED: [0, 1]             # dot products over lanes: 0 summed one by one, 1 a vector full at once
  DPF: [0, 8, 16, 32, 64]  # prefetch distance in keys, 0 none
  DSPLIT: [1, 2, 4, 8, 16] # blocks that share the keys of one sequence, joined by a second launch
constraints:
  - BM % PANEL == 0
  - "!(QK == 1 && PV == 0)"
  - PV == 1 || VCONV == 1
  - "(QK == 0 ? PANEL : BN) % (16 * QK_C) == 0"
  - "(PV == 0 ? PANEL : 64) % (16 * PV_C) == 0"
  - QK_R * QK_C <= 28
  - PV_R * PV_C <= 28
default: {BM: 64, BN: 32, PANEL: 16, QK: 1, QK_R: 4, QK_C: 1, PV: 1, PV_R: 4, PV_C: 1, KTRANS: 0,
          VCONV: 0, RESCALE: 0, EXP_DEG: 6, SKIP: 0, DN: 32, DPACK: 0, DRED: 0, DPF: 0, DSPLIT: 1}
*/

/* Flash attention for one CPU thread per block, written with clang's vector extensions.
 *
 * The query heads of one kv head are packed: packed row r is query token r / group of head
 * r % group. All rows of a work item therefore share K and V, and neighbours nearly the same mask.
 *
 *   prefill   A work item is BM packed rows. For every tile of BN keys, K and V become floats once;
 *             then each PANEL of rows passes through scores -> mask -> online softmax -> output,
 *             with its scores in the first-level cache all the while.
 *   decode    Few packed rows: a block reads K and V once, straight from memory, for all of them.
 *             With DSPLIT > 1 several blocks share the keys and gqa_kernel1 joins their results.
 *
 * Both products of prefill are one register-tiled multiply_add(), which broadcasts the elements of
 * one operand against vectors of the other. The knobs QK and PV say what lies along the lanes:
 *
 *   QK 0   S^T[key][row] = K[key][d] Q^T[d][row]        Q is transposed once per item
 *   QK 1   S[row][key]   = Q[row][d] K^T[d][key]        K is transposed once per tile
 *   PV 0   O^T[d][row]  += V[key][d] P^T[key][row]      P comes as QK 0 leaves it; no other order
 *   PV 1   O[row][d]    += P[row][key] V[key][d]        V may stay 16-bit
 *
 * Scores are in units of log2: q is multiplied by scale * log2(e), so the softmax uses exp2. All
 * arithmetic is fp32, for every dtype. */
#include "gqa.h"

#if !defined(GQA_CPU)
#error "cpu_flash: for the CPU device only"
#endif

// EVOLVE-BLOCK-START
#define INLINE inline __attribute__((always_inline))
#define UNROLLED _Pragma("unroll")

/* ---- constants ---- */
constexpr int MAX_HEAD_DIM = 128; /* stride of all tiles, so that their addresses are constants */
constexpr int DECODE_ROWS = 16;   /* up to so many packed rows a call counts as decode */
constexpr int KEY_STEP = 16;      /* a tile's keys are counted in multiples of this */
constexpr float LOG2_E = 1.44269504f;
constexpr float LAZY_MARGIN = 8.f; /* RESCALE 3: probabilities may grow to 2^8 before a rescale */

/* Maximum of a row that has seen no key. Finite, because the difference of two such maxima must
 * not be NaN; no real score comes near it. */
constexpr float NO_MAXIMUM = -1e30f;
constexpr float MASKED = -__builtin_inff();

/* The polynomials of low degree are as exact as a 16-bit result needs, and no more. */
#if defined(GQA_F32) && EXP_DEG > 0 && EXP_DEG < 5
constexpr int EXP_DEGREE = 5;
#else
constexpr int EXP_DEGREE = EXP_DEG;
#endif

/* A bounded number of blocks each keep their scratch warm over several work items: one scratch per
 * item would be hundreds of megabytes at long contexts. */
constexpr gqa_i64 MAX_PREFILL_BLOCKS = 128;
constexpr gqa_i64 MAX_PREFILL_WORKSPACE = 64 << 20;

static_assert(BM % PANEL == 0 && PANEL % 16 == 0 && BN % KEY_STEP == 0, "BM, PANEL, BN");
static_assert(QK == 0 || PV == 1, "QK 1 leaves scores by row, PV 0 needs them by key");
static_assert(PV == 1 || VCONV == 1, "PV 0 broadcasts the elements of V, as floats");
static_assert((QK == 0 ? PANEL : BN) % (16 * QK_C) == 0, "QK_C");
static_assert((PV == 0 ? PANEL : 64) % (16 * PV_C) == 0 && 16 % PV_R == 0, "PV_C, PV_R");

/* ---- vectors ---- */
#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float f32v __attribute__((ext_vector_type(LANES)));
typedef gqa_i32 i32v __attribute__((ext_vector_type(LANES)));
typedef gqa_u32 u32v __attribute__((ext_vector_type(LANES)));
typedef gqa_u16 u16v __attribute__((ext_vector_type(LANES)));
typedef __fp16 f16v __attribute__((ext_vector_type(LANES)));
static_assert(sizeof(f32v) == 4 * LANES, "ext_vector_type is honoured");

INLINE int min_int(int a, int b) { return a < b ? a : b; }
INLINE int max_int(int a, int b) { return a > b ? a : b; }
INLINE int round_up(int a, int step) { return (a + step - 1) / step * step; }
/* Not __builtin_elementwise_max: its care for NaN costs two more instructions. */
INLINE f32v max_v(f32v a, f32v b) { return a > b ? a : b; }

template <class V, class T> INLINE V load_as(const T *p)
{
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
template <class V, class T> INLINE void store_as(T *p, V v) { __builtin_memcpy(p, &v, sizeof v); }
INLINE void store(float *p, f32v v) { store_as(p, v); }

INLINE f32v load(const float *p) { return load_as<f32v>(p); }
INLINE f32v load(const gqa_t *p)
{
#if defined(GQA_F32)
    return load_as<f32v>(p);
#elif defined(GQA_BF16)
    return (f32v)(__builtin_convertvector(load_as<u16v>(p), u32v) << 16);
#elif defined(__F16C__)
    return __builtin_convertvector(load_as<f16v>(p), f32v);
#else /* clang would call a library function; moving the exponent by a product is exact */
    u32v h = __builtin_convertvector(load_as<u16v>(p), u32v), magnitude = h & 0x7fffu;
    u32v finite = (u32v)((f32v)(magnitude << 13) * 0x1p112f);
    return (f32v)((magnitude >= 0x7c00u ? finite | 0x7f800000u : finite) | (h & 0x8000u) << 16);
#endif
}

/* Rounds to nearest even. */
INLINE void store_rounded(gqa_t *p, f32v x)
{
#if defined(GQA_F32)
    store_as(p, x);
#elif defined(GQA_BF16)
    u32v bits = (u32v)x;
    bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    store_as(p, __builtin_convertvector(bits, u16v));
#elif defined(__F16C__)
    store_as(p, __builtin_convertvector(x, f16v));
#else
    u32v bits = (u32v)x, magnitude = bits & 0x7fffffffu;
    u32v normal = ((magnitude + 0xfffu + ((magnitude >> 13) & 1u)) >> 13) - (112u << 10);
    /* Beside 0.5 a float's last bit is 2^-24, the unit of the subnormals of f16. */
    u32v subnormal = (u32v)((f32v)magnitude + 0.5f) - 0x3f000000u;
    u32v h = magnitude < 0x38800000u ? subnormal : normal;
    h = magnitude >= 0x477ff000u ? (u32v)0x7c00u : h;
    h = magnitude > 0x7f800000u ? (u32v)0x7e00u : h;
    store_as(p, __builtin_convertvector(h | (bits >> 16 & 0x8000u), u16v));
#endif
}

/* Shuffles are written over the lane numbers 0 .. LANES - 1, for any LANES. */
template <class T, T... I> struct lane_numbers {};
using lanes = __make_integer_seq<lane_numbers, int, LANES>;

/* Exchanges the off-diagonal S x S corners of every 2S x 2S block of the rows a and b. */
template <int S, int... I> INLINE void exchange(f32v &a, f32v &b, lane_numbers<int, I...>)
{
    f32v upper = __builtin_shufflevector(a, b, ((I & S) ? LANES + I - S : I)...);
    b = __builtin_shufflevector(a, b, ((I & S) ? LANES + I : I + S)...);
    a = upper;
}
/* Transposes a LANES x LANES block held in registers. */
template <int S = LANES / 2> INLINE void transpose(f32v (&row)[LANES])
{
    UNROLLED for (int i = 0; i < LANES; i++)
        if (!(i & S))
            exchange<S>(row[i], row[i + S], lanes());
    if constexpr (S > 1)
        transpose<S / 2>(row);
}

template <int S, int... I> INLINE f32v swap_lanes(f32v a, lane_numbers<int, I...>)
{
    return __builtin_shufflevector(a, a, (I ^ S)...);
}
template <int S = LANES / 2> INLINE float max_of_lanes(f32v x)
{
    x = max_v(x, swap_lanes<S>(x, lanes()));
    if constexpr (S > 1)
        return max_of_lanes<S / 2>(x);
    return x[0];
}
template <int S = LANES / 2> INLINE float sum_of_lanes(f32v x)
{
    x += swap_lanes<S>(x, lanes());
    if constexpr (S > 1)
        return sum_of_lanes<S / 2>(x);
    return x[0];
}
/* One step of sum_of_lanes for two vectors at once: a's sums in the lanes without bit S. */
template <int S, int... I> INLINE f32v fold(f32v a, f32v b, lane_numbers<int, I...>)
{
    return __builtin_shufflevector(a, b, ((I & S) ? LANES + I : I)...) +
           __builtin_shufflevector(a, b, ((I & S) ? LANES + (I ^ S) : (I ^ S))...);
}
/* Lane i of the result is the sum of the lanes of x[i]; x is used up. */
template <int S = LANES / 2> INLINE f32v sums_of_lanes(f32v (&x)[LANES])
{
    UNROLLED for (int i = 0; i < S; i++)
        x[i] = fold<S>(x[i], x[i + S], lanes());
    if constexpr (S > 1)
        return sums_of_lanes<S / 2>(x);
    return x[0];
}

/* ---- exp2 ---- */
/* Coefficients of f^0 .. f^n: minimax for the relative error on [-1/2, 1/2] among the polynomials
 * with p(0) = 1. That condition matters: exp2(0) rescales a row whose maximum did not move, once
 * per tile. Relative errors: 1.0e-4, 2.8e-6, 9.1e-8, 2.0e-9. */
constexpr float EXP2_POLYNOMIAL[7][7] = {
    {}, {}, {},
    {1.f, 0.693282927f, 0.242210959f, 0.0550089312f},
    {1.f, 0.693124193f, 0.240240986f, 0.0559064246f, 0.0095828531f},
    {1.f, 0.693146978f, 0.240222421f, 0.0555073374f, 0.00967151264f, 0.00132647272f},
    {1.f, 0.693147203f, 0.240226479f, 0.0555033247f, 0.00961843736f, 0.00133988744f,
     0.00015353362f},
};

/* exp2(x) for x <= LAZY_MARGIN; zero below -100, and so for a masked score. No weight comes near
 * the denormals: as operands of the product they would make it many times slower. */
INLINE f32v exp2_v(f32v x)
{
    f32v result;
    if constexpr (EXP_DEGREE == 0) {
        UNROLLED for (int i = 0; i < LANES; i++)
            result[i] = expf(x[i] * 0.693147181f);
    } else {
        const f32v shift = 0x1.8p23f; /* leaves the nearest integer in the low bits of the sum */
        f32v shifted = x + shift;
        f32v f = x - (shifted - shift);
        f32v p = EXP2_POLYNOMIAL[EXP_DEGREE][EXP_DEGREE];
        UNROLLED for (int i = EXP_DEGREE - 1; i >= 0; i--)
            p = p * f + EXP2_POLYNOMIAL[EXP_DEGREE][i];
        result = (f32v)((i32v)p + ((i32v)shifted << 23));
    }
    return x < -100.f ? (f32v)0.f : result;
}
INLINE float exp2_1(float x) { return exp2_v((f32v)x)[0]; }

/* ---- packed rows ---- */
/* The packed rows of some query heads of one kv head of one sequence. */
struct packed_rows {
    const gqa_shape &shape;
    int batch, first_head, heads; /* heads: the group's, or 1 */
    int kv_len;
    const gqa_t *k, *v; /* first key of this sequence and kv head */

    int count() const { return shape.q_len * heads; }
    int token(int row) const { return row / heads; }
    gqa_i64 offset(const gqa_i64 (&stride)[3], int row) const
    {
        return batch * stride[0] + (first_head + row % heads) * stride[1] + token(row) * stride[2];
    }
    int key_begin(int row) const { return gqa_key_begin(shape, kv_len, token(row)); }
    int key_end(int row) const { return gqa_key_end(shape, kv_len, token(row)); }
    /* Rows of K and V; a key behind the last one reads the last one, and is masked later. */
    const gqa_t *key(int n) const
    {
        return k + min_int(n, kv_len - 1) * shape.k_stride[2];
    }
    const gqa_t *value(int n) const
    {
        return v + min_int(n, kv_len - 1) * shape.v_stride[2];
    }
};

/* A row that saw no key has no weights, and is zero. */
INLINE float output_factor(float sum) { return sum > 0.f ? 1.f / sum : 0.f; }

/* ---- the product ---- */
/* acc[r][c] += sum over k of a[r * a_row + k * a_step] * (vector c of b + k * b_step).
 * Inlined everywhere, so that constant strides stay constants. */
template <int R, int C, class A, class B>
INLINE void multiply_add(f32v (&acc)[R][C], const A *a, int a_row, int a_step, const B *b,
                         gqa_i64 b_step, int count)
{
    for (int k = 0; k < count; k++) {
        f32v vector[C];
        UNROLLED for (int c = 0; c < C; c++)
            vector[c] = load(b + k * b_step + c * LANES);
        UNROLLED for (int r = 0; r < R; r++) {
            f32v scalar = a[r * a_row + k * a_step];
            UNROLLED for (int c = 0; c < C; c++)
                acc[r][c] += scalar * vector[c];
        }
    }
}

/* ---- prefill ---- */
/* What one block works in. "by row" and "by lane" name the two layouts that QK and PV choose. */
template <bool CONVERTED> struct value_of { typedef float type; };
template <> struct value_of<false> { typedef gqa_t type; };
typedef value_of<VCONV == 1>::type value_t;

struct alignas(64) prefill_scratch {
    float k[BN * MAX_HEAD_DIM];   /* QK 0: [key][d]; QK 1: [d][key] */
    value_t v[BN * MAX_HEAD_DIM]; /* [key][d]; with VCONV 0 only for a tile that is not full */
    float p[BN * PANEL];          /* scores, then weights. QK 0: [key][row]; QK 1: [row][key] */
    float q[BM * MAX_HEAD_DIM];   /* QK 0: [panel][d][row]; QK 1: [row][d] */
    float o[BM * MAX_HEAD_DIM];   /* PV 0: [panel][d][row]; PV 1: [row][d] */
    float maximum[BM], sum[BM];
    float alpha[PANEL];           /* what a row's older sums are multiplied by */
    gqa_i32 key_begin[BM], key_end[BM];
};

/* A tile of keys: [begin, begin + keys), keys a multiple of KEY_STEP; behind the end of the
 * sequence stand copies of its last key. */
struct key_tile {
    int begin, keys;
    const value_t *v;
    gqa_i64 v_stride;
};

INLINE void load_q_by_lane(prefill_scratch &s, const packed_rows &rows, const gqa_t *q, int first,
                           int live, float scale)
{
    for (int row = 0; row < live; row += LANES) {
        const gqa_t *from[LANES];
        for (int i = 0; i < LANES; i++)
            from[i] = q + rows.offset(rows.shape.q_stride,
                                      min_int(first + row + i, rows.count() - 1));
        float *panel = s.q + row / PANEL * PANEL * MAX_HEAD_DIM + row % PANEL;
        for (int d = 0; d < rows.shape.head_dim; d += LANES) {
            f32v x[LANES];
            UNROLLED for (int i = 0; i < LANES; i++)
                x[i] = load(from[i] + d) * scale;
            transpose(x);
            UNROLLED for (int i = 0; i < LANES; i++)
                store(panel + (d + i) * PANEL, x[i]);
        }
    }
}

INLINE void load_q_by_row(prefill_scratch &s, const packed_rows &rows, const gqa_t *q, int first,
                          int live, float scale)
{
    for (int row = 0; row < live; row++) {
        int source = min_int(first + row, rows.count() - 1);
        const gqa_t *from = q + rows.offset(rows.shape.q_stride, source);
        for (int d = 0; d < rows.shape.head_dim; d += LANES)
            store(s.q + row * MAX_HEAD_DIM + d, load(from + d) * scale);
    }
}

/* live: a multiple of PANEL. Rows behind the last one repeat it; their results are dropped. */
INLINE void begin_rows(prefill_scratch &s, const packed_rows &rows, const gqa_t *q, int first,
                       int live)
{
    const float scale = rows.shape.scale * LOG2_E;
    if constexpr (QK == 0)
        load_q_by_lane(s, rows, q, first, live, scale);
    else
        load_q_by_row(s, rows, q, first, live, scale);
    for (int row = 0; row < live; row++) {
        int source = min_int(first + row, rows.count() - 1);
        s.key_begin[row] = rows.key_begin(source);
        s.key_end[row] = rows.key_end(source);
        s.maximum[row] = NO_MAXIMUM;
        s.sum[row] = 0.f;
    }
    for (int i = 0; i < live * MAX_HEAD_DIM; i += LANES)
        store(s.o + i, (f32v)0.f);
}

INLINE void load_k_transposed(prefill_scratch &s, const packed_rows &rows, int begin, int keys)
{
    for (int n = 0; n < keys; n += LANES)
        for (int d = 0; d < rows.shape.head_dim; d += LANES) {
            f32v x[LANES];
            UNROLLED for (int i = 0; i < LANES; i++)
                x[i] = load(rows.key(begin + n + i) + d);
            if constexpr (KTRANS == 1) {
                transpose(x);
                UNROLLED for (int i = 0; i < LANES; i++)
                    store(s.k + (d + i) * BN + n, x[i]);
            } else {
                for (int i = 0; i < LANES; i++)
                    for (int j = 0; j < LANES; j++)
                        s.k[(d + j) * BN + n + i] = x[i][j];
            }
        }
}

INLINE void load_k(prefill_scratch &s, const packed_rows &rows, int begin, int keys)
{
    for (int n = 0; n < keys; n++) {
        const gqa_t *from = rows.key(begin + n);
        for (int d = 0; d < rows.shape.head_dim; d += LANES)
            store(s.k + n * MAX_HEAD_DIM + d, load(from + d));
    }
}

INLINE void load_v(prefill_scratch &s, const packed_rows &rows, int begin, int keys)
{
    for (int n = 0; n < keys; n++) {
        const gqa_t *from = rows.value(begin + n);
        for (int d = 0; d < rows.shape.head_dim; d += LANES) {
            value_t *to = s.v + n * MAX_HEAD_DIM + d;
            if constexpr (VCONV == 1)
                store_as(to, load(from + d));
            else
                __builtin_memcpy(to, from + d, LANES * sizeof *to);
        }
    }
}

/* The tile at begin of a work item whose keys end at end. */
INLINE key_tile load_tile(prefill_scratch &s, const packed_rows &rows, int begin, int end)
{
    const int keys = round_up(min_int(BN, end - begin), KEY_STEP);
    if constexpr (QK == 0)
        load_k(s, rows, begin, keys);
    else
        load_k_transposed(s, rows, begin, keys);
    if constexpr (VCONV == 0)
        if (begin + keys <= rows.kv_len)
            return {begin, keys, (const value_t *)rows.value(begin), rows.shape.v_stride[2]};
    load_v(s, rows, begin, keys);
    return {begin, keys, s.v, MAX_HEAD_DIM};
}

/* Scores of a panel and a tile. The last register tile may overlap the one before it: it writes
 * the same values again. */
INLINE void panel_scores(prefill_scratch &s, const float *q, int keys, int head_dim)
{
    constexpr int WIDTH = QK == 0 ? PANEL : BN, BROADCAST = QK == 0 ? BN : PANEL;
    const int rows = QK == 0 ? keys : PANEL, columns = QK == 0 ? PANEL : keys;
    for (int next = 0; next < rows; next += QK_R)
        for (int column = 0; column < columns; column += QK_C * LANES) {
            const int row = min_int(next, BROADCAST - QK_R);
            f32v acc[QK_R][QK_C] = {};
            if constexpr (QK == 0)
                multiply_add(acc, s.k + row * MAX_HEAD_DIM, MAX_HEAD_DIM, 1, q + column, PANEL,
                             head_dim);
            else
                multiply_add(acc, q + row * MAX_HEAD_DIM, MAX_HEAD_DIM, 1, s.k + column, BN,
                             head_dim);
            UNROLLED for (int r = 0; r < QK_R; r++)
                UNROLLED for (int c = 0; c < QK_C; c++)
                    store(s.p + (row + r) * WIDTH + column + c * LANES, acc[r][c]);
        }
}

/* Masks what a row may not see among the keys [from, to) of the tile. */
INLINE void mask_by_lane(prefill_scratch &s, int row, int tile_begin, int from, int to)
{
    for (int lane = 0; lane < PANEL; lane += LANES) {
        i32v begin = load_as<i32v>(s.key_begin + row + lane) - tile_begin;
        i32v end = load_as<i32v>(s.key_end + row + lane) - tile_begin;
        for (int n = from; n < to; n++) {
            float *score = s.p + n * PANEL + lane;
            i32v visible = ((i32v)n >= begin) & ((i32v)n < end);
            store(score, visible ? load(score) : (f32v)MASKED);
        }
    }
}
INLINE void mask_by_row(prefill_scratch &s, int row, int tile_begin, int keys)
{
    for (int r = 0; r < PANEL; r++) {
        const int begin = min_int(s.key_begin[row + r] - tile_begin, keys);
        const int end = max_int(s.key_end[row + r] - tile_begin, 0);
        for (int n = 0; n < begin; n++)
            s.p[r * BN + n] = MASKED;
        for (int n = end; n < keys; n++)
            s.p[r * BN + n] = MASKED;
    }
}
/* Key limits do not fall from one row to the next, so a panel's first and last row tell which keys
 * are visible to all of it. */
INLINE void mask_panel(prefill_scratch &s, int row, const key_tile &tile)
{
    const int all_begin = s.key_begin[row + PANEL - 1] - tile.begin;
    const int all_end = s.key_end[row] - tile.begin;
    if (all_begin <= 0 && all_end >= tile.keys)
        return;
    if constexpr (QK == 0) {
        mask_by_lane(s, row, tile.begin, 0, min_int(all_begin, tile.keys));
        mask_by_lane(s, row, tile.begin, max_int(all_end, 0), tile.keys);
    } else {
        mask_by_row(s, row, tile.begin, tile.keys);
    }
}

/* The maximum to subtract from now on. */
INLINE f32v next_maximum(f32v old, f32v top)
{
    if constexpr (RESCALE == 3)
        return top <= old + LAZY_MARGIN ? old : top;
    return max_v(old, top);
}

/* Online softmax: scores become weights, s.alpha the factor of the older sums. True if some
 * maximum moved. */
INLINE bool softmax_by_lane(prefill_scratch &s, int row, int keys)
{
    f32v moved = 0.f;
    for (int lane = 0; lane < PANEL; lane += LANES) {
        float *p = s.p + lane;
        f32v top[4];
        UNROLLED for (int i = 0; i < 4; i++)
            top[i] = load(p + i * PANEL);
        for (int n = 4; n < keys; n += 4)
            UNROLLED for (int i = 0; i < 4; i++)
                top[i] = max_v(top[i], load(p + (n + i) * PANEL));

        const f32v old = load(s.maximum + row + lane);
        const f32v now = next_maximum(old, max_v(max_v(top[0], top[1]), max_v(top[2], top[3])));
        const f32v alpha = exp2_v(old - now);
        moved = max_v(moved, now - old);

        f32v sum[2] = {};
        for (int n = 0; n < keys; n += 2)
            UNROLLED for (int i = 0; i < 2; i++) {
                f32v weight = exp2_v(load(p + (n + i) * PANEL) - now);
                store(p + (n + i) * PANEL, weight);
                sum[i] += weight;
            }
        store(s.maximum + row + lane, now);
        store(s.alpha + lane, alpha);
        store(s.sum + row + lane, load(s.sum + row + lane) * alpha + (sum[0] + sum[1]));
    }
    return max_of_lanes(moved) > 0.f;
}
INLINE bool softmax_by_row(prefill_scratch &s, int row, int keys)
{
    bool moved = false;
    for (int r = 0; r < PANEL; r++) {
        float *p = s.p + r * BN;
        f32v top = load(p);
        for (int n = LANES; n < keys; n += LANES)
            top = max_v(top, load(p + n));

        const float old = s.maximum[row + r];
        const float now = next_maximum(old, max_of_lanes(top))[0];
        const float alpha = exp2_1(old - now);
        moved |= now != old;

        f32v sum = 0.f;
        for (int n = 0; n < keys; n += LANES) {
            f32v weight = exp2_v(load(p + n) - now);
            store(p + n, weight);
            sum += weight;
        }
        s.maximum[row + r] = now;
        s.alpha[r] = alpha;
        s.sum[row + r] = s.sum[row + r] * alpha + sum_of_lanes(sum);
    }
    return moved;
}

/* The factors of the older sums for LANES elements of output row `row`, from column on. */
INLINE f32v output_alpha(const prefill_scratch &s, int row, int column)
{
    if constexpr (PV == 0)
        return load(s.alpha + column);
    return s.alpha[row];
}

INLINE void rescale_output(const prefill_scratch &s, float *o, int head_dim)
{
    constexpr int WIDTH = PV == 0 ? PANEL : MAX_HEAD_DIM;
    const int rows = PV == 0 ? head_dim : PANEL, columns = PV == 0 ? PANEL : head_dim;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column += LANES) {
            float *x = o + row * WIDTH + column;
            store(x, load(x) * output_alpha(s, row, column));
        }
}

INLINE void panel_output(prefill_scratch &s, float *o, const key_tile &tile, int head_dim)
{
    constexpr int WIDTH = PV == 0 ? PANEL : MAX_HEAD_DIM;
    const int rows = PV == 0 ? head_dim : PANEL, columns = PV == 0 ? PANEL : head_dim;
    for (int row = 0; row < rows; row += PV_R)
        for (int column = 0; column < columns; column += PV_C * LANES) {
            float *x = o + row * WIDTH + column;
            f32v acc[PV_R][PV_C];
            UNROLLED for (int r = 0; r < PV_R; r++)
                UNROLLED for (int c = 0; c < PV_C; c++) {
                    acc[r][c] = load(x + r * WIDTH + c * LANES);
                    if constexpr (RESCALE == 2)
                        acc[r][c] *= output_alpha(s, row + r, column + c * LANES);
                }
            if constexpr (PV == 0)
                multiply_add(acc, tile.v + row, 1, MAX_HEAD_DIM, s.p + column, PANEL, tile.keys);
            else if constexpr (QK == 0)
                multiply_add(acc, s.p + row, 1, PANEL, tile.v + column, tile.v_stride, tile.keys);
            else
                multiply_add(acc, s.p + row * BN, BN, 1, tile.v + column, tile.v_stride,
                             tile.keys);
            UNROLLED for (int r = 0; r < PV_R; r++)
                UNROLLED for (int c = 0; c < PV_C; c++)
                    store(x + r * WIDTH + c * LANES, acc[r][c]);
        }
}

/* Takes the panel that begins at row (of the work item) through a tile. */
INLINE void process_panel(prefill_scratch &s, int row, const key_tile &tile, int head_dim)
{
    float *o = s.o + row * MAX_HEAD_DIM;
    panel_scores(s, s.q + row * MAX_HEAD_DIM, tile.keys, head_dim);
    mask_panel(s, row, tile);
    bool moved;
    if constexpr (QK == 0)
        moved = softmax_by_lane(s, row, tile.keys);
    else
        moved = softmax_by_row(s, row, tile.keys);
    if (RESCALE == 0 || (RESCALE != 2 && moved))
        rescale_output(s, o, head_dim);
    panel_output(s, o, tile, head_dim);
}

/* LANES consecutive rows of the output, the columns [d, d + LANES). */
INLINE void load_output(f32v (&x)[LANES], const prefill_scratch &s, int row, int d)
{
    if constexpr (PV == 0) {
        const float *panel = s.o + row / PANEL * PANEL * MAX_HEAD_DIM + row % PANEL;
        UNROLLED for (int i = 0; i < LANES; i++)
            x[i] = load(panel + (d + i) * PANEL);
        transpose(x);
    } else {
        UNROLLED for (int i = 0; i < LANES; i++)
            x[i] = load(s.o + (row + i) * MAX_HEAD_DIM + d);
    }
}

INLINE void store_output(const prefill_scratch &s, const packed_rows &rows, gqa_t *o, int first,
                         int count)
{
    for (int row = 0; row < count; row += LANES) {
        const int written = min_int(LANES, count - row);
        gqa_t *to[LANES];
        float factor[LANES];
        for (int i = 0; i < written; i++) {
            to[i] = o + rows.offset(rows.shape.o_stride, first + row + i);
            factor[i] = output_factor(s.sum[row + i]);
        }
        for (int d = 0; d < rows.shape.head_dim; d += LANES) {
            f32v x[LANES];
            load_output(x, s, row, d);
            for (int i = 0; i < written; i++)
                store_rounded(to[i] + d, x[i] * factor[i]);
        }
    }
}

/* The packed rows [first, first + BM), as far as they exist. */
static void prefill_item(prefill_scratch &s, const packed_rows &rows, const gqa_t *q, gqa_t *o,
                         int first)
{
    const int count = min_int(BM, rows.count() - first);
    const int live = round_up(count, PANEL);
    begin_rows(s, rows, q, first, live);
    const int begin = s.key_begin[0], end = s.key_end[live - 1];
    for (int n = begin; n < end; n += BN) {
        const key_tile tile = load_tile(s, rows, n, end);
        for (int row = 0; row < live; row += PANEL) {
            const bool hidden = n >= s.key_end[row + PANEL - 1] ||
                                n + tile.keys <= s.key_begin[row];
            if (SKIP == 0 || !hidden)
                process_panel(s, row, tile, rows.shape.head_dim);
        }
    }
    store_output(s, rows, o, first, count);
}

/* ---- decode ---- */
/* The rows of a block; small enough for the stack and the first-level cache. */
struct alignas(64) decode_rows {
    float q[DECODE_ROWS][MAX_HEAD_DIM];
    float o[DECODE_ROWS][MAX_HEAD_DIM];
    float maximum[DECODE_ROWS], sum[DECODE_ROWS];
};

/* What a split leaves for gqa_kernel1. */
struct alignas(64) partial_row {
    float o[MAX_HEAD_DIM];
    float maximum, sum;
};

template <int COUNT> INLINE void prefetch(const gqa_t *elements)
{
    constexpr int LINE = 64 / sizeof(gqa_t);
    UNROLLED for (int i = 0; i < COUNT; i += LINE)
        __builtin_prefetch(elements + i);
}

/* Scores of ROWS rows and the keys [begin, begin + keys), keys a multiple of KEY_STEP. Unrolling
 * the loop over keys by hand makes clang compute all their addresses at once, and spill. */
template <int HEAD_DIM, int ROWS>
INLINE void decode_scores(float (&score)[ROWS][DN], const float (*q)[MAX_HEAD_DIM],
                          const packed_rows &rows, int begin, int keys)
{
    for (int n = 0; n < keys; n += LANES) {
        f32v products[ROWS][LANES];
        for (int i = 0; i < LANES; i++) {
            const gqa_t *key = rows.key(begin + n + i);
            if constexpr (DPF > 0)
                prefetch<HEAD_DIM>(key + DPF * rows.shape.k_stride[2]);
            f32v acc[ROWS] = {};
            UNROLLED for (int d = 0; d < HEAD_DIM; d += LANES) {
                const f32v k = load(key + d);
                UNROLLED for (int r = 0; r < ROWS; r++)
                    acc[r] += load(q[r] + d) * k;
            }
            UNROLLED for (int r = 0; r < ROWS; r++) {
                if constexpr (DRED == 0)
                    score[r][n + i] = sum_of_lanes(acc[r]);
                else
                    products[r][i] = acc[r];
            }
        }
        if constexpr (DRED == 1)
            UNROLLED for (int r = 0; r < ROWS; r++)
                store(score[r] + n, sums_of_lanes(products[r]));
    }
}

/* Scores of one row become weights; returns the factor of its older sums. */
INLINE float decode_softmax(float (&score)[DN], int keys, float &maximum, float &sum)
{
    f32v top = load(score);
    for (int n = LANES; n < keys; n += LANES)
        top = max_v(top, load(score + n));
    const float now = next_maximum(maximum, max_of_lanes(top))[0];
    const float alpha = exp2_1(maximum - now);
    f32v total = 0.f;
    for (int n = 0; n < keys; n += LANES) {
        f32v weight = exp2_v(load(score + n) - now);
        store(score + n, weight);
        total += weight;
    }
    maximum = now;
    sum = sum * alpha + sum_of_lanes(total);
    return alpha;
}

/* o = o * alpha + weights * V, over the first `keys` keys of the tile. */
template <int HEAD_DIM, int ROWS>
INLINE void decode_output(float (*o)[MAX_HEAD_DIM], const float (&alpha)[ROWS],
                          const float (&weight)[ROWS][DN], const packed_rows &rows, int begin,
                          int keys)
{
    constexpr int VECTORS = HEAD_DIM / LANES;
    constexpr int BLOCK = ROWS * VECTORS <= 16 ? VECTORS : 16 / ROWS; /* accumulators: 16 at most */
    for (int d = 0; d < HEAD_DIM; d += BLOCK * LANES) {
        f32v acc[ROWS][BLOCK];
        UNROLLED for (int r = 0; r < ROWS; r++)
            UNROLLED for (int c = 0; c < BLOCK; c++)
                acc[r][c] = load(o[r] + d + c * LANES) * alpha[r];
        for (int n = 0; n < keys; n++) {
            const gqa_t *value = rows.v + (begin + n) * rows.shape.v_stride[2] + d;
            if constexpr (DPF > 0)
                prefetch<BLOCK * LANES>(value + DPF * rows.shape.v_stride[2]);
            UNROLLED for (int c = 0; c < BLOCK; c++) {
                const f32v v = load(value + c * LANES);
                UNROLLED for (int r = 0; r < ROWS; r++)
                    acc[r][c] += v * weight[r][n];
            }
        }
        UNROLLED for (int r = 0; r < ROWS; r++)
            UNROLLED for (int c = 0; c < BLOCK; c++)
                store(o[r] + d + c * LANES, acc[r][c]);
    }
}

/* Takes the rows [first, first + ROWS) through the keys [begin, end), at most DN. */
template <int HEAD_DIM, int ROWS>
static void decode_tile(decode_rows &s, const packed_rows &rows, int first, int begin, int end)
{
    const int keys = round_up(end - begin, KEY_STEP);
    alignas(64) float score[ROWS][DN];
    float alpha[ROWS];
    decode_scores<HEAD_DIM, ROWS>(score, s.q + first, rows, begin, keys);
    for (int r = 0; r < ROWS; r++) {
        const int visible_begin = max_int(rows.key_begin(first + r) - begin, 0);
        const int visible_end = min_int(rows.key_end(first + r), end) - begin;
        for (int n = 0; n < min_int(visible_begin, keys); n++)
            score[r][n] = MASKED;
        for (int n = max_int(visible_end, 0); n < keys; n++)
            score[r][n] = MASKED;
        alpha[r] = decode_softmax(score[r], keys, s.maximum[first + r], s.sum[first + r]);
    }
    decode_output<HEAD_DIM, ROWS>(s.o + first, alpha, score, rows, begin, end - begin);
}

/* All rows, ROWS at a time and what remains by halves: the tile is in the cache after the first. */
template <int HEAD_DIM, int ROWS>
INLINE void decode_chunks(decode_rows &s, const packed_rows &rows, int first, int begin, int end)
{
    for (; first + ROWS <= rows.count(); first += ROWS)
        decode_tile<HEAD_DIM, ROWS>(s, rows, first, begin, end);
    if constexpr (ROWS > 1)
        decode_chunks<HEAD_DIM, ROWS / 2>(s, rows, first, begin, end);
}

/* The keys [begin, end) for all rows. */
template <int HEAD_DIM>
INLINE void decode_keys(decode_rows &s, const packed_rows &rows, const gqa_t *q, int begin, int end)
{
    const float scale = rows.shape.scale * LOG2_E;
    for (int r = 0; r < rows.count(); r++) {
        const gqa_t *from = q + rows.offset(rows.shape.q_stride, r);
        for (int d = 0; d < HEAD_DIM; d += LANES) {
            store(s.q[r] + d, load(from + d) * scale);
            store(s.o[r] + d, (f32v)0.f);
        }
        s.maximum[r] = NO_MAXIMUM;
        s.sum[r] = 0.f;
    }
    for (int n = begin; n < end; n += DN)
        decode_chunks<HEAD_DIM, DPACK == 0 ? 1 : DPACK>(s, rows, 0, n, min_int(n + DN, end));
}

INLINE void store_row(gqa_t *to, const float *o, float factor, int head_dim)
{
    for (int d = 0; d < head_dim; d += LANES)
        store_rounded(to + d, load(o + d) * factor);
}

/* Partials stand in the order [split][batch][query head][token]. */
INLINE partial_row *partial(void *workspace, const gqa_shape &shape, int split, int batch,
                            int head)
{
    gqa_i64 heads_before = ((gqa_i64)split * shape.batch + batch) * shape.q_heads + head;
    return (partial_row *)workspace + heads_before * shape.q_len;
}

static void decode_item(const packed_rows &rows, int split, const gqa_t *q, gqa_t *o,
                        void *workspace)
{
    const gqa_shape &shape = rows.shape;
    const int all_begin = rows.key_begin(0), all_end = rows.key_end(rows.count() - 1);
    const int share = round_up((max_int(all_end - all_begin, 0) + DSPLIT - 1) / DSPLIT, KEY_STEP);
    const int begin = all_begin + split * share, end = min_int(begin + share, all_end);

    decode_rows s;
    if (shape.head_dim == 128)
        decode_keys<128>(s, rows, q, begin, end);
    else
        decode_keys<64>(s, rows, q, begin, end);
    for (int r = 0; r < rows.count(); r++) {
        if constexpr (DSPLIT == 1) {
            store_row(o + rows.offset(shape.o_stride, r), s.o[r],
                      output_factor(s.sum[r]), shape.head_dim);
        } else {
            const int head = rows.first_head + r % rows.heads;
            partial_row *to = partial(workspace, shape, split, rows.batch, head) + rows.token(r);
            __builtin_memcpy(to->o, s.o[r], sizeof to->o);
            to->maximum = s.maximum[r];
            to->sum = s.sum[r];
        }
    }
}

/* Joins the splits of all tokens of one query head. */
INLINE void join_splits(const gqa_shape &shape, int batch, int head, gqa_t *o, void *workspace)
{
    for (int token = 0; token < shape.q_len; token++) {
        float maximum = NO_MAXIMUM, sum = 0.f;
        for (int split = 0; split < DSPLIT; split++) {
            float m = partial(workspace, shape, split, batch, head)[token].maximum;
            maximum = m > maximum ? m : maximum;
        }
        alignas(64) float total[MAX_HEAD_DIM] = {};
        for (int split = 0; split < DSPLIT; split++) {
            const partial_row &part = partial(workspace, shape, split, batch, head)[token];
            const float weight = exp2_1(part.maximum - maximum);
            sum += weight * part.sum;
            for (int d = 0; d < shape.head_dim; d += LANES)
                store(total + d, load(total + d) + load(part.o + d) * weight);
        }
        gqa_t *to = o + batch * shape.o_stride[0] + head * shape.o_stride[1] +
                    token * shape.o_stride[2];
        store_row(to, total, output_factor(sum), shape.head_dim);
    }
}

/* ---- plan and launches ---- */
INLINE int group_of(const gqa_shape &shape) { return shape.q_heads / shape.kv_heads; }
INLINE bool is_decode(const gqa_shape &shape)
{
    return (gqa_i64)shape.q_len * group_of(shape) <= DECODE_ROWS;
}
/* Work items of one sequence and kv head. */
INLINE int prefill_tiles(const gqa_shape &shape)
{
    return (shape.q_len * group_of(shape) + BM - 1) / BM;
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    if (shape.head_dim != 64 && shape.head_dim != 128) {
        plan->unsupported = GQA_UNSUPPORTED_HEAD_DIM;
        return;
    }
    if (is_decode(shape)) {
        const int heads = DPACK == 0 ? shape.q_heads : shape.kv_heads;
        gqa_plan_launch(plan, 0, shape.batch * heads, DSPLIT, 1, 1, 0);
        if (DSPLIT > 1) {
            gqa_plan_launch(plan, 1, shape.batch * shape.q_heads, 1, 1, 1, 0);
            plan->workspace_bytes = sizeof(partial_row) * DSPLIT * shape.batch * shape.q_heads *
                                    (gqa_u64)shape.q_len;
        }
        return;
    }
    gqa_i64 blocks = (gqa_i64)shape.batch * shape.kv_heads * prefill_tiles(shape);
    if (blocks > MAX_PREFILL_BLOCKS)
        blocks = MAX_PREFILL_BLOCKS;
    if (blocks > MAX_PREFILL_WORKSPACE / (gqa_i64)sizeof(prefill_scratch))
        blocks = MAX_PREFILL_WORKSPACE / (gqa_i64)sizeof(prefill_scratch);
    gqa_plan_launch(plan, 0, (gqa_u32)blocks, 1, 1, 1, 0);
    plan->workspace_bytes = blocks * sizeof(prefill_scratch);
}

INLINE packed_rows rows_of(const gqa_shape &shape, const gqa_t *k, const gqa_t *v, int batch,
                           int first_head, int heads)
{
    const int kv_head = first_head / group_of(shape);
    return {shape, batch, first_head, heads, gqa_kv_len(shape, batch),
            k + batch * shape.k_stride[0] + kv_head * shape.k_stride[1],
            v + batch * shape.v_stride[0] + kv_head * shape.v_stride[1]};
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const int block = blockIdx.x, group = group_of(shape);
    if (is_decode(shape)) {
        const int heads = DPACK == 0 ? 1 : group, blocks = shape.q_heads / heads;
        decode_item(rows_of(shape, k, v, block / blocks, block % blocks * heads, heads),
                    blockIdx.y, q, o, workspace);
        return;
    }
    prefill_scratch &scratch = ((prefill_scratch *)workspace)[block];
    const int tiles = prefill_tiles(shape), items = shape.batch * shape.kv_heads * tiles;
    for (int item = block; item < items; item += gridDim.x) {
        /* Neighbouring blocks share K and V. The last rows first: with a causal mask they are the
         * longest, and must not be what everyone waits for. */
        const int tile = tiles - 1 - item % tiles, head = item / tiles;
        const packed_rows rows = rows_of(shape, k, v, head / shape.kv_heads,
                                         head % shape.kv_heads * group, group);
        prefill_item(scratch, rows, q, o, tile * BM);
    }
}

#if DSPLIT > 1
GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *, const gqa_t *, const gqa_t *, gqa_t *o,
                            void *workspace)
{
    const int block = blockIdx.x;
    if (is_decode(shape))
        join_splits(shape, block / shape.q_heads, block % shape.q_heads, o, workspace);
}
#endif
// EVOLVE-BLOCK-END
