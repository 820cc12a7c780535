/* fresh.h: inputs that never were before, quickly. Timed calls get them before every batch: whatever
 * a kernel has seen, computed or kept until then is of no use to it.
 *
 * Each block of 64 bytes is cut at a random place from a pool of normal deviates, which is no secret;
 * then four bits of every element become random: its sign, and the lowest three of its fraction (of an
 * f32's upper seven). So elements are uncorrelated normal deviates with all their digits, and that two
 * blocks are alike has a probability of 2^-78 at most. All bits come from the key, by operations on
 * integers: the bytes are the same on every machine. */
#ifndef BP_EVALUATOR_FRESH_H
#define BP_EVALUATOR_FRESH_H

#include "base/random.h"
#include "evaluator/layout.h"

#define BP_FRESH_VALUES 16384
#define BP_FRESH_BLOCK_BYTES 64

/* Standard normal deviates, rounded to dtype, the first block again behind the last value. */
struct bp_fresh {
    enum bp_dtype dtype;
    uint8_t pool[BP_FRESH_VALUES * sizeof(float) + BP_FRESH_BLOCK_BYTES];
};

/* A function of dtype alone. */
void bp_fresh_open(struct bp_fresh *fresh, enum bp_dtype dtype);

/* Fills q, k, v and kv_lens of `slots` slots, slot i from derive(key, "slot", i), on all CPUs of the
 * process; a function of dtype, shape, key and slots. They go past the caches, where a kernel would
 * otherwise find them. */
void bp_fresh_fill(const struct bp_fresh *fresh, const struct bp_shape *shape,
                   const struct bp_key *key, uint32_t slots, void *first_slot);

#endif
