#include "harness/search/observed.h"

#include <stdlib.h>

struct bp_observed {
    const struct bp_history *history;
    uint32_t mask;
    uint32_t slots[]; /* open addressing: index into observations plus 1, 0 = free */
};

/* FNV-1a over the choices (Fowler, Noll, Vo); the high half is folded in, the mask takes low bits. */
static uint32_t hash_point(const struct bp_space *space, const struct bp_point *point)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < space->knob_count; i++)
        hash = (hash ^ point->choice[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the point, or the free one where it belongs. */
static uint32_t find_slot(const struct bp_observed *observed, const struct bp_point *point)
{
    const struct bp_history *history = observed->history;
    uint32_t slot = hash_point(history->space, point) & observed->mask;
    while (observed->slots[slot] &&
           !bp_space_same(history->space, point,
                          &history->observations[observed->slots[slot] - 1].point))
        slot = (slot + 1) & observed->mask;
    return slot;
}

int bp_observed_new(const struct bp_history *history, struct bp_observed **observed,
                    struct bp_error *err)
{
    uint64_t capacity = 16;
    while (capacity < 2 * (uint64_t)history->count)
        capacity *= 2;
    struct bp_observed *set = calloc(1, sizeof *set + capacity * sizeof set->slots[0]);
    if (!set)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a set of %u points", history->count);
    set->history = history;
    set->mask = (uint32_t)(capacity - 1);
    for (uint32_t i = 0; i < history->count; i++)
        set->slots[find_slot(set, &history->observations[i].point)] = i + 1;
    *observed = set;
    return 0;
}

void bp_observed_free(struct bp_observed *observed)
{
    free(observed);
}

bool bp_observed_has(const void *observed, const struct bp_point *point)
{
    const struct bp_observed *set = observed;
    return set->slots[find_slot(set, point)] != 0;
}
