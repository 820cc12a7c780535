/* Fault points: an occurrence is counted where it belongs, and only the one that was armed fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static int setup(void **state)
{
    (void)state;
    bp_fault_reset();
    bp_fault_enter(BP_FAULT_SCOPE_HARNESS);
    return 0;
}

static bool fails_in(uint32_t scope, enum bp_fault_point point)
{
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(scope);
    return bp_fault(point);
}

static uint32_t find_scope(const struct bp_fault_census *census, const char *name)
{
    uint32_t scope = 0;
    while (scope < BP_FAULT_SCOPES && strcmp(census->scopes[scope], name) != 0)
        scope++;
    assert_true(scope < BP_FAULT_SCOPES);
    return scope;
}

static void children_are_numbered_in_their_stage_and_phase(void **state)
{
    static struct bp_fault_census census;
    (void)state;
    uint32_t run = bp_fault_new_scope("run"), judge = bp_fault_new_scope("judge");
    uint32_t again = bp_fault_new_scope("run"), longer = bp_fault_new_scope("runner");
    assert_false(fails_in(again, BP_FAULT_fork));
    bp_fault_next_phase();
    uint32_t later = bp_fault_new_scope("run");
    bp_fault_take_census(&census);
    assert_int_equal(find_scope(&census, "harness"), BP_FAULT_SCOPE_HARNESS);
    assert_int_equal(find_scope(&census, "record"), BP_FAULT_SCOPE_RECORD);
    assert_int_equal(find_scope(&census, "run.0.1"), run);
    assert_int_equal(find_scope(&census, "judge.0.1"), judge);
    assert_int_equal(find_scope(&census, "run.0.2"), again);
    assert_int_equal(find_scope(&census, "runner.0.1"), longer);
    assert_int_equal(find_scope(&census, "run.1.1"), later);
    assert_int_equal(census.counted[BP_FAULT_fork][again][0], 1);
    assert_int_equal(census.counted[BP_FAULT_fork][run][0], 0);
}

static void whoever_comes_first_the_same_one_fails(void **state)
{
    const struct bp_fault_place place = {.phase = 1, .nth = 2, .scope = "run.0.2"};
    (void)state;
    uint32_t first = bp_fault_new_scope("run"), second = bp_fault_new_scope("run");
    bp_fault_arm(BP_FAULT_read_error, &place, BP_FAULT_ONCE);
    assert_false(fails_in(second, BP_FAULT_read_error));
    assert_false(fails_in(second, BP_FAULT_read_error)); /* of phase 0 */
    bp_fault_next_phase();
    for (int i = 0; i < 3; i++)
        assert_false(fails_in(first, BP_FAULT_read_error));
    assert_false(fails_in(second, BP_FAULT_read_error));
    assert_false(bp_fault(BP_FAULT_read_error));
    errno = 0;
    assert_true(fails_in(second, BP_FAULT_read_error));
    assert_int_equal(errno, EIO);
    assert_false(fails_in(second, BP_FAULT_read_error));
    assert_int_equal(bp_fault_fired(), 1);
}

static void without_a_scope_all_are_counted(void **state)
{
    const struct bp_fault_place place = {.nth = 3};
    (void)state;
    uint32_t run = bp_fault_new_scope("run");
    bp_fault_arm(BP_FAULT_memfd, &place, BP_FAULT_STICKY);
    assert_false(fails_in(run, BP_FAULT_memfd));
    assert_false(bp_fault(BP_FAULT_memfd));
    assert_true(fails_in(run, BP_FAULT_memfd));
    assert_true(bp_fault(BP_FAULT_memfd));
}

static void too_many_children_share_the_last_scope(void **state)
{
    static struct bp_fault_census census;
    (void)state;
    for (uint32_t i = 0; i < 2 * BP_FAULT_SCOPES; i++)
        assert_false(fails_in(bp_fault_new_scope("canary"), BP_FAULT_pipe));
    bp_fault_take_census(&census);
    uint32_t later = find_scope(&census, "later"), total = 0;
    for (uint32_t scope = 0; scope < BP_FAULT_SCOPES; scope++)
        total += census.counted[BP_FAULT_pipe][scope][0];
    assert_int_equal(later, BP_FAULT_SCOPES - 1);
    assert_true(census.counted[BP_FAULT_pipe][later][0] > BP_FAULT_SCOPES);
    assert_int_equal(total, 2 * BP_FAULT_SCOPES);
}

static void *meet_in_another_thread(void *argument)
{
    *(uint32_t *)argument = bp_fault_scope();
    return NULL;
}

static void a_scope_is_a_threads_own(void **state)
{
    uint32_t there = UINT32_MAX;
    pthread_t thread;
    (void)state;
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(bp_fault_new_scope("run"));
    assert_int_equal(pthread_create(&thread, NULL, meet_in_another_thread, &there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(there, BP_FAULT_SCOPE_HARNESS);
    assert_int_not_equal(bp_fault_scope(), there);
}

static int arm(const char *text, struct bp_error *err)
{
    setenv("BULLETPROOF_FAULTS", text, 1);
    return bp_fault_from_environment(err);
}

static void the_environment_arms(void **state)
{
    static const char *const wrong[] = {"forc", "fork:0", "fork:1:twice", "fork:1:once:16"};
    struct bp_error err;
    (void)state;
    uint32_t judge = bp_fault_new_scope("judge");
    assert_int_equal(arm("fork:1:once:0:judge.0.1,pipe:1", &err), 0);
    assert_false(bp_fault(BP_FAULT_fork));
    assert_true(fails_in(judge, BP_FAULT_fork));
    assert_true(bp_fault(BP_FAULT_pipe));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(arm(wrong[i], &err), -1);
        assert_int_equal(err.code, BP_ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(children_are_numbered_in_their_stage_and_phase, setup),
        cmocka_unit_test_setup(whoever_comes_first_the_same_one_fails, setup),
        cmocka_unit_test_setup(without_a_scope_all_are_counted, setup),
        cmocka_unit_test_setup(too_many_children_share_the_last_scope, setup),
        cmocka_unit_test_setup(a_scope_is_a_threads_own, setup),
        cmocka_unit_test_setup(the_environment_arms, setup),
    };
    return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}
