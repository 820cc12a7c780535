#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "harness/search/strategy.h"
#include "tests/unit/search/spaces.h"

#define MOST 4096

/* A search in progress: the strategy, its space and what it has seen. */
struct run {
    const struct bp_strategy *strategy;
    struct bp_space space;
    struct bp_history history;
    struct bp_key key;
};

static struct run *new_run(const char *strategy, uint64_t seed)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->strategy = bp_strategy_find(strategy);
    assert_non_null(run->strategy);
    bp_key_from_seed(seed, &run->key);
    bp_history_init(&run->history, &run->space);
    return run;
}

static void delete_run(struct run *run)
{
    bp_history_free(&run->history);
    bp_space_free(&run->space);
    free(run);
}

static int propose(const struct run *run, uint64_t decision, struct bp_proposal *proposal)
{
    struct bp_error err;
    int found = run->strategy->propose(&run->history, &run->key, decision, proposal, &err);
    if (found < 0)
        fail_msg("%s", err.msg);
    return found;
}

static bool was_seen(const struct run *run, const struct bp_point *point)
{
    for (uint32_t i = 0; i < run->history.count; i++)
        if (bp_space_same(&run->space, point, &run->history.observations[i].point))
            return true;
    return false;
}

static void observe(struct run *run, const struct bp_point *point, enum bp_verdict verdict,
                    double score)
{
    struct bp_error err;
    uint32_t index = run->history.count;
    struct bp_observation observation = {
        .point = *point, .evaluation = index + 1, .verdict = verdict, .score = score};
    if (bp_history_add(&run->history, &observation, &err) < 0)
        fail_msg("%s", err.msg);
    if (verdict != BP_VERDICT_PASS)
        return;
    if (run->history.champion == UINT32_MAX ||
        score > run->history.observations[run->history.champion].score)
        run->history.champion = index;
}

/* One ridge with its top at (A, B, C, D) = (6, 3, 7, 2), a tenth of the points failing. */
static double landscape(const struct run *run, const struct bp_point *point,
                        enum bp_verdict *verdict)
{
    static const int64_t top[] = {6, 3, 7, 2};
    double far = 0;
    int64_t mixed = 0;
    for (uint32_t i = 0; i < 4; i++) {
        int64_t value = bp_space_value(&run->space, point, i);
        far += (double)((value - top[i]) * (value - top[i]));
        mixed = mixed * 31 + value;
    }
    bool fails = far > 0 && mixed % 10 == 0;
    *verdict = fails ? BP_VERDICT_WRONG_RESULT : BP_VERDICT_PASS;
    return fails ? 0 : 1 / (1 + far);
}

static void make_landscape(struct run *run)
{
    add_knob(&run->space, "A", 8);
    add_knob(&run->space, "B", 8);
    add_knob(&run->space, "C", 8);
    add_knob(&run->space, "D", 8);
    add_constraint(&run->space, "A * B <= 40");
}

/* Evaluations until the top is found, at most MOST - 1. */
static uint32_t evaluations_to_top(const char *strategy, uint64_t seed)
{
    struct run *run = new_run(strategy, seed);
    struct bp_proposal proposal;
    make_landscape(run);
    double score = 0;
    while (score < 1 && run->history.count < MOST - 1) {
        enum bp_verdict verdict;
        assert_int_equal(propose(run, run->history.count, &proposal), 1);
        score = landscape(run, &proposal.point, &verdict);
        observe(run, &proposal.point, verdict, score);
    }
    uint32_t count = run->history.count;
    delete_run(run);
    return count;
}

static void local_search_finds_the_top_sooner_than_chance(void **state)
{
    (void)state;
    uint64_t local = 0, chance = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        local += evaluations_to_top("local", seed);
        chance += evaluations_to_top("random", seed);
    }
    print_message("mean evaluations to the top, seeds 1 to 12: local %.1f, random %.1f\n",
                  (double)local / 12, (double)chance / 12);
    assert_true(local * 5 < chance);
}

/* Every allowed point once, none twice, none forbidden, then 0. */
static void exhausts(const char *strategy)
{
    struct run *run = new_run(strategy, 5);
    add_knob(&run->space, "A", 9);
    add_knob(&run->space, "B", 7);
    add_knob(&run->space, "C", 3);
    add_constraint(&run->space, "(A + B) % C == 0");
    uint32_t allowed = 0;
    for (int a = 1; a <= 9; a++)
        for (int b = 1; b <= 7; b++)
            for (int c = 1; c <= 3; c++)
                allowed += (a + b) % c == 0;
    struct bp_proposal proposal;
    while (propose(run, run->history.count, &proposal)) {
        assert_true(bp_space_allows(&run->space, &proposal.point));
        assert_false(was_seen(run, &proposal.point));
        assert_true(proposal.parent <= run->history.count);
        bool passes = run->history.count % 3 != 0;
        observe(run, &proposal.point, passes ? BP_VERDICT_PASS : BP_VERDICT_CRASH,
                passes ? 1.0 / (1 + run->history.count % 17) : 0);
    }
    assert_int_equal(run->history.count, allowed);
    delete_run(run);
}

static void every_strategy_exhausts_a_small_space(void **state)
{
    (void)state;
    for (size_t i = 0; bp_strategies()[i]; i++)
        exhausts(bp_strategies()[i]->name);
}

