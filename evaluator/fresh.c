#include "evaluator/fresh.h"

#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "evaluator/parallel.h"

/* The pool's own stream; any other number would do. */
#define POOL_SEED 1

/* Two lanes a vector: every x86-64 and ARM core has that width, and memory is already slower. */
typedef uint64_t pair __attribute__((vector_size(16)));
#define PAIRS 4
_Static_assert(PAIRS * sizeof(pair) == BP_FRESH_BLOCK_BYTES, "a draw is a block");

/* A draw of 64 bytes places 32 blocks, 16 bits each; one of the following serves four of them. */
#define PAGE_BLOCKS 32
#define BLOCKS_PER_DRAW 4
struct page {
    pair blocks[PAGE_BLOCKS][PAIRS];
};

/* Eight xoshiro256++ generators (Blackman and Vigna 2021) side by side. */
struct lanes {
    pair state[4][PAIRS];
};

/* Sign and jitter. Turned right by 4, 8 and 12 bits, a mask meets no bit of a draw twice. */
static const uint64_t random_bits[BP_DTYPE_COUNT] = {
    [BP_DTYPE_F16] = UINT64_C(0x8007800780078007),
    [BP_DTYPE_BF16] = UINT64_C(0x8007800780078007),
    [BP_DTYPE_F32] = UINT64_C(0x8007000080070000),
};

void bp_fresh_open(struct bp_fresh *fresh, enum bp_dtype dtype)
{
    size_t element = bp_dtype_size(dtype);
    struct bp_key key;
    struct bp_random random;
    bp_key_from_seed(POOL_SEED, &key);
    bp_random_start(&random, &key);
    fresh->dtype = dtype;
    for (size_t i = 0; i < BP_FRESH_VALUES; i++)
        bp_dtype_store(dtype, fresh->pool + i * element, bp_random_normal(&random));
    memcpy(fresh->pool + BP_FRESH_VALUES * element, fresh->pool, BP_FRESH_BLOCK_BYTES);
}

/* ---- random bits ---- */

static void start_lanes(struct lanes *lanes, const struct bp_key *key)
{
    struct bp_random random;
    bp_random_start(&random, key);
    for (int word = 0; word < 4; word++)
        for (int i = 0; i < PAIRS; i++)
            for (int lane = 0; lane < 2; lane++)
                lanes->state[word][i][lane] = bp_random_u64(&random);
}

static inline pair turn_left(pair x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void draw(struct lanes *lanes, pair bits[PAIRS])
{
    pair(*s)[PAIRS] = lanes->state;
#pragma GCC unroll 4
    for (int i = 0; i < PAIRS; i++) {
        pair shifted = s[1][i] << 17;
        bits[i] = turn_left(s[0][i] + s[3][i], 23) + s[0][i];
        s[2][i] ^= s[0][i];
        s[3][i] ^= s[1][i];
        s[1][i] ^= s[2][i];
        s[0][i] ^= s[3][i];
        s[2][i] ^= shifted;
        s[3][i] = turn_left(s[3][i], 45);
    }
}

/* ---- tensors ---- */

static inline void make_page(const struct bp_fresh *fresh, struct lanes *lanes, struct page *page)
{
    const pair mask = (pair){0} + random_bits[fresh->dtype];
    size_t element = bp_dtype_size(fresh->dtype);
    uint16_t places[PAGE_BLOCKS];
    pair bits[PAIRS];
    draw(lanes, bits);
    memcpy(places, bits, sizeof places);
#pragma GCC unroll 4
    for (int block = 0; block < PAGE_BLOCKS; block++) {
        if (block % BLOCKS_PER_DRAW == 0)
            draw(lanes, bits);
        const uint8_t *values = fresh->pool + places[block] % BP_FRESH_VALUES * element;
#pragma GCC unroll 4
        for (int i = 0; i < PAIRS; i++) {
            pair value;
            memcpy(&value, values + i * sizeof value, sizeof value);
            page->blocks[block][i] = value ^ (bits[i] & mask);
            bits[i] = turn_left(bits[i], 4);
        }
    }
}

static void store_past_caches(void *to, const void *from, size_t bytes)
{
#if defined(__x86_64__)
    const __m128i *source = from;
    __m128i *target = to;
    for (size_t i = 0; i < bytes / sizeof *source; i++)
        _mm_stream_si128(target + i, source[i]);
#else
    memcpy(to, from, bytes);
#endif
}

static void store_barrier(void)
{
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

/* head_dim is a multiple of 8, so a tensor is a whole number of 16 bytes. */
static void fill_tensor(const struct bp_fresh *fresh, const struct bp_key *key, uint8_t *slot,
                        const struct bp_extent *extent)
{
    struct lanes lanes;
    struct page page;
    start_lanes(&lanes, key);
    for (size_t done = 0; done < extent->bytes; done += sizeof page) {
        size_t left = extent->bytes - done;
        make_page(fresh, &lanes, &page);
        store_past_caches(slot + extent->offset + done, &page,
                          left < sizeof page ? left : sizeof page);
    }
    store_barrier();
}

struct job {
    const struct bp_fresh *fresh;
    const struct bp_shape *shape;
    const struct bp_key *key;
    struct bp_input_layout layout;
    uint8_t *first_slot;
};

/* Index: slot and tensor. */
static void fill_one(void *context, uint32_t index, uint32_t worker)
{
    const struct job *job = context;
    const struct bp_extent *tensors[3] = {&job->layout.q, &job->layout.k, &job->layout.v};
    uint32_t slot = index / 3, tensor = index % 3;
    uint8_t *at = job->first_slot + (size_t)slot * job->layout.bytes;
    struct bp_key slot_key, key;
    (void)worker;
    bp_key_derive(job->key, "slot", slot, &slot_key);
    bp_key_derive(&slot_key, "tensor", tensor, &key);
    for (uint32_t b = 0; tensor == 0 && b < job->shape->batch; b++) {
        gqa_i32 length = (gqa_i32)bp_shape_kv_len(job->shape, b);
        memcpy(at + job->layout.kv_lens.offset + b * sizeof length, &length, sizeof length);
    }
    fill_tensor(job->fresh, &key, at, tensors[tensor]);
}

void bp_fresh_fill(const struct bp_fresh *fresh, const struct bp_shape *shape,
                   const struct bp_key *key, uint32_t slots, void *first_slot)
{
    struct job job = {.fresh = fresh, .shape = shape, .key = key, .first_slot = first_slot};
    bp_layout_inputs(shape, fresh->dtype, &job.layout);
    bp_parallel_for(3 * slots, fill_one, &job);
}
