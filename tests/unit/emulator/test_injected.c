/* Faults that the emulated GPU is told to commit: what a queue, its runtime and its events say of each. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/report.h"
#include "evaluator/emulator/signals.h"
#include "tests/unit/emulator/queue_fixture.h"

static void injected_hang(void)
{
    open_queue("hang:1");
    expect_hang();
    assert_int_equal(told_dispatches, 0);
    assert_int_equal(emu_report()->injected, 1);
}

/* The first dispatch fails the queue as is expected; nothing completes, and nothing more is
 * carried out. */
static void injected_error(const char *faults, uint32_t status)
{
    open_queue(faults);
    hsa_amd_register_system_event_handler(note_event, NULL);
    expect_failure(status);
    assert_int_equal(told_dispatches, 0);
    assert_int_equal(event_type, UINT32_MAX);
    assert_int_equal(emu_report()->injected, 1);
    assert_int_equal(emu_report()->end, EMU_DONE);
}

static void injected_queue_error(void)
{
    injected_error("queue_error:1", HSA_STATUS_ERROR_EXCEPTION);
}

static void injected_illegal_instruction(void)
{
    injected_error("illegal_instruction:1", HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION);
}

static void injected_event(const char *faults, uint32_t type, uint64_t detail)
{
    open_queue(faults);
    hsa_amd_register_system_event_handler(note_event, NULL);
    expect_hang();
    assert_int_equal(told_dispatches, 0);
    assert_int_equal(event_type, type);
    assert_int_equal(event_detail, detail);
    assert_int_equal(emu_report()->injected, 1);
    assert_int_equal(emu_report()->end, EMU_DONE);
}

static void injected_memory_fault(void)
{
    injected_event("memory_fault:1:0x5000", HSA_AMD_GPU_MEMORY_FAULT_EVENT, 0x5000);
}

static void injected_ecc(void)
{
    injected_event("ecc:1", EMU_EVENT_HW_EXCEPTION, EMU_HW_EXCEPTION_CAUSE_ECC);
}

static void injected_device_lost(void)
{
    injected_event("device_lost:1", EMU_EVENT_HW_EXCEPTION, EMU_HW_EXCEPTION_CAUSE_HANG);
    assert_int_equal(
        hsa_queue_create(emu_agent_gpu, RING, HSA_QUEUE_TYPE_MULTI, NULL, NULL, 0, 0, &queue),
        HSA_STATUS_ERROR_OUT_OF_RESOURCES);
}

static void injected_at_the_third(void)
{
    open_queue("queue_error:3");
    hsa_signal_t done = make_signal(3);
    for (int n = 0; n < 3; n++)
        submit_dispatch(done);
    assert_true(becomes_zero(failed, 20ull * SECOND));
    assert_int_equal(told_dispatches, 2);
    assert_int_equal(hsa_signal_load_relaxed(done), 1);
}

/* As of the real runtime: nobody handles the event, so the process ends by abort. */
static void unhandled_fault_aborts(void)
{
    open_queue("memory_fault:1");
    submit_dispatch(make_signal(1));
    sleep(20);
}

static void failing_reset(void)
{
    setenv("BULLETPROOF_EMULATE", "gfx1030", 1);
    setenv("BULLETPROOF_HSA_FAULTS", "failing_reset", 1);
    assert_int_equal(hsa_init(), HSA_STATUS_ERROR_OUT_OF_RESOURCES);
}

static void slow_reset(void)
{
    setenv("BULLETPROOF_EMULATE", "gfx1030", 1);
    setenv("BULLETPROOF_HSA_FAULTS", "slow_reset:1", 1);
    uint64_t start = emu_now();
    assert_int_equal(hsa_init(), HSA_STATUS_SUCCESS);
    assert_true(emu_now() - start >= SECOND);
}

static const struct queue_case cases[] = {
    CASE(injected_memory_fault),
    CASE(injected_queue_error),
    CASE(injected_illegal_instruction),
    CASE(injected_ecc),
    CASE(injected_device_lost),
    CASE(injected_hang),
    CASE(injected_at_the_third),
    {"unhandled_fault_aborts", unhandled_fault_aborts, SIGABRT},
    CASE(failing_reset),
    CASE(slow_reset),
};

static void each_in_a_process(void **state)
{
    (void)state;
    queue_run_each(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_in_a_process)};
    return cmocka_run_group_tests_name("emulator/injected", tests, NULL, NULL);
}