static void proposals_are_a_function_of_history_and_decision(void **state)
{
    (void)state;
    for (size_t s = 0; bp_strategies()[s]; s++) {
        struct run *run = new_run(bp_strategies()[s]->name, 6);
        struct run *other = new_run(bp_strategies()[s]->name, 7);
        make_landscape(run);
        make_landscape(other);
        uint32_t differing_seed = 0, differing_decision = 0;
        for (uint64_t i = 0; i < 60; i++) {
            struct bp_proposal once, again;
            enum bp_verdict verdict;
            other->history = run->history; /* borrowed, and given back below */
            assert_int_equal(propose(run, i + 1000, &again), 1);
            assert_int_equal(propose(run, i, &once), 1);
            differing_decision += !bp_space_same(&run->space, &once.point, &again.point);
            assert_int_equal(propose(other, i, &again), 1);
            differing_seed += !bp_space_same(&run->space, &once.point, &again.point);
            assert_int_equal(propose(run, i, &again), 1);
            assert_memory_equal(&once, &again, sizeof once);
            double score = landscape(run, &once.point, &verdict);
            observe(run, &once.point, verdict, score);
        }
        assert_true(differing_seed > 20);
        assert_true(differing_decision > 20);
        bp_history_init(&other->history, &other->space);
        delete_run(run);
        delete_run(other);
    }
}

static void local_moves_name_their_parent(void **state)
{
    (void)state;
    struct run *run = new_run("local", 8);
    make_landscape(run);
    struct bp_proposal proposal;
    uint32_t derived = 0;
    for (uint32_t i = 0; i < 100; i++) {
        enum bp_verdict verdict;
        assert_int_equal(propose(run, i, &proposal), 1);
        if (proposal.parent) {
            const struct bp_observation *parent = &run->history.observations[proposal.parent - 1];
            uint32_t changed = 0;
            for (uint32_t k = 0; k < 4; k++)
                changed += parent->point.choice[k] != proposal.point.choice[k];
            assert_in_range(changed, 1, 2);
            assert_int_equal(parent->verdict, BP_VERDICT_PASS);
            derived++;
        }
        double score = landscape(run, &proposal.point, &verdict);
        observe(run, &proposal.point, verdict, score);
    }
    assert_in_range(derived, 60, 99);
    delete_run(run);
}

static void a_history_of_failures_is_survived(void **state)
{
    (void)state;
    struct run *run = new_run("local", 9);
    make_landscape(run);
    struct bp_proposal proposal;
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(propose(run, i, &proposal), 1);
        assert_int_equal(proposal.parent, 0);
        observe(run, &proposal.point, BP_VERDICT_COMPILE_ERROR, 0);
        observe(run, &proposal.point, BP_VERDICT_COMPILE_ERROR, 0); /* a duplicate */
    }
    delete_run(run);
}

/* Against a plain walk over everything: what is new, and what is best. */
static void the_indexes_agree_with_a_walk(void **state)
{
    (void)state;
    struct run *run = new_run("random", 10);
    struct bp_random random;
    make_landscape(run);
    bp_random_start(&random, &run->key);
    for (uint32_t i = 0; i < 3000; i++) {
        struct bp_point point = {{0}};
        for (uint32_t k = 0; k < 4; k++)
            point.choice[k] = (uint16_t)bp_random_below(&random, 8);
        assert_int_equal(bp_history_has(&run->history, &point), was_seen(run, &point));
        uint32_t known = run->history.count;
        if (i % 3 == 0) { /* proposals in flight, forgotten again, one of them twice */
            observe(run, &point, BP_VERDICT_INFRA, 0);
            observe(run, &point, BP_VERDICT_INFRA, 0);
            assert_true(bp_history_has(&run->history, &point));
            bp_history_forget(&run->history, known);
            assert_int_equal(bp_history_has(&run->history, &point), was_seen(run, &point));
        }
        observe(run, &point, i % 5 ? BP_VERDICT_PASS : BP_VERDICT_CRASH,
                i % 5 ? (double)bp_random_below(&random, 1 + i / 4) : 0);
    }
    double below = 1e9;
    for (uint32_t rank = 0; rank < BP_HISTORY_BEST; rank++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < run->history.count; i++) {
            const struct bp_observation *seen = &run->history.observations[i];
            if (seen->verdict == BP_VERDICT_PASS && seen->score < below &&
                (best == UINT32_MAX || seen->score > run->history.observations[best].score))
                best = i;
        }
        assert_int_equal(run->history.best[rank], best);
        below = run->history.observations[best].score;
    }
    delete_run(run);
}

static void the_registry_knows_its_names(void **state)
{
    (void)state;
    assert_string_equal(bp_strategy_find("local")->name, "local");
    assert_string_equal(bp_strategy_find("random")->name, "random");
    assert_null(bp_strategy_find("annealing"));
    assert_null(bp_strategy_find(""));
    for (size_t i = 0; bp_strategies()[i]; i++) {
        assert_ptr_equal(bp_strategy_find(bp_strategies()[i]->name), bp_strategies()[i]);
        assert_true(strlen(bp_strategies()[i]->doc) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_search_finds_the_top_sooner_than_chance),
        cmocka_unit_test(every_strategy_exhausts_a_small_space),
        cmocka_unit_test(proposals_are_a_function_of_history_and_decision),
        cmocka_unit_test(local_moves_name_their_parent),
        cmocka_unit_test(a_history_of_failures_is_survived),
        cmocka_unit_test(the_indexes_agree_with_a_walk),
        cmocka_unit_test(the_registry_knows_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
