#include "evaluator/emulator/packets.h"

#include <hsa/hsa_ext_amd.h>
#include <stdio.h>
#include <string.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/events.h"
#include "evaluator/emulator/faults.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/report.h"
#include "evaluator/emulator/signals.h"

#define DESCRIPTOR_BYTES 64u
#define DESCRIPTOR_PRIVATE_BYTES 4 /* where it has its scratch */

static uint64_t max_instructions;

/* What the queue is told of each end. A memory fault is an event only: the real runtime keeps it
 * from the queue ("more useful when reported through the system error handler"), which stands
 * still. */
static const hsa_status_t end_status[] = {
    [EMU_DONE] = HSA_STATUS_SUCCESS,
    [EMU_MEMORY_FAULT] = HSA_STATUS_SUCCESS,
    [EMU_ILLEGAL_INSTRUCTION] = (hsa_status_t)HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION,
    [EMU_UNIMPLEMENTED] = (hsa_status_t)EMU_STATUS_GAP,
    [EMU_TRAP] = HSA_STATUS_ERROR_EXCEPTION,
    [EMU_LDS_FAULT] = (hsa_status_t)HSA_STATUS_ERROR_MEMORY_APERTURE_VIOLATION,
    [EMU_BUDGET] = HSA_STATUS_SUCCESS,
    [EMU_STOPPED] = HSA_STATUS_SUCCESS,
    [EMU_FAILED] = (hsa_status_t)EMU_STATUS_GAP,
};

void emu_packets_limit(uint64_t instructions)
{
    max_instructions = instructions;
}

static void hang(volatile bool *stop)
{
    while (!*stop) {
        uint64_t ticket = emu_bell_ticket();
        if (!*stop)
            emu_bell_wait(ticket, 1000 * EMU_SIGNAL_POLL_NS);
    }
}

static hsa_status_t strike(const struct emu_fault *fault, volatile bool *stop)
{
    switch (fault->effect) {
    case EMU_EFFECT_MEMORY_FAULT:
        emu_event_memory_fault(fault->argument);
        break;
    case EMU_EFFECT_DEVICE_LOST:
        emu_device_lose();
        emu_event_hw_exception(EMU_HW_EXCEPTION_CAUSE_HANG);
        break;
    case EMU_EFFECT_ECC:
        emu_event_hw_exception(EMU_HW_EXCEPTION_CAUSE_ECC);
        break;
    case EMU_EFFECT_HANG:
        break;
    case EMU_EFFECT_STATUS:
    case EMU_EFFECT_SLEEP:
        return fault->status;
    }
    hang(stop);
    return HSA_STATUS_SUCCESS;
}

/* Kernels can write to descriptors, as to all of a code object that is loaded. */
static bool scratch_fits(const hsa_kernel_dispatch_packet_t *packet)
{
    uint32_t private_bytes;
    memcpy(&private_bytes, (const char *)packet->kernel_object + DESCRIPTOR_PRIVATE_BYTES,
           sizeof private_bytes);
    return private_bytes <= EMU_MAX_PRIVATE_BYTES &&
           packet->private_segment_size <= EMU_MAX_PRIVATE_BYTES;
}

/* What a packet processor refuses before a wave is started. */
static hsa_status_t check_dispatch(const hsa_kernel_dispatch_packet_t *packet,
                                   struct emu_reach *reach)
{
    const struct emu_target *target = emu_agents_target();
    uint64_t items =
        (uint64_t)packet->workgroup_size_x * packet->workgroup_size_y * packet->workgroup_size_z;
    if (items == 0 || items > target->workgroup_max)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    if (packet->grid_size_x == 0 || packet->grid_size_y == 0 || packet->grid_size_z == 0)
        return HSA_STATUS_ERROR_INCOMPATIBLE_ARGUMENTS;
    if (packet->group_segment_size > target->lds_bytes)
        return HSA_STATUS_ERROR_INVALID_ALLOCATION;
    if (!emu_reach_allows(reach, packet->kernel_object, DESCRIPTOR_BYTES, false))
        return HSA_STATUS_ERROR_INVALID_CODE_OBJECT;
    return scratch_fits(packet) ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_OUT_OF_RESOURCES;
}

