/* The rows of the result table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/evolve/standings.h"

static struct bp_suite *two_shapes(void)
{
    struct bp_suite *suite = calloc(1, sizeof *suite);
    suite->timed_count = 2;
    for (int i = 0; i < 2; i++)
        suite->timed[i] = (struct bp_shape){.batch = 1,
                                            .q_heads = 2,
                                            .kv_heads = 1,
                                            .q_len = 8,
                                            .kv_len = 8,
                                            .head_dim = 16,
                                            .causal = (uint32_t)i};
    return suite;
}

static struct bp_evaluation *timed(uint32_t number, double first_ms, double second_ms)
{
    struct bp_evaluation *evaluation = bp_evaluation_new();
    evaluation->number = number;
    evaluation->timing_count = 2;
    evaluation->timings[0].median_ms = first_ms;
    evaluation->timings[1].median_ms = second_ms;
    return evaluation;
}

static void final_rounds_replace_single_measurements(void **state)
{
    struct bp_suite *suite = two_shapes();
    struct bp_evaluation *eager = timed(1, 16, 4), *baseline = timed(2, 8, 2);
    struct bp_evaluation *evolved = timed(9, 1, 1);
    struct bp_match_result final = {.rounds = 30, .log_ratio = {log(2), log(1.9), log(2.1)}};
    struct bp_run_summary summary = {0};
    char mask[64];
    (void)state;
    for (int i = 0; i < 2; i++) {
        final.median_ms[BP_RING_A][i] = 2;
        final.median_ms[BP_RING_B][i] = 4;
    }
    struct bp_standings standings = {
        .eager = eager, .baseline = baseline, .evolved = evolved, .suite = suite};
    bp_standings_fill(&standings, &summary);
    assert_true(fabs(summary.rows[0].avg_ms - 8) < 1e-9);
    assert_true(fabs(summary.rows[2].speedup_vs_eager - 8) < 1e-9);
    assert_true(summary.improvement_ci_low == 0);
    assert_non_null(strstr(summary.rows[2].note, "not compared"));

    standings.final = &final;
    bp_standings_fill(&standings, &summary);
    assert_true(fabs(summary.rows[1].avg_ms - 4) < 1e-9);
    assert_true(fabs(summary.rows[2].avg_ms - 2) < 1e-9);
    assert_true(fabs(summary.rows[2].speedup_vs_eager - 4) < 1e-9);
    assert_true(fabs(summary.rows[2].speedup_vs_baseline - 2) < 1e-9);
    assert_true(fabs(summary.improvement_ci_low - 1.9) < 1e-9);
    /* The causal shape counts fewer useful FLOPs, the same full ones. */
    assert_true(summary.rows[2].gflops < summary.rows[2].gflops_full);
    bp_standings_mask(suite, mask, sizeof mask);
    assert_string_equal(mask, "full and causal");
    bp_evaluation_free(eager);
    bp_evaluation_free(baseline);
    bp_evaluation_free(evolved);
    free(suite);
}

static void failed_rows_say_why(void **state)
{
    struct bp_suite *suite = two_shapes();
    struct bp_evaluation *eager = bp_evaluation_new(), *baseline = timed(2, 8, 2);
    struct bp_run_summary summary = {0};
    (void)state;
    eager->verdict = BP_VERDICT_RUN_TIMEOUT;
    struct bp_standings standings = {
        .eager = eager, .baseline = baseline, .evolved = baseline, .suite = suite};
    bp_standings_fill(&standings, &summary);
    assert_false(summary.rows[0].measured);
    assert_string_equal(summary.rows[0].note, "RUN_TIMEOUT");
    assert_true(summary.rows[1].speedup_vs_eager == 0);
    assert_string_equal(summary.rows[2].note, "nothing beat the baseline");
    bp_evaluation_free(eager);
    bp_evaluation_free(baseline);
    free(suite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(final_rounds_replace_single_measurements),
        cmocka_unit_test(failed_rows_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
