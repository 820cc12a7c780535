/* The ledger: champion, duplicates, provisional observations, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/evolve/ledger.h"

static struct bp_space space = {.knob_count = 1,
                                .knobs = {{.name = "A", .value_count = 3, .values = {1, 2, 3}}}};

static void add(struct bp_ledger *ledger, uint32_t number, enum bp_verdict verdict, double score,
                const struct bp_point *point, bool promoted)
{
    struct bp_evaluation *evaluation = bp_evaluation_new();
    struct bp_error err;
    evaluation->number = number;
    evaluation->verdict = verdict;
    evaluation->score = score;
    evaluation->has_score = point || number > 1; /* number 1 without a point: the eager kernel */
    snprintf(evaluation->source_hash, sizeof evaluation->source_hash, "source-%u", number);
    if (verdict != BP_VERDICT_COMPILE_ERROR)
        snprintf(evaluation->object_hash, sizeof evaluation->object_hash, "object-%u", number);
    assert_int_equal(bp_ledger_add(ledger, evaluation, point, promoted, &err), 0);
    bp_evaluation_free(evaluation);
}

static void champion_is_the_last_promoted(void **state)
{
    struct bp_ledger ledger;
    struct bp_history view;
    const struct bp_point points[3] = {{{0}}, {{1}}, {{2}}};
    (void)state;
    bp_ledger_init(&ledger, &space);
    bp_ledger_view(&ledger, &view);
    assert_int_equal(view.champion, UINT32_MAX);
    add(&ledger, 1, BP_VERDICT_PASS, 0, NULL, false); /* eager: no point of the space */
    add(&ledger, 2, BP_VERDICT_PASS, 1, &points[0], true);
    add(&ledger, 3, BP_VERDICT_PASS, 1.5, &points[1], false); /* faster on paper, not promoted */
    bp_ledger_view(&ledger, &view);
    assert_int_equal(view.count, 2);
    assert_int_equal(view.observations[view.champion].evaluation, 2);
    add(&ledger, 4, BP_VERDICT_PASS, 1.2, &points[2], true);
    bp_ledger_view(&ledger, &view);
    assert_int_equal(view.observations[view.champion].evaluation, 4);
    assert_int_equal(ledger.champion_number, 4);
    assert_true(ledger.history[3].best_so_far == 1.2);
    assert_true(ledger.history[3].improvement_vs_best == 1.2);
    assert_true(ledger.history[2].best_so_far == 1);
    assert_int_equal(ledger.verdicts[BP_VERDICT_PASS], 4);
    bp_ledger_free(&ledger);
}

static void identities_are_found(void **state)
{
    struct bp_ledger ledger;
    (void)state;
    bp_ledger_init(&ledger, &space);
    for (uint32_t i = 1; i <= 200; i++)
        add(&ledger, i, i % 5 ? BP_VERDICT_PASS : BP_VERDICT_COMPILE_ERROR, 1, NULL, false);
    assert_int_equal(bp_ledger_find_source(&ledger, "source-137")->number, 137);
    assert_int_equal(bp_ledger_find_object(&ledger, "object-199")->number, 199);
    assert_null(bp_ledger_find_object(&ledger, "object-5")); /* it has no object */
    assert_null(bp_ledger_find_source(&ledger, "source-202"));
    /* The eager kernel has no score to answer with, and a failure of ours says nothing. */
    assert_null(bp_ledger_find_source(&ledger, "source-1"));
    assert_null(bp_ledger_find_object(&ledger, "object-1"));
    add(&ledger, 201, BP_VERDICT_INFRA, 0, NULL, false);
    assert_null(bp_ledger_find_source(&ledger, "source-201"));
    /* Candidates without an object are not each other's duplicates. */
    assert_null(bp_ledger_find_object(&ledger, ""));
    bp_ledger_free(&ledger);
}

static void a_harness_failure_is_nobodys_duplicate(void **state)
{
    struct bp_ledger ledger;
    struct bp_error err;
    (void)state;
    bp_ledger_init(&ledger, &space);
    add(&ledger, 1, BP_VERDICT_INFRA, 0, NULL, false);
    assert_null(bp_ledger_find_source(&ledger, "source-1"));
    assert_null(bp_ledger_find_object(&ledger, "object-1"));
    /* The same candidate, evaluated after all. */
    struct bp_evaluation *again = bp_evaluation_new();
    again->number = 2;
    again->verdict = BP_VERDICT_WRONG_RESULT;
    again->has_score = true;
    snprintf(again->source_hash, sizeof again->source_hash, "source-1");
    snprintf(again->object_hash, sizeof again->object_hash, "object-1");
    assert_int_equal(bp_ledger_add(&ledger, again, NULL, false, &err), 0);
    bp_evaluation_free(again);
    assert_int_equal(bp_ledger_find_source(&ledger, "source-1")->number, 2);
    assert_int_equal(bp_ledger_find_object(&ledger, "object-1")->number, 2);
    bp_ledger_free(&ledger);
}

static void expectations_are_forgotten(void **state)
{
    struct bp_ledger ledger;
    struct bp_history view;
    struct bp_error err;
    const struct bp_point point = {{1}};
    (void)state;
    bp_ledger_init(&ledger, &space);
    add(&ledger, 1, BP_VERDICT_PASS, 1, &point, true);
    assert_int_equal(bp_ledger_expect(&ledger, &point, &err), 0);
    bp_ledger_view(&ledger, &view);
    assert_int_equal(view.count, 2);
    bp_ledger_settle(&ledger, 1);
    bp_ledger_view(&ledger, &view);
    assert_int_equal(view.count, 1);
    bp_ledger_free(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(champion_is_the_last_promoted),
        cmocka_unit_test(identities_are_found),
        cmocka_unit_test(a_harness_failure_is_nobodys_duplicate),
        cmocka_unit_test(expectations_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