/* Tells everybody who is to know how a dispatch ended that did not complete. */
static hsa_status_t fail(const struct emu_outcome *outcome, volatile bool *stop)
{
    fprintf(stderr, "emulator: %s: %s\n", emu_end_name(outcome->end), outcome->what);
    emu_report_failure(outcome->end, outcome->address, outcome->what);
    if (outcome->end == EMU_MEMORY_FAULT)
        emu_event_memory_fault(outcome->address);
    bool gap = outcome->end == EMU_UNIMPLEMENTED || outcome->end == EMU_FAILED;
    bool taken = gap && emu_event_gap();
    if (!taken && end_status[outcome->end] != HSA_STATUS_SUCCESS)
        return end_status[outcome->end];
    hang(stop);
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t execute(const hsa_kernel_dispatch_packet_t *packet, const hsa_queue_t *queue,
                            struct emu_reach *reach, volatile bool *stop)
{
    const struct emu_dispatch dispatch = {
        .isa = emu_agents_target()->isa,
        .kernel_descriptor = (const void *)packet->kernel_object,
        .grid = {packet->grid_size_x, packet->grid_size_y, packet->grid_size_z},
        .workgroup = {packet->workgroup_size_x, packet->workgroup_size_y, packet->workgroup_size_z},
        .lds_bytes = packet->group_segment_size,
        .private_bytes = packet->private_segment_size,
        .kernarg = packet->kernarg_address,
        .packet = packet,
        .queue = queue,
        .max_instructions = max_instructions,
        .may_access = emu_reach_allows,
        .ctx = reach,
        .stop = stop,
    };
    struct emu_outcome outcome = {0};
    if (emu_dispatch_run(&dispatch, &outcome) != 0)
        outcome.end = EMU_FAILED;
    if (outcome.end == EMU_STOPPED)
        return HSA_STATUS_SUCCESS;
    emu_report_counters(&outcome.counters);
    return outcome.end == EMU_DONE ? HSA_STATUS_SUCCESS : fail(&outcome, stop);
}

static hsa_status_t run_dispatch(const void *packet, const hsa_queue_t *queue, volatile bool *stop)
{
    const struct emu_fault *fault = emu_fault_strikes(EMU_AT_DISPATCH);
    if (fault)
        return strike(fault, stop);
    if (emu_device_lost()) {
        hang(stop);
        return HSA_STATUS_SUCCESS;
    }
    struct emu_reach reach = {0};
    hsa_status_t status = check_dispatch(packet, &reach);
    return status == HSA_STATUS_SUCCESS ? execute(packet, queue, &reach, stop) : status;
}

/* Waits for all, or any, of the signals to become zero. */
static hsa_status_t wait_for_signals(const hsa_barrier_and_packet_t *barrier, bool any,
                                     volatile bool *stop)
{
    while (!*stop) {
        uint64_t ticket = emu_bell_ticket();
        unsigned present = 0, zero = 0;
        for (unsigned n = 0; n < 5; n++) {
            if (!barrier->dep_signal[n].handle)
                continue;
            present++;
            zero += emu_signal_load(barrier->dep_signal[n]) == 0;
        }
        if (zero == present || (any && zero))
            break;
        emu_bell_wait(ticket, EMU_SIGNAL_POLL_NS);
    }
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t run_barrier_and(const void *packet, const hsa_queue_t *queue,
                                    volatile bool *stop)
{
    (void)queue;
    return wait_for_signals(packet, false, stop);
}

static hsa_status_t run_barrier_or(const void *packet, const hsa_queue_t *queue,
                                   volatile bool *stop)
{
    (void)queue;
    return wait_for_signals(packet, true, stop);
}

static hsa_status_t run_barrier_value(const void *packet, const hsa_queue_t *queue,
                                      volatile bool *stop)
{
    (void)queue;
    const hsa_amd_barrier_value_packet_t *barrier = packet;
    if (barrier->header.AmdFormat != HSA_AMD_PACKET_TYPE_BARRIER_VALUE)
        return HSA_STATUS_ERROR_INVALID_PACKET_FORMAT;
    while (barrier->signal.handle && !*stop) {
        uint64_t ticket = emu_bell_ticket();
        int64_t value = emu_signal_load(barrier->signal) & barrier->mask;
        if (emu_condition_holds(value, barrier->cond, barrier->value))
            break;
        emu_bell_wait(ticket, EMU_SIGNAL_POLL_NS);
    }
    return HSA_STATUS_SUCCESS;
}

hsa_status_t emu_packet_run(const void *packet, const hsa_queue_t *queue, volatile bool *stop)
{
    static hsa_status_t (*const types[])(const void *, const hsa_queue_t *, volatile bool *) = {
        [HSA_PACKET_TYPE_VENDOR_SPECIFIC] = run_barrier_value,
        [HSA_PACKET_TYPE_KERNEL_DISPATCH] = run_dispatch,
        [HSA_PACKET_TYPE_BARRIER_AND] = run_barrier_and,
        [HSA_PACKET_TYPE_BARRIER_OR] = run_barrier_or,
    };
    /* The completion signal is the last field of every type. */
    _Static_assert(offsetof(hsa_kernel_dispatch_packet_t, completion_signal) == 56, "");
    _Static_assert(offsetof(hsa_barrier_and_packet_t, completion_signal) == 56, "");
    _Static_assert(offsetof(hsa_amd_barrier_value_packet_t, completion_signal) == 56, "");
    const hsa_kernel_dispatch_packet_t *dispatch = packet;
    unsigned type = (dispatch->header >> HSA_PACKET_HEADER_TYPE) & 0xff;
    if (type >= sizeof(types) / sizeof(types[0]) || !types[type])
        return HSA_STATUS_ERROR_INVALID_PACKET_FORMAT;
    uint64_t start = emu_now();
    hsa_status_t status = types[type](packet, queue, stop);
    if (status == HSA_STATUS_SUCCESS && !*stop)
        emu_signal_complete(dispatch->completion_signal, start, emu_now());
    return status;
}
