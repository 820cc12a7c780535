/* Queues: packets in their order, what a dispatch is given, and what becomes of each way in which one
 * can end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/report.h"
#include "tests/unit/emulator/queue_fixture.h"

static void dispatches_run_in_order(void)
{
    open_queue("");
    told_outcome.counters.valu = 3;
    enum { MANY = 200 }; /* more than the ring holds */
    hsa_signal_t done = make_signal(MANY);
    for (int n = 0; n < MANY; n++)
        submit_dispatch(done);
    assert_true(becomes_zero(done, 20ull * SECOND));
    assert_int_equal(told_dispatches, MANY);
    assert_string_equal(told_dispatch.isa, "gfx1030");
    assert_ptr_equal(told_dispatch.kernel_descriptor, memory);
    assert_ptr_equal(told_dispatch.kernarg, memory + 1024);
    assert_ptr_equal(told_dispatch.queue, queue);
    assert_int_equal(told_dispatch.grid[0], 640);
    assert_int_equal(told_dispatch.workgroup[1], 2);
    assert_int_equal(told_dispatch.lds_bytes, 1024);
    assert_int_equal(told_dispatch.private_bytes, 16);
    assert_int_equal(emu_report()->dispatches, MANY);
    assert_int_equal(emu_report()->counters.valu, 3 * MANY);
    assert_int_equal(emu_report()->end, EMU_DONE);
    struct emu_reach reach = {0};
    assert_true(emu_reach_allows(&reach, (uint64_t)queue, 64, false));
    assert_false(emu_reach_allows(&reach, (uint64_t)queue, 1, true));
    assert_true(emu_reach_allows(&reach, (uint64_t)told_dispatch.packet, 64, false));
    assert_false(emu_reach_allows(&reach, (uint64_t)told_dispatch.packet, 64, true));
    assert_int_equal(hsa_queue_destroy(queue), HSA_STATUS_SUCCESS);
}

static void barriers_wait(void)
{
    open_queue("");
    hsa_signal_t gates[2] = {make_signal(1), make_signal(4)}, done = make_signal(3);
    hsa_barrier_and_packet_t both = {.dep_signal = {gates[0], gates[1]}, .completion_signal = done};
    hsa_amd_barrier_value_packet_t value = {.header.AmdFormat = HSA_AMD_PACKET_TYPE_BARRIER_VALUE,
                                            .signal = gates[1],
                                            .value = 8,
                                            .mask = 8,
                                            .cond = HSA_SIGNAL_CONDITION_EQ,
                                            .completion_signal = done};
    uint32_t format = HSA_AMD_PACKET_TYPE_BARRIER_VALUE
                      << 16; /* is in the head that is written last */
    memcpy(&value, &format, sizeof(format));
    submit(&both, HSA_PACKET_TYPE_BARRIER_AND);
    submit(&value, HSA_PACKET_TYPE_VENDOR_SPECIFIC);
    submit(&both, HSA_PACKET_TYPE_BARRIER_OR);
    hsa_signal_store_relaxed(gates[0], 0);
    assert_false(becomes_zero(done, 10000000));
    assert_int_equal(hsa_signal_load_relaxed(done), 3);
    hsa_signal_store_relaxed(gates[1], 0);
    assert_false(becomes_zero(done, 10000000));
    assert_int_equal(hsa_signal_load_relaxed(done), 2);
    hsa_signal_store_relaxed(gates[1], 12);
    assert_true(becomes_zero(done, 20ull * SECOND));
}

/* A dispatch never ends: it is not complete, nor is there an error, until the queue goes. */
static void queue_stops_a_dispatch(void)
{
    open_queue("");
    told_to_wait = true;
    expect_hang();
    assert_int_equal(told_dispatches, 1);
}

static void budget_becomes_a_hang(void)
{
    open_queue("");
    told_outcome = (struct emu_outcome){.end = EMU_BUDGET, .what = "too many"};
    expect_hang();
    assert_int_equal(emu_report()->end, EMU_BUDGET);
}

static void end_becomes_an_error(enum emu_end end, uint32_t status)
{
    open_queue("");
    hsa_amd_register_system_event_handler(note_event, NULL);
    told_outcome = (struct emu_outcome){.end = end, .address = FAULT_ADDRESS, .what = "told so"};
    expect_failure(status);
    assert_int_equal(told_dispatches, 1);
    assert_int_equal(emu_report()->end, end);
    assert_int_equal(emu_report()->address, FAULT_ADDRESS);
    assert_string_equal(emu_report()->what, "told so");
    assert_int_equal(emu_report()->injected, 0);
    assert_int_equal(event_type, UINT32_MAX);
}

/* It is an event, which somebody handles here, and no error of the queue's. */
static void end_memory_fault(void)
{
    open_queue("");
    hsa_amd_register_system_event_handler(note_event, NULL);
    told_outcome =
        (struct emu_outcome){.end = EMU_MEMORY_FAULT, .address = FAULT_ADDRESS, .what = "told so"};
    expect_hang();
    assert_int_equal(event_type, HSA_AMD_GPU_MEMORY_FAULT_EVENT);
    assert_int_equal(event_detail, FAULT_ADDRESS / EMU_PAGE * EMU_PAGE);
    assert_int_equal(emu_report()->end, EMU_MEMORY_FAULT);
    assert_int_equal(emu_report()->address, FAULT_ADDRESS);
}

static void end_illegal_instruction(void)
{
    end_becomes_an_error(EMU_ILLEGAL_INSTRUCTION, HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION);
}

/* A gap of ours: whoever knows its event takes it, and is not struck down by a runtime that
 * aborts. */
