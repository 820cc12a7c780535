/* Local search around the champion: one knob one step up or down its list, then one knob anywhere,
 * then two knobs one step each, then anywhere. It walks away from a local optimum in two ways: a
 * share of random points, larger at the start, and a share of moves that start from another good
 * observation instead of the champion. */
#include "harness/search/strategy.h"

#define FIRST_RANDOM 16      /* points anywhere before there is a slope to follow */
#define EXPLORE_START 0.30   /* share of random points then, */
#define EXPLORE_HALF_LIFE 24 /* halved every so many observations, */
#define EXPLORE_END 0.05     /* down to this share */
#define PAIR_SHARE 0.10      /* moves that try two knobs at once before one */
#define OTHER_PARENT_SHARE 0.20

struct search {
    const struct bp_history *history;
    const struct bp_space *space;
    struct bp_random random;
};

static bool is_new(const struct search *search, const struct bp_point *point)
{
    return bp_space_allows(search->space, point) && !bp_history_has(search->history, point);
}

static double exploration(uint32_t observations)
{
    double share = EXPLORE_START;
    for (uint32_t i = EXPLORE_HALF_LIFE; i <= observations && share > EXPLORE_END;
         i += EXPLORE_HALF_LIFE)
        share /= 2;
    return share > EXPLORE_END ? share : EXPLORE_END;
}

/* Draws one move uniformly from those offered: the n-th replaces the choice with chance 1/n. */
struct draw {
    uint64_t offered;
    struct bp_point point;
};

static void offer(struct search *search, struct draw *draw, const struct bp_point *point)
{
    if (!is_new(search, point))
        return;
    draw->offered++;
    if (bp_random_below(&search->random, draw->offered) == 0)
        draw->point = *point;
}

static bool step(const struct bp_space *space, struct bp_point *point, uint32_t knob, int by)
{
    int choice = (int)point->choice[knob] + by;
    if (choice < 0 || choice >= (int)space->knobs[knob].value_count)
        return false;
    point->choice[knob] = (uint16_t)choice;
    return true;
}

static void offer_steps(struct search *search, const struct bp_point *from, struct draw *draw)
{
    for (uint32_t knob = 0; knob < search->space->knob_count; knob++)
        for (int by = -1; by <= 1; by += 2) {
            struct bp_point to = *from;
            if (step(search->space, &to, knob, by))
                offer(search, draw, &to);
        }
}

static void offer_values(struct search *search, const struct bp_point *from, struct draw *draw)
{
    for (uint32_t knob = 0; knob < search->space->knob_count; knob++)
        for (uint32_t i = 0; i < search->space->knobs[knob].value_count; i++) {
            struct bp_point to = *from;
            to.choice[knob] = (uint16_t)i;
            offer(search, draw, &to);
        }
}

static void offer_pairs_with(struct search *search, const struct bp_point *from, uint32_t first,
                             struct draw *draw)
{
    for (uint32_t second = first + 1; second < search->space->knob_count; second++)
        for (int signs = 0; signs < 4; signs++) {
            struct bp_point to = *from;
            if (step(search->space, &to, first, signs & 1 ? 1 : -1) &&
                step(search->space, &to, second, signs & 2 ? 1 : -1))
                offer(search, draw, &to);
        }
}

static void offer_pairs(struct search *search, const struct bp_point *from, struct draw *draw)
{
    for (uint32_t first = 0; first < search->space->knob_count; first++)
        offer_pairs_with(search, from, first, draw);
}

/* The champion, or now and then another of the best observations. */
static uint32_t choose_parent(struct search *search)
{
    const struct bp_history *history = search->history;
    if (bp_random_unit(&search->random) >= OTHER_PARENT_SHARE)
        return history->champion;
    uint64_t rank = bp_random_below(&search->random, BP_HISTORY_BEST);
    if (history->best_count == 0)
        return history->champion;
    return history->best[rank < history->best_count ? rank : history->best_count - 1];
}

/* True with a move from the parent in *point, false when its neighbourhood is used up. */
static bool move_from(struct search *search, uint32_t parent, struct bp_point *point)
{
    const struct bp_point *from = &search->history->observations[parent].point;
    struct draw draw = {0};
    if (bp_random_unit(&search->random) < PAIR_SHARE)
        offer_pairs(search, from, &draw);
    if (draw.offered == 0)
        offer_steps(search, from, &draw);
    if (draw.offered == 0)
        offer_values(search, from, &draw);
    if (draw.offered == 0)
        offer_pairs(search, from, &draw);
    *point = draw.point;
    return draw.offered > 0;
}

static int propose_with(struct search *search, struct bp_proposal *proposal, struct bp_error *err)
{
    const struct bp_history *history = search->history;
    bool explore = history->champion >= history->count || history->count < FIRST_RANDOM ||
                   bp_random_unit(&search->random) < exploration(history->count);
    if (!explore) {
        uint32_t parent = choose_parent(search);
        if (move_from(search, parent, &proposal->point)) {
            proposal->parent = history->observations[parent].evaluation;
            return 1;
        }
    }
    proposal->parent = 0;
    return bp_space_pick(search->space, &search->random, bp_history_has, search->history,
                         &proposal->point, err);
}

static int propose_local(const struct bp_history *history, const struct bp_key *seed_key,
                         uint64_t decision, struct bp_proposal *proposal, struct bp_error *err)
{
    struct bp_key key;
    struct search search = {.history = history, .space = history->space};
    bp_key_derive(seed_key, "strategy local", decision, &key);
    bp_random_start(&search.random, &key);
    return propose_with(&search, proposal, err);
}

const struct bp_strategy bp_strategy_local = {
    .name = "local",
    .doc = "steps from the best point so far, with a share of random points",
    .propose = propose_local,
};
