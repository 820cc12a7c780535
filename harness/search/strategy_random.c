#include "harness/search/strategy.h"

static int propose_random(const struct bp_history *history, const struct bp_key *seed_key,
                          uint64_t decision, struct bp_proposal *proposal, struct bp_error *err)
{
    struct bp_key key;
    struct bp_random random;
    bp_key_derive(seed_key, "strategy random", decision, &key);
    bp_random_start(&random, &key);
    proposal->parent = 0;
    return bp_space_pick(history->space, &random, bp_history_has, history, &proposal->point, err);
}

const struct bp_strategy bp_strategy_random = {
    .name = "random",
    .doc = "uniformly random allowed points, none twice",
    .propose = propose_random,
};
