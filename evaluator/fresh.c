#include "evaluator/fresh.h"

#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "evaluator/parallel.h"

static inline void store_past_caches(void *at, uint64_t word)
{
#if defined(__x86_64__)
    _mm_stream_si64(at, (long long)word);
#else
    memcpy(at, &word, sizeof word);
#endif
}

static void store_barrier(void)
{
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

void bp_fresh_open(struct bp_fresh *fresh, enum bp_dtype dtype)
{
    struct bp_key key;
    struct bp_random random;
    bp_key_from_seed(0, &key); /* the table is no secret, the choice from it is */
    bp_random_start(&random, &key);
    fresh->dtype = dtype;
    for (uint32_t i = 0; i < 65536; i++) {
        double value = bp_random_normal(&random);
        if (dtype == BP_DTYPE_F32)
            bp_dtype_store(dtype, &fresh->values.single[i], value);
        else
            bp_dtype_store(dtype, &fresh->values.half[i], value);
    }
}

static uint64_t four_halves(const uint16_t *values, uint64_t bits)
{
    return (uint64_t)values[bits & 0xffff] | (uint64_t)values[bits >> 16 & 0xffff] << 16 |
           (uint64_t)values[bits >> 32 & 0xffff] << 32 | (uint64_t)values[bits >> 48] << 48;
}

static uint64_t two_singles(const uint32_t *values, uint64_t bits)
{
    return (uint64_t)values[bits >> 16 & 0xffff] | (uint64_t)values[bits >> 48] << 32;
}

/* head_dim is a multiple of 8, so a tensor is a whole number of words. */
static void fill_tensor(const struct bp_fresh *fresh, struct bp_random *random, uint8_t *slot,
                        const struct bp_extent *extent)
{
    uint8_t *at = slot + extent->offset, *end = at + extent->bytes;
    if (fresh->dtype == BP_DTYPE_F32)
        for (; at < end; at += 8)
            store_past_caches(at, two_singles(fresh->values.single, bp_random_u64(random)));
    else
        for (; at < end; at += 8)
            store_past_caches(at, four_halves(fresh->values.half, bp_random_u64(random)));
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
    struct bp_random random;
    (void)worker;
    bp_key_derive(job->key, "slot", slot, &slot_key);
    bp_key_derive(&slot_key, "tensor", tensor, &key);
    bp_random_start(&random, &key);
    fill_tensor(job->fresh, &random, at, tensors[tensor]);
    for (uint32_t b = 0; tensor == 0 && b < job->shape->batch; b++) {
        gqa_i32 length = (gqa_i32)bp_shape_kv_len(job->shape, b);
        memcpy(at + job->layout.kv_lens.offset + b * sizeof length, &length, sizeof length);
    }
    store_barrier();
}

void bp_fresh_fill(const struct bp_fresh *fresh, const struct bp_shape *shape,
                   const struct bp_key *key, uint32_t slots, void *first_slot)
{
    struct job job = {.fresh = fresh, .shape = shape, .key = key, .first_slot = first_slot};
    bp_layout_inputs(shape, fresh->dtype, &job.layout);
    bp_parallel_for(3 * slots, fill_one, &job);
}
