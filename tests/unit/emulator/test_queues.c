/* Queues: packets in their order, what a dispatch is given, and what becomes of each way in
 * which one can end, of one's own or injected. Each case has a process of its own, as a queue
 * that failed stays so. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/report.h"
#include "evaluator/emulator/signals.h"
#include "tests/unit/emulator/told_dispatch.h"

#define SECOND 1000000000u
#define RING 64u
#define FAULT_ADDRESS 0x7123456789abu

hsa_status_t hsa_init(void);

static hsa_queue_t *queue;
static char *memory;        /* of the device, a page: a descriptor, and a kernarg segment at 1024 */
static hsa_signal_t failed; /* 1 until the queue has failed */
static volatile hsa_status_t status_of_queue;
static volatile uint32_t event_type = UINT32_MAX;
static volatile uint64_t event_detail;
static hsa_status_t handler_answers = HSA_STATUS_SUCCESS;

static void note_failure(hsa_status_t status, hsa_queue_t *source, void *data)
{
    if (source == queue && data == &failed)
        status_of_queue = status;
    hsa_signal_store_relaxed(failed, 0);
}

static hsa_status_t note_event(const hsa_amd_event_t *event, void *data)
{
    (void)data;
    const struct emu_hw_exception_event *exception = (const void *)event;
    event_detail = event->event_type == HSA_AMD_GPU_MEMORY_FAULT_EVENT
                       ? event->memory_fault.virtual_address
                       : exception->reset_cause;
    event_type = event->event_type;
    return handler_answers;
}

static hsa_signal_t make_signal(int64_t value)
{
    hsa_signal_t signal;
    hsa_signal_create(value, 0, NULL, &signal);
    return signal;
}

static void open_queue(const char *faults)
{
    setenv("BULLETPROOF_EMULATE", "gfx1030", 1);
    setenv("BULLETPROOF_HSA_FAULTS", faults, 1);
    assert_int_equal(hsa_init(), HSA_STATUS_SUCCESS);
    failed = make_signal(1);
    assert_int_equal(hsa_queue_create(emu_agent_gpu, RING, HSA_QUEUE_TYPE_MULTI, note_failure,
                                      &failed, 0, 0, &queue),
                     HSA_STATUS_SUCCESS);
    void *page;
    assert_int_equal(emu_range_allocate(EMU_RANGE_DEVICE, 4096, &page), HSA_STATUS_SUCCESS);
    memory = page;
}

/* Writes a packet as a runtime does: the header last, then the doorbell. */
static void submit(const void *packet, unsigned type)
{
    uint64_t index = hsa_queue_add_write_index_screlease(queue, 1);
    while (index - hsa_queue_load_read_index_scacquire(queue) >= RING)
        usleep(1000);
    char *slot = (char *)queue->base_address + index % RING * 64;
    memcpy(slot + 4, (const char *)packet + 4, 60);
    uint32_t head;
    memcpy(&head, packet, sizeof(head));
    head = (head & 0xffff0000u) | type << HSA_PACKET_HEADER_TYPE;
    __atomic_store_n((uint32_t *)(void *)slot, head, __ATOMIC_RELEASE);
    hsa_signal_store_screlease(queue->doorbell_signal, (hsa_signal_value_t)index);
}

static hsa_kernel_dispatch_packet_t dispatch_of(hsa_signal_t completion)
{
    return (hsa_kernel_dispatch_packet_t){.setup = 3,
                                          .workgroup_size_x = 64,
                                          .workgroup_size_y = 2,
                                          .workgroup_size_z = 1,
                                          .grid_size_x = 640,
                                          .grid_size_y = 4,
                                          .grid_size_z = 1,
                                          .private_segment_size = 16,
                                          .group_segment_size = 1024,
                                          .kernel_object = (uint64_t)memory,
                                          .kernarg_address = memory + 1024,
                                          .completion_signal = completion};
}

static void submit_dispatch(hsa_signal_t completion)
{
    hsa_kernel_dispatch_packet_t packet = dispatch_of(completion);
    submit(&packet, HSA_PACKET_TYPE_KERNEL_DISPATCH);
}

static bool becomes_zero(hsa_signal_t signal, uint64_t timeout)
{
    return hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_EQ, 0, timeout,
                                     HSA_WAIT_STATE_BLOCKED) == 0;
}

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
static void expect_hang(void)
{
    hsa_signal_t done = make_signal(1);
    submit_dispatch(done);
    assert_false(becomes_zero(done, 30000000));
    assert_int_equal(hsa_signal_load_relaxed(failed), 1);
    assert_int_equal(hsa_queue_destroy(queue), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_signal_load_relaxed(done), 1);
}

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

static void injected_hang(void)
{
    open_queue("hang:1");
    expect_hang();
    assert_int_equal(told_dispatches, 0);
    assert_int_equal(emu_report()->injected, 1);
}

/* The first dispatch fails the queue as is expected; nothing completes, and nothing more is
 * carried out. */
static void expect_failure(uint32_t status)
{
    hsa_signal_t done = make_signal(2);
    submit_dispatch(done);
    assert_true(becomes_zero(failed, 20ull * SECOND));
    assert_int_equal(status_of_queue, status);
    unsigned dispatches = told_dispatches;
    submit_dispatch(done);
    assert_false(becomes_zero(done, 10000000));
    assert_int_equal(hsa_signal_load_relaxed(done), 2);
    assert_int_equal(told_dispatches, dispatches);
    const char *text;
    assert_int_equal(hsa_status_string((hsa_status_t)status, &text), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_queue_destroy(queue), HSA_STATUS_SUCCESS);
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

static void unknown_target(void)
{
    setenv("BULLETPROOF_EMULATE", "gfx906", 1);
    assert_int_equal(hsa_init(), HSA_STATUS_ERROR);
    unsetenv("BULLETPROOF_EMULATE");
    assert_int_equal(hsa_init(), HSA_STATUS_ERROR);
}

static const struct {
    const char *name;
    void (*run)(void);
    int signal; /* that must end it; 0: none */
} cases[] = {
#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name, 0                                                                             \
    }
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
    CASE(unknown_target),
#undef CASE
};

/* A failed assertion outside of a test of cmocka's ends the process with its message. */
static void each_in_a_process(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        pid_t child = fork();
        if (child == 0) {
            struct rlimit no_core = {0, 0};
            setrlimit(RLIMIT_CORE, &no_core);
            cases[n].run();
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        bool right = cases[n].signal ? WIFSIGNALED(status) && WTERMSIG(status) == cases[n].signal
                                     : WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!right)
            fail_msg("%s: wait status %x", cases[n].name, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_in_a_process)};
    return cmocka_run_group_tests_name("emulator/queues", tests, NULL, NULL);
}
