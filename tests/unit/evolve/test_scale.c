/* A long run, opened again: the ledger that comes back decides as the one that was lost. Only outcomes
 * are asserted; what it costs is printed by scripts/bench. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/synthetic.h"
#include "tests/unit/store/sample.h"

#define COUNT 5000

static void assert_same_history(const struct bp_history *a, const struct bp_history *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->champion, b->champion);
    assert_int_equal(a->best_count, b->best_count);
    assert_memory_equal(a->best, b->best, a->best_count * sizeof *a->best);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_memory_equal(&a->observations[i].point, &b->observations[i].point,
                            sizeof a->observations[i].point);
        assert_int_equal(a->observations[i].evaluation, b->observations[i].evaluation);
        assert_int_equal(a->observations[i].verdict, b->observations[i].verdict);
        assert_true(a->observations[i].score == b->observations[i].score);
    }
}

static void assert_same_ledger(const struct bp_ledger *a, const struct bp_ledger *b)
{
    char hash[BP_HASH_TEXT];
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->champion_number, b->champion_number);
    assert_true(a->champion_score == b->champion_score);
    assert_int_equal(a->duplicates, b->duplicates);
    assert_memory_equal(a->verdicts, b->verdicts, sizeof a->verdicts);
    assert_int_equal(a->safety.total_errors, b->safety.total_errors);
    assert_true(a->safety.safety_score == b->safety.safety_score);
    assert_same_history(&a->history, &b->history);
    for (uint32_t i = 0; i < a->count; i++) {
        bp_ledger_source_hash(&a->rows[i], hash);
        assert_int_equal(bp_ledger_find_source(b, hash)->number, a->rows[i].number);
    }
}

static void a_long_run_is_loaded_back(void **state)
{
    struct synthetic run, again;
    struct synthetic_cost cost;
    struct bp_error err;
    must(synthetic_create(&run, *state, &err), &err);
    for (uint32_t i = 0; i < COUNT; i++)
        must(synthetic_step(&run, &cost, &err), &err);
    must(bp_store_close(run.store, &err), &err);
    run.store = NULL;
    must(synthetic_resume(&again, *state, &err), &err);
    assert_same_ledger(&run.ledger, &again.ledger);
    for (uint64_t decision = 0; decision < 50; decision++) {
        struct bp_proposal one, other;
        assert_int_equal(
            bp_strategy_local.propose(&run.ledger.history, &run.key, decision, &one, &err), 1);
        assert_int_equal(
            bp_strategy_local.propose(&again.ledger.history, &run.key, decision, &other, &err), 1);
        assert_memory_equal(&one.point, &other.point, sizeof one.point);
        assert_int_equal(one.parent, other.parent);
    }
    must(synthetic_step(&again, &cost, &err), &err);
    bp_ledger_free(&run.ledger);
    must(synthetic_close(&again, &err), &err);
    assert_int_equal(sample_integer(*state, "SELECT count(*) FROM evaluation"), COUNT + 1);
}

int main(void)
{
    setenv("TMPDIR", "/dev/shm", 0); /* thousands of syncs, whose speed is not the question */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_run_is_loaded_back, sample_setup, sample_teardown),
    };
    return cmocka_run_group_tests_name("evolve/scale", tests, NULL, NULL);
}
