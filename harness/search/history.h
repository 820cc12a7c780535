/* history.h: what a search has observed, with the two questions that strategies ask of it answered
 * in a time that does not grow with it: whether a point is new, and which observations are best. */
#ifndef BP_HARNESS_SEARCH_HISTORY_H
#define BP_HARNESS_SEARCH_HISTORY_H

#include "evaluator/verdict.h"
#include "harness/search/space.h"

#define BP_HISTORY_BEST 4

struct bp_observation {
    struct bp_point point;
    uint32_t evaluation; /* number */
    enum bp_verdict verdict;
    double score; /* 0.0 for anything not PASS */
};

/* Read by anybody, changed by the calls below; champion is the owner's to set. */
struct bp_history {
    const struct bp_space *space;        /* borrowed */
    struct bp_observation *observations; /* owned; in order of evaluation, duplicates included */
    uint32_t count, capacity;
    uint32_t
        champion; /* index into observations of the incumbent, UINT32_MAX before there is one */
    /* Indices of the passing observations with the highest scores, best first, the earliest of each
     * score. */
    uint32_t best[BP_HISTORY_BEST];
    uint32_t best_count;
    uint32_t
        *slots; /* owned; open addressing by point: index of its first observation + 1, 0 = free */
    uint32_t slot_count;
};

void bp_history_init(struct bp_history *history, const struct bp_space *space);
void bp_history_free(struct bp_history *history);

int bp_history_add(struct bp_history *history, const struct bp_observation *observation,
                   struct bp_error *err) BP_MUST_CHECK;

/* Forgets the last observations down to count of them; none of those may have passed. */
void bp_history_forget(struct bp_history *history, uint32_t count);

/* The observation turned out to be a failure. Takes time with the number of observations. */
void bp_history_correct(struct bp_history *history, uint32_t observation, enum bp_verdict verdict);

/* A bp_space_skip: whether the point was observed; context is the history. */
bool bp_history_has(const void *history, const struct bp_point *point);

#endif
