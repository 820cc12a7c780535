/* Times below the floor: again, again, TAMPER; one that is not clears what was before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "harness/supervise/stopwatch.h"

static void test_three_of_three(void **state)
{
    (void)state;
    struct bp_stopwatch watch = {.floor_ms = {9, 0.2}, .timed = 1};
    struct bp_outcome outcome = {.verdict = BP_VERDICT_PASS};
    assert_int_equal(bp_stopwatch_check_floor(&watch, 0.01, &outcome), BP_FLOOR_AGAIN);
    assert_int_equal(bp_stopwatch_check_floor(&watch, 0.01, &outcome), BP_FLOOR_AGAIN);
    assert_int_equal(outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(bp_stopwatch_check_floor(&watch, 0.01, &outcome), BP_FLOOR_IMPOSSIBLE);
    assert_int_equal(outcome.verdict, BP_VERDICT_TAMPER);
    assert_string_equal(outcome.message,
                        "impossible time: 0.01 ms a call, the floor of this machine is 0.2 ms");
}

static void test_a_possible_time_clears(void **state)
{
    (void)state;
    struct bp_stopwatch watch = {.floor_ms = {0.2}};
    struct bp_outcome outcome = {.verdict = BP_VERDICT_PASS};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(bp_stopwatch_check_floor(&watch, 0.1, &outcome), BP_FLOOR_AGAIN);
        assert_int_equal(bp_stopwatch_check_floor(&watch, 0.1, &outcome), BP_FLOOR_AGAIN);
        assert_int_equal(bp_stopwatch_check_floor(&watch, 0.2, &outcome), BP_FLOOR_KEPT);
    }
    assert_int_equal(outcome.verdict, BP_VERDICT_PASS);
}

static void test_no_floor(void **state)
{
    (void)state;
    struct bp_stopwatch watch = {0};
    struct bp_outcome outcome = {.verdict = BP_VERDICT_PASS};
    for (int i = 0; i < 10; i++)
        assert_int_equal(bp_stopwatch_check_floor(&watch, 1e-9, &outcome), BP_FLOOR_KEPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_of_three),
        cmocka_unit_test(test_a_possible_time_clears),
        cmocka_unit_test(test_no_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
