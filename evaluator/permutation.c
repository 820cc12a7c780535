#include "evaluator/permutation.h"

#include <assert.h>
#include <string.h>

#include "base/weaken.h"
#include "evaluator/layout.h"

/* Fisher and Yates. */
static void shuffle(uint16_t *list, uint32_t count, struct bp_random *random)
{
    for (uint32_t i = 0; i < count; i++)
        list[i] = (uint16_t)i;
    if (bp_weakened(BP_DEFENCE_permutation))
        return;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)bp_random_below(random, i);
        uint16_t kept = list[i - 1];
        list[i - 1] = list[j];
        list[j] = kept;
    }
}

void bp_permutation_make(const struct bp_shape *shape, const struct bp_key *key,
                         struct bp_permutation *permutation)
{
    assert(shape->q_heads <= BP_MAX_HEADS);
    struct bp_random random;
    uint32_t ratio = shape->q_heads / shape->kv_heads;
    uint16_t within[BP_MAX_HEADS];
    bp_random_start(&random, key);
    shuffle(permutation->kv_head, shape->kv_heads, &random);
    for (uint32_t g = 0; g < shape->kv_heads; g++) {
        shuffle(within, ratio, &random);
        for (uint32_t r = 0; r < ratio; r++)
            permutation->q_head[g * ratio + r] =
                (uint16_t)(permutation->kv_head[g] * ratio + within[r]);
    }
}

void bp_permutation_of_slot(const struct bp_shape *shape, const struct bp_key *fill_key,
                            uint32_t slot, struct bp_permutation *permutation)
{
    struct bp_key key;
    bp_key_derive(fill_key, "slot", slot, &key);
    bp_permutation_make(shape, &key, permutation);
}

struct heads {
    const uint16_t *map; /* candidate's head -> master's */
    uint32_t batch, count;
    size_t bytes; /* of one head: tokens of one sequence */
};

static void copy_heads(const struct heads *heads, const uint8_t *master, uint8_t *slot)
{
    for (size_t b = 0; b < heads->batch; b++) {
        for (size_t h = 0; h < heads->count; h++)
            memcpy(slot + (b * heads->count + h) * heads->bytes,
                   master + (b * heads->count + heads->map[h]) * heads->bytes, heads->bytes);
    }
}

static bool same_heads(const struct heads *heads, const uint8_t *master, const uint8_t *slot)
{
    for (size_t b = 0; b < heads->batch; b++) {
        for (size_t h = 0; h < heads->count; h++) {
            if (memcmp(slot + (b * heads->count + h) * heads->bytes,
                       master + (b * heads->count + heads->map[h]) * heads->bytes,
                       heads->bytes) != 0)
                return false;
        }
    }
    return true;
}

static struct heads query_heads(const struct bp_shape *shape, enum bp_dtype dtype,
                                const struct bp_permutation *permutation)
{
    return (struct heads){permutation->q_head, shape->batch, shape->q_heads,
                          (size_t)shape->q_len * shape->head_dim * bp_dtype_size(dtype)};
}

static struct heads key_heads(const struct bp_shape *shape, enum bp_dtype dtype,
                              const struct bp_permutation *permutation)
{
    return (struct heads){permutation->kv_head, shape->batch, shape->kv_heads,
                          (size_t)shape->kv_len * shape->head_dim * bp_dtype_size(dtype)};
}

void bp_permutation_copy(const struct bp_shape *shape, enum bp_dtype dtype,
                         const struct bp_permutation *permutation, const void *master, void *slot)
{
    struct bp_input_layout layout;
    bp_layout_inputs(shape, dtype, &layout);
    struct heads queries = query_heads(shape, dtype, permutation);
    struct heads keys = key_heads(shape, dtype, permutation);
    const uint8_t *from = master;
    uint8_t *to = slot;
    copy_heads(&queries, from + layout.q.offset, to + layout.q.offset);
    copy_heads(&keys, from + layout.k.offset, to + layout.k.offset);
    copy_heads(&keys, from + layout.v.offset, to + layout.v.offset);
    memcpy(to + layout.kv_lens.offset, from + layout.kv_lens.offset, layout.kv_lens.bytes);
}

bool bp_permutation_unchanged(const struct bp_shape *shape, enum bp_dtype dtype,
                              const struct bp_permutation *permutation, const void *master,
                              const void *slot)
{
    struct bp_input_layout layout;
    bp_layout_inputs(shape, dtype, &layout);
    struct heads queries = query_heads(shape, dtype, permutation);
    struct heads keys = key_heads(shape, dtype, permutation);
    const uint8_t *want = master;
    const uint8_t *got = slot;
    return same_heads(&queries, want + layout.q.offset, got + layout.q.offset) &&
           same_heads(&keys, want + layout.k.offset, got + layout.k.offset) &&
           same_heads(&keys, want + layout.v.offset, got + layout.v.offset) &&
           memcmp(got + layout.kv_lens.offset, want + layout.kv_lens.offset,
                  layout.kv_lens.bytes) == 0;
}
