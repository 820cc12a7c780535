/* strategy.h: how the next configs are chosen. A strategy is a pure function of the space, the
 * history and the decision number, so that a resumed run proposes what the uninterrupted one would. */
#ifndef BP_HARNESS_SEARCH_STRATEGY_H
#define BP_HARNESS_SEARCH_STRATEGY_H

#include "harness/search/history.h"

struct bp_proposal {
    struct bp_point point;
    uint32_t parent; /* evaluation number it was derived from, 0 = none */
};

struct bp_strategy {
    const char *name; /* as in the config */
    const char *doc;  /* one line for --help and the reference page */
    /* Fills *proposal from randomness derived from (seed_key, decision). Should avoid points already
     * observed while others are left, and must not cost more the longer the history is. 1: proposed;
     * 0: the space is exhausted; -1: error. */
    int (*propose)(const struct bp_history *history, const struct bp_key *seed_key,
                   uint64_t decision, struct bp_proposal *proposal, struct bp_error *err);
};

extern const struct bp_strategy bp_strategy_random;
extern const struct bp_strategy bp_strategy_local;

/* "random", "local"; null when unknown. */
const struct bp_strategy *bp_strategy_find(const char *name);
/* Null-terminated list of all strategies. */
const struct bp_strategy *const *bp_strategies(void);

#endif
