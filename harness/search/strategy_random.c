#include "harness/search/observed.h"

static int propose_random(const struct bp_history *history, const struct bp_key *seed_key,
                          uint64_t decision, struct bp_proposal *proposal, struct bp_error *err)
{
    struct bp_key key;
    struct bp_random random;
    bp_key_derive(seed_key, "strategy random", decision, &key);
    bp_random_start(&random, &key);
    struct bp_observed *observed;
    if (bp_observed_new(history, &observed, err) < 0)
        return -1;
    proposal->parent = 0;
    int found =
        bp_space_pick(history->space, &random, bp_observed_has, observed, &proposal->point, err);
    bp_observed_free(observed);
    return found;
}

const struct bp_strategy bp_strategy_random = {
    .name = "random",
    .doc = "uniformly random allowed points, none twice",
    .propose = propose_random,
};