static void end_unimplemented(void)
{
    open_queue("");
    hsa_amd_register_system_event_handler(note_event, NULL);
    told_outcome = (struct emu_outcome){.end = EMU_UNIMPLEMENTED, .what = "v_unheard_of"};
    expect_hang();
    assert_int_equal(event_type, EMU_EVENT_GAP);
    assert_int_equal(emu_report()->end, EMU_UNIMPLEMENTED);
    assert_string_equal(emu_report()->what, "v_unheard_of");
}

static void end_failed(void)
{
    open_queue("");
    hsa_amd_register_system_event_handler(note_event, NULL);
    told_outcome = (struct emu_outcome){.end = EMU_FAILED, .what = "no memory"};
    expect_hang();
    assert_int_equal(event_type, EMU_EVENT_GAP);
    assert_int_equal(emu_report()->end, EMU_FAILED);
    assert_string_equal(emu_report()->what, "no memory");
}

static void end_unimplemented_untaken(void)
{
    open_queue("");
    handler_answers = HSA_STATUS_ERROR;
    hsa_amd_register_system_event_handler(note_event, NULL);
    told_outcome = (struct emu_outcome){.end = EMU_UNIMPLEMENTED, .what = "v_unheard_of"};
    expect_failure(EMU_STATUS_GAP);
    assert_int_equal(event_type, EMU_EVENT_GAP);
}

static void end_trap(void)
{
    end_becomes_an_error(EMU_TRAP, HSA_STATUS_ERROR_EXCEPTION);
}

static void end_lds_fault(void)
{
    end_becomes_an_error(EMU_LDS_FAULT, HSA_STATUS_ERROR_MEMORY_APERTURE_VIOLATION);
}

static void refuses(void (*spoil)(hsa_kernel_dispatch_packet_t *), uint32_t status)
{
    open_queue("");
    hsa_kernel_dispatch_packet_t packet = dispatch_of(make_signal(1));
    spoil(&packet);
    submit(&packet, HSA_PACKET_TYPE_KERNEL_DISPATCH);
    assert_true(becomes_zero(failed, 20ull * SECOND));
    assert_int_equal(status_of_queue, status);
    assert_int_equal(told_dispatches, 0);
}

static void spoil_workgroup(hsa_kernel_dispatch_packet_t *packet)
{
    packet->workgroup_size_x = 1024;
}

static void spoil_grid(hsa_kernel_dispatch_packet_t *packet)
{
    packet->grid_size_y = 0;
}

static void spoil_lds(hsa_kernel_dispatch_packet_t *packet)
{
    packet->group_segment_size = 65537;
}

static void spoil_scratch(hsa_kernel_dispatch_packet_t *packet)
{
    packet->private_segment_size = (2u << 20) + 1;
}

/* As a kernel of the same object can do it. */
static void spoil_descriptor(hsa_kernel_dispatch_packet_t *packet)
{
    const uint32_t private_bytes = UINT32_MAX;
    memcpy((char *)packet->kernel_object + 4, &private_bytes, sizeof private_bytes);
}

static void spoil_kernel(hsa_kernel_dispatch_packet_t *packet)
{
    packet->kernel_object = (uint64_t)memory + 4096 - 32;
}

static void refuses_a_workgroup(void)
{
    refuses(spoil_workgroup, HSA_STATUS_ERROR_INVALID_ARGUMENT);
}

static void refuses_an_empty_grid(void)
{
    refuses(spoil_grid, HSA_STATUS_ERROR_INCOMPATIBLE_ARGUMENTS);
}

static void refuses_too_much_lds(void)
{
    refuses(spoil_lds, HSA_STATUS_ERROR_INVALID_ALLOCATION);
}

static void refuses_too_much_scratch(void)
{
    refuses(spoil_scratch, HSA_STATUS_ERROR_OUT_OF_RESOURCES);
}

static void refuses_a_descriptor_with_too_much(void)
{
    refuses(spoil_descriptor, HSA_STATUS_ERROR_OUT_OF_RESOURCES);
}

static void refuses_no_kernel(void)
{
    refuses(spoil_kernel, HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
}

static void refuses_a_packet(void)
{
    open_queue("");
    hsa_kernel_dispatch_packet_t packet = dispatch_of(make_signal(1));
    submit(&packet, HSA_PACKET_TYPE_AGENT_DISPATCH);
    assert_true(becomes_zero(failed, 20ull * SECOND));
    assert_int_equal(status_of_queue, HSA_STATUS_ERROR_INVALID_PACKET_FORMAT);
}

static void unknown_target(void)
{
    setenv("BULLETPROOF_EMULATE", "gfx906", 1);
    assert_int_equal(hsa_init(), HSA_STATUS_ERROR);
    unsetenv("BULLETPROOF_EMULATE");
    assert_int_equal(hsa_init(), HSA_STATUS_ERROR);
}

static const struct queue_case cases[] = {
    CASE(dispatches_run_in_order),
    CASE(barriers_wait),
    CASE(queue_stops_a_dispatch),
    CASE(budget_becomes_a_hang),
    CASE(end_memory_fault),
    CASE(end_illegal_instruction),
    CASE(end_unimplemented),
    CASE(end_failed),
    CASE(end_unimplemented_untaken),
    CASE(end_trap),
    CASE(end_lds_fault),
    CASE(refuses_a_workgroup),
    CASE(refuses_an_empty_grid),
    CASE(refuses_too_much_lds),
    CASE(refuses_too_much_scratch),
    CASE(refuses_a_descriptor_with_too_much),
    CASE(refuses_no_kernel),
    CASE(refuses_a_packet),
    CASE(unknown_target),
};

static void each_in_a_process(void **state)
{
    (void)state;
    queue_run_each(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_in_a_process)};
    return cmocka_run_group_tests_name("emulator/queues", tests, NULL, NULL);
}
