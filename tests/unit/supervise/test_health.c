/* Every event in every state, and how long a quarantined device is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/supervise/health.h"

#define NO -1

/* clang-format off: a table; rows are states, columns events in the order of the header */
static const int expected[BP_HEALTH_STATE_COUNT][BP_HEALTH_EVENT_COUNT] = {
    /*                  fault, hang, unreaped,                                       started, passed, failed, over */
    [BP_HEALTH_healthy] = {BP_HEALTH_suspect, BP_HEALTH_suspect, BP_HEALTH_suspect, NO, NO, NO, NO},
    [BP_HEALTH_suspect] = {BP_HEALTH_suspect, BP_HEALTH_suspect, BP_HEALTH_suspect,
                           BP_HEALTH_probing, NO, NO, NO},
    [BP_HEALTH_probing] = {NO, NO, NO, NO, BP_HEALTH_healthy, BP_HEALTH_quarantined, NO},
    [BP_HEALTH_quarantined] = {NO, NO, NO, NO, NO, NO, BP_HEALTH_suspect},
};
/* clang-format on */

static void every_event_in_every_state(void **state)
{
    (void)state;
    for (int from = 0; from < BP_HEALTH_STATE_COUNT; from++) {
        for (int event = 0; event < BP_HEALTH_EVENT_COUNT; event++) {
            struct bp_health health = {.state = (enum bp_health_state)from, .failures = 7};
            int to = expected[from][event];
            bool moved = bp_health_step(&health, (enum bp_health_event)event);
            if (moved != (to != NO) || (int)health.state != (to == NO ? from : to))
                fail_msg("%s in %s leads to %s", bp_health_event_name((enum bp_health_event)event),
                         bp_health_state_name((enum bp_health_state)from),
                         bp_health_state_name(health.state));
            uint32_t failures = 7;
            if (moved && event == BP_HEALTH_EVENT_probe_passed)
                failures = 0;
            else if (moved && event == BP_HEALTH_EVENT_probe_failed)
                failures = 8;
            assert_int_equal(health.failures, failures);
        }
    }
}

static void a_zeroed_device_is_healthy(void **state)
{
    (void)state;
    struct bp_health health = {0};
    assert_string_equal(bp_health_state_name(health.state), "healthy");
}

static void pauses_grow_to_the_cap(void **state)
{
    (void)state;
    const struct bp_health_pauses pauses = {.base_ms = 100, .factor = 3, .cap_ms = 1000};
    static const double wanted[] = {100, 300, 900, 1000, 1000};
    struct bp_health health = {.state = BP_HEALTH_suspect};
    for (int i = 0; i < 5; i++) {
        assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_started));
        assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_failed));
        assert_float_equal(bp_health_pause_ms(&health, &pauses), wanted[i], 1e-9);
        assert_true(bp_health_step(&health, BP_HEALTH_EVENT_pause_over));
    }
    health.failures = UINT32_MAX;
    assert_float_equal(bp_health_pause_ms(&health, &pauses), 1000, 0);
    assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_started));
    assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_failed));
    assert_int_equal(health.failures, UINT32_MAX);
    assert_true(bp_health_step(&health, BP_HEALTH_EVENT_pause_over));
    assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_started));
    assert_true(bp_health_step(&health, BP_HEALTH_EVENT_probe_passed));
    assert_int_equal(health.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_state),
        cmocka_unit_test(a_zeroed_device_is_healthy),
        cmocka_unit_test(pauses_grow_to_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
