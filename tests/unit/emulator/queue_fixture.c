#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "tests/unit/emulator/queue_fixture.h"

hsa_queue_t *queue;
char *memory;
hsa_signal_t failed;
volatile hsa_status_t status_of_queue;
volatile uint32_t event_type = UINT32_MAX;
volatile uint64_t event_detail;
hsa_status_t handler_answers = HSA_STATUS_SUCCESS;

static void note_failure(hsa_status_t status, hsa_queue_t *source, void *data)
{
    if (source == queue && data == &failed)
        status_of_queue = status;
    hsa_signal_store_relaxed(failed, 0);
}

hsa_status_t note_event(const hsa_amd_event_t *event, void *data)
{
    (void)data;
    const struct emu_hw_exception_event *exception = (const void *)event;
    event_detail = event->event_type == HSA_AMD_GPU_MEMORY_FAULT_EVENT
                       ? event->memory_fault.virtual_address
                       : exception->reset_cause;
    event_type = event->event_type;
    return handler_answers;
}

hsa_signal_t make_signal(int64_t value)
{
    hsa_signal_t signal;
    hsa_signal_create(value, 0, NULL, &signal);
    return signal;
}

void open_queue(const char *faults)
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

void submit(const void *packet, unsigned type)
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

hsa_kernel_dispatch_packet_t dispatch_of(hsa_signal_t completion)
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

void submit_dispatch(hsa_signal_t completion)
{
    hsa_kernel_dispatch_packet_t packet = dispatch_of(completion);
    submit(&packet, HSA_PACKET_TYPE_KERNEL_DISPATCH);
}

bool becomes_zero(hsa_signal_t signal, uint64_t timeout)
{
    return hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_EQ, 0, timeout,
                                     HSA_WAIT_STATE_BLOCKED) == 0;
}

void expect_hang(void)
{
    hsa_signal_t done = make_signal(1);
    submit_dispatch(done);
    assert_false(becomes_zero(done, 30000000));
    assert_int_equal(hsa_signal_load_relaxed(failed), 1);
    assert_int_equal(hsa_queue_destroy(queue), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_signal_load_relaxed(done), 1);
}

void expect_failure(uint32_t status)
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

void queue_run_each(const struct queue_case *cases, size_t count)
{
    for (size_t n = 0; n < count; n++) {
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
