#include "harness/search/history.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

void bp_history_init(struct bp_history *history, const struct bp_space *space)
{
    *history = (struct bp_history){.space = space, .champion = UINT32_MAX};
}

void bp_history_free(struct bp_history *history)
{
    free(history->observations);
    free(history->slots);
    bp_history_init(history, history->space);
}

/* FNV-1a over the choices (Fowler, Noll, Vo); the high half is folded in, the mask takes low bits. */
static uint32_t hash_point(const struct bp_space *space, const struct bp_point *point)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < space->knob_count; i++)
        hash = (hash ^ point->choice[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the point, or the free one where it belongs. */
static uint32_t find_slot(const struct bp_history *history, const struct bp_point *point)
{
    uint32_t mask = history->slot_count - 1;
    uint32_t slot = hash_point(history->space, point) & mask;
    while (history->slots[slot] &&
           !bp_space_same(history->space, point,
                          &history->observations[history->slots[slot] - 1].point))
        slot = (slot + 1) & mask;
    return slot;
}

static void index_point(struct bp_history *history, uint32_t observation)
{
    uint32_t slot = find_slot(history, &history->observations[observation].point);
    if (!history->slots[slot])
        history->slots[slot] = observation + 1;
}

/* Twice as many slots as observations at least, so that a search for a free one is short. */
static int grow(struct bp_history *history, struct bp_error *err)
{
    uint32_t capacity = history->capacity ? 2 * history->capacity : FIRST_CAPACITY;
    struct bp_observation *observations =
        realloc(history->observations, capacity * sizeof *observations);
    if (observations)
        history->observations = observations;
    uint32_t *slots = calloc(2 * (size_t)capacity, sizeof *slots);
    if (!observations || !slots) {
        free(slots);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %u observations", capacity);
    }
    free(history->slots);
    history->slots = slots;
    history->slot_count = 2 * capacity;
    history->capacity = capacity;
    for (uint32_t i = 0; i < history->count; i++)
        index_point(history, i);
    return 0;
}

static void rank(struct bp_history *history, uint32_t observation)
{
    const struct bp_observation *all = history->observations;
    double score = all[observation].score;
    uint32_t at = 0;
    while (at < history->best_count && all[history->best[at]].score > score)
        at++;
    if (at == BP_HISTORY_BEST ||
        (at < history->best_count && all[history->best[at]].score == score))
        return;
    if (history->best_count < BP_HISTORY_BEST)
        history->best_count++;
    for (uint32_t i = history->best_count - 1; i > at; i--)
        history->best[i] = history->best[i - 1];
    history->best[at] = observation;
}

int bp_history_add(struct bp_history *history, const struct bp_observation *observation,
                   struct bp_error *err)
{
    if (history->count == history->capacity && grow(history, err) < 0)
        return -1;
    history->observations[history->count] = *observation;
    index_point(history, history->count);
    if (observation->verdict == BP_VERDICT_PASS)
        rank(history, history->count);
    history->count++;
    return 0;
}

/* From the last one back: nobody that came later has gone round a slot that is freed here. */
void bp_history_forget(struct bp_history *history, uint32_t count)
{
    while (history->count > count) {
        uint32_t last = history->count - 1;
        uint32_t slot = find_slot(history, &history->observations[last].point);
        if (history->slots[slot] == last + 1)
            history->slots[slot] = 0;
        history->count--;
    }
}

void bp_history_correct(struct bp_history *history, uint32_t observation, enum bp_verdict verdict)
{
    history->observations[observation].verdict = verdict;
    history->observations[observation].score = 0;
    history->best_count = 0;
    for (uint32_t i = 0; i < history->count; i++)
        if (history->observations[i].verdict == BP_VERDICT_PASS)
            rank(history, i);
}

bool bp_history_has(const void *history, const struct bp_point *point)
{
    const struct bp_history *seen = history;
    return seen->count > 0 && seen->slots[find_slot(seen, point)] != 0;
}
