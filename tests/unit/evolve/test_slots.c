/* Whose turn it is among several devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/evolve/slots.h"

static struct bp_slots slots;

static int three(void **state)
{
    (void)state;
    slots = (struct bp_slots){.count = 3};
    for (uint32_t i = 0; i < 3; i++) {
        struct bp_session_device *device = &slots.list[i].device;
        snprintf(device->name, sizeof device->name, "hip:%u", i);
        snprintf(device->title, sizeof device->title, "%s", device->name);
    }
    return 0;
}

static uint32_t next(enum bp_turn turn)
{
    assert_true(bp_slots_next(&slots, turn));
    assert_ptr_equal(bp_slots_current(&slots), &slots.list[slots.current]);
    return slots.current;
}

static void each_has_its_turn(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(next(BP_TURN_TRIAL), i % 3);
    assert_int_equal(next(BP_TURN_MATCH), 0);
    assert_int_equal(next(BP_TURN_TRIAL), 1);
    assert_int_equal(next(BP_TURN_MATCH), 1);
}

static void only_the_healthy_have(void **state)
{
    (void)state;
    slots.list[1].health.state = BP_HEALTH_quarantined;
    assert_int_equal(next(BP_TURN_TRIAL), 0);
    assert_int_equal(next(BP_TURN_TRIAL), 2);
    assert_int_equal(next(BP_TURN_TRIAL), 0);
    slots.list[1].health.state = BP_HEALTH_healthy;
    slots.list[2].health.state = BP_HEALTH_suspect;
    assert_int_equal(next(BP_TURN_TRIAL), 1);
    assert_int_equal(next(BP_TURN_TRIAL), 0);
}

static void none_is_healthy(void **state)
{
    (void)state;
    assert_true(bp_slots_any_healthy(&slots));
    assert_null(bp_slots_next_probe(&slots));
    for (uint32_t i = 0; i < 3; i++) {
        slots.list[i].health.state = BP_HEALTH_quarantined;
        slots.list[i].probe_ns = 100 - 10 * (i == 1);
    }
    assert_false(bp_slots_any_healthy(&slots));
    slots.current = 2;
    assert_false(bp_slots_next(&slots, BP_TURN_TRIAL));
    assert_int_equal(slots.current, 2);
    assert_ptr_equal(bp_slots_next_probe(&slots), &slots.list[1]);
    slots.list[1].health.state = BP_HEALTH_probing;
    assert_ptr_equal(bp_slots_next_probe(&slots), &slots.list[0]);
}

static void titles(void **state)
{
    char names[BP_DEVICE_LIST_TEXT];
    (void)state;
    bp_slots_names(&slots, names, sizeof names);
    assert_string_equal(names, "hip:0,hip:1,hip:2");
    snprintf(slots.list[1].device.title, sizeof slots.list[1].device.title, "Radeon");
    slots.list[1].described = true;
    bp_slots_entitle(&slots);
    assert_string_equal(slots.title, "3 x Radeon (hip:0,hip:1,hip:2)");
    slots.count = 1;
    bp_slots_entitle(&slots);
    assert_string_equal(slots.title, "hip:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_has_its_turn, three),
        cmocka_unit_test_setup(only_the_healthy_have, three),
        cmocka_unit_test_setup(none_is_healthy, three),
        cmocka_unit_test_setup(titles, three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
