/* The list of faults to inject: what it may be, and at which passage each strikes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluator/emulator/faults.h"

static void reads_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool valid;
    } lists[] = {
        {NULL, true},
        {"", true},
        {"hang:1", true},
        {"memory_fault:3:0xabc000", true},
        {"memory_fault:3:4096,queue_error:1,alloc_fail:7", true},
        {"slow_reset", true},
        {"slow_reset:2,hang:1", true},
        {"failing_reset", true},
        {"hang", false},
        {"hang:", false},
        {"hang:0", false},
        {"hang:-1", false},
        {"hang:x", false},
        {"hang:1x", false},
        {"hangs:1", false},
        {"han:1", false},
        {"hang:1;ecc:2", false},
        {",hang:1", false},
        {"memory_fault:1:", false},
        {"memory_fault:1:2:3", false},
    };
    for (size_t n = 0; n < sizeof(lists) / sizeof(lists[0]); n++)
        if (emu_faults_arm(lists[n].list) != lists[n].valid)
            fail_msg("%s", lists[n].list);
}

static void strikes_at_its_passage_only(void **state)
{
    (void)state;
    assert_true(emu_faults_arm("memory_fault:3:0xabc000,alloc_fail:1,memory_fault:5"));
    assert_null(emu_fault_strikes(EMU_AT_DISPATCH));
    assert_null(emu_fault_strikes(EMU_AT_DISPATCH));
    assert_int_equal(emu_fault_strikes(EMU_AT_ALLOCATION)->status,
                     HSA_STATUS_ERROR_OUT_OF_RESOURCES);
    assert_null(emu_fault_strikes(EMU_AT_ALLOCATION));
    assert_int_equal(emu_fault_strikes(EMU_AT_DISPATCH)->argument, 0xabc000);
    assert_null(emu_fault_strikes(EMU_AT_DISPATCH));
    const struct emu_fault *last = emu_fault_strikes(EMU_AT_DISPATCH);
    assert_int_equal(last->effect, EMU_EFFECT_MEMORY_FAULT);
    assert_int_not_equal(last->argument, 0);
    assert_null(emu_fault_strikes(EMU_AT_OPEN));
}

static void resets_strike_at_the_opening(void **state)
{
    (void)state;
    assert_true(emu_faults_arm("slow_reset:7"));
    assert_int_equal(emu_fault_strikes(EMU_AT_OPEN)->argument, 7);
    assert_null(emu_fault_strikes(EMU_AT_OPEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists),
        cmocka_unit_test(strikes_at_its_passage_only),
        cmocka_unit_test(resets_strike_at_the_opening),
    };
    return cmocka_run_group_tests_name("emulator/faults", tests, NULL, NULL);
}
