/* fresh.h: inputs that never were before, quickly. Timed calls get them before every batch: whatever
 * a kernel has seen, computed or kept until then is of no use to it. */
#ifndef BP_EVALUATOR_FRESH_H
#define BP_EVALUATOR_FRESH_H

#include "base/random.h"
#include "evaluator/layout.h"

/* 65536 standard normal deviates, rounded to dtype: drawing from them takes a nanosecond where a
 * deviate takes twenty. */
struct bp_fresh {
    enum bp_dtype dtype;
    union {
        uint16_t half[65536];
        uint32_t single[65536];
    } values;
};

void bp_fresh_open(struct bp_fresh *fresh, enum bp_dtype dtype);

/* Fills q, k, v and kv_lens of `slots` slots, slot i from derive(key, "slot", i), on all CPUs of the
 * process. They go past the caches, where a kernel would otherwise find them. */
void bp_fresh_fill(const struct bp_fresh *fresh, const struct bp_shape *shape,
                   const struct bp_key *key, uint32_t slots, void *first_slot);

#endif
