/* Scores on a drifting machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "harness/evolve/ladder.h"

static struct bp_match_result match(double a_ms, double b_ms, double half_width)
{
    struct bp_match_result result = {.outcome = {.verdict = BP_VERDICT_PASS}};
    double ratio = log(b_ms / a_ms);
    for (int i = 0; i < 2; i++) {
        result.median_ms[BP_RING_A][i] = a_ms;
        result.median_ms[BP_RING_B][i] = b_ms;
    }
    result.log_ratio = (struct bp_interval){ratio, ratio - half_width, ratio + half_width};
    return result;
}

static void drift_does_not_move_scores(void **state)
{
    struct bp_ladder ladder;
    bool promoted;
    (void)state;
    bp_ladder_start(&ladder, 10);
    assert_true(fabs(bp_ladder_score(&ladder, 5) - 2) < 1e-12);
    /* The machine has become twice as fast since: the same incumbent takes 5 ms now. */
    struct bp_match_result result = match(4, 5, 0.01);
    assert_true(fabs(bp_ladder_match(&ladder, &result, 2, &promoted) - 1.25) < 1e-12);
    assert_true(promoted);
    assert_true(fabs(ladder.level - 1.25) < 1e-12);
    /* A kernel as fast as the new incumbent gets its score, not twice that. */
    assert_true(fabs(bp_ladder_score(&ladder, 4) - 1.25) < 1e-12);
    assert_false(bp_ladder_is_contender(&ladder, bp_ladder_score(&ladder, 5)));
    assert_true(bp_ladder_is_contender(&ladder, bp_ladder_score(&ladder, 4.1)));
}

static void undecided_matches_promote_nobody(void **state)
{
    struct bp_ladder ladder;
    bool promoted;
    (void)state;
    bp_ladder_start(&ladder, 10);
    struct bp_match_result result = match(9.9, 10, 0.02);
    assert_true(bp_ladder_match(&ladder, &result, 2, &promoted) > 1);
    assert_false(promoted);
    assert_true(ladder.level == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drift_does_not_move_scores),
        cmocka_unit_test(undecided_matches_promote_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
