#include "evaluator/emulator/events.h"

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/report.h"

#define MAX_HANDLERS 16

struct handler {
    hsa_amd_system_event_callback_t function;
    void *data;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct handler handlers[MAX_HANDLERS];
static size_t handler_count;
static struct emu_report report;

hsa_status_t hsa_amd_register_system_event_handler(hsa_amd_system_event_callback_t callback,
                                                   void *data)
{
    if (!callback)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    hsa_status_t status = HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    pthread_mutex_lock(&mutex);
    if (handler_count < MAX_HANDLERS) {
        handlers[handler_count++] = (struct handler){callback, data};
        status = HSA_STATUS_SUCCESS;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

/* Handlers run without the lock, as they may call anything. */
static bool told(const void *event)
{
    struct handler copy[MAX_HANDLERS];
    pthread_mutex_lock(&mutex);
    size_t count = handler_count;
    for (size_t n = 0; n < count; n++)
        copy[n] = handlers[n];
    pthread_mutex_unlock(&mutex);
    bool handled = false;
    for (size_t n = 0; n < count; n++)
        handled |= copy[n].function(event, copy[n].data) == HSA_STATUS_SUCCESS;
    return handled;
}

void emu_event_memory_fault(uint64_t address)
{
    uint64_t page = address / EMU_PAGE * EMU_PAGE; /* all that a device knows */
    hsa_amd_event_t event = {
        .event_type = HSA_AMD_GPU_MEMORY_FAULT_EVENT,
        .memory_fault = {emu_agent_gpu, page, HSA_AMD_MEMORY_FAULT_PAGE_NOT_PRESENT}};
    if (told(&event))
        return;
    fprintf(stderr,
            "Memory access fault by GPU node-1 (Agent handle: 0x%llx) on address 0x%llx. Reason: "
            "Page not present or supervisor privilege.\n",
            (unsigned long long)emu_agent_gpu.handle, (unsigned long long)page);
    abort();
}

void emu_event_hw_exception(uint32_t cause)
{
    const union {
        struct emu_hw_exception_event exception;
        hsa_amd_event_t event; /* a handler may copy all of it */
    } event = {{EMU_EVENT_HW_EXCEPTION, emu_agent_gpu, EMU_HW_EXCEPTION_RESET_OTHER, cause}};
    if (told(&event))
        return;
    fprintf(stderr, "HW Exception by GPU node-1 (Agent handle: 0x%llx) reason :%s\n",
            (unsigned long long)emu_agent_gpu.handle,
            cause == EMU_HW_EXCEPTION_CAUSE_ECC ? "ECC" : "GPU Hang");
    abort();
}

bool emu_event_gap(void)
{
    const union {
        struct {
            uint32_t type;
            hsa_agent_t agent;
        };
        hsa_amd_event_t event; /* a handler may copy all of it */
    } event = {{EMU_EVENT_GAP, emu_agent_gpu}};
    return told(&event);
}

const struct emu_report *emu_report(void)
{
    return &report;
}

void emu_report_failure(enum emu_end end, uint64_t address, const char *what)
{
    pthread_mutex_lock(&mutex);
    if (report.end == EMU_DONE) {
        report.address = address;
        snprintf(report.what, sizeof(report.what), "%s", what);
        __atomic_store_n(&report.end, end, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&mutex);
}

void emu_report_injected(const char *fault)
{
    pthread_mutex_lock(&mutex);
    if (!report.injected && !report.what[0])
        snprintf(report.what, sizeof(report.what), "injected %s", fault);
    report.injected = 1;
    pthread_mutex_unlock(&mutex);
}

void emu_report_counters(const struct emu_counters *counters)
{
    pthread_mutex_lock(&mutex);
    struct emu_counters *sum = &report.counters;
    sum->salu += counters->salu;
    sum->valu += counters->valu;
    sum->matrix += counters->matrix;
    sum->lds += counters->lds;
    sum->vmem += counters->vmem;
    sum->smem += counters->smem;
    sum->wait += counters->wait;
    sum->branch += counters->branch;
    sum->other += counters->other;
    report.dispatches++;
    pthread_mutex_unlock(&mutex);
}
