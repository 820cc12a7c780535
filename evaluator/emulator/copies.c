/* copies.c: the copy engine, a thread that copies in the order of the requests. */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/emulator/events.h"
#include "evaluator/emulator/faults.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/signals.h"

struct copy {
    struct copy *next;
    void *to;
    const void *from;
    size_t bytes;
    hsa_signal_t completion;
    uint32_t dependency_count;
    hsa_signal_t dependencies[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct copy *first, **last = &first;
static bool thread_runs;

static struct copy *take_first(void)
{
    pthread_mutex_lock(&mutex);
    struct copy *copy = first;
    if (copy) {
        first = copy->next;
        if (!first)
            last = &first;
    }
    pthread_mutex_unlock(&mutex);
    return copy;
}

/* A copy that touches what the device may not touch faults, and never completes. */
static void perform(const struct copy *copy)
{
    for (uint32_t n = 0; n < copy->dependency_count; n++)
        hsa_signal_wait_scacquire(copy->dependencies[n], HSA_SIGNAL_CONDITION_EQ, 0, UINT64_MAX,
                                  HSA_WAIT_STATE_BLOCKED);
    if (emu_device_lost())
        return;
    struct emu_reach reach = {0};
    bool from = emu_reach_allows(&reach, (uint64_t)copy->from, copy->bytes, false);
    if (!from || !emu_reach_allows(&reach, (uint64_t)copy->to, copy->bytes, true)) {
        uint64_t address = (uint64_t)(from ? copy->to : copy->from);
        emu_report_failure(EMU_MEMORY_FAULT, address, "a copy of memory the device cannot reach");
        emu_event_memory_fault(address);
        return;
    }
    uint64_t start = emu_now();
    memmove(copy->to, copy->from, copy->bytes);
    emu_signal_complete(copy->completion, start, emu_now());
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t ticket = emu_bell_ticket();
        struct copy *copy = take_first();
        if (copy)
            perform(copy);
        else
            emu_bell_wait(ticket, 1000 * EMU_SIGNAL_POLL_NS);
        free(copy);
    }
    return NULL;
}

static bool enqueue(struct copy *copy)
{
    pthread_mutex_lock(&mutex);
    pthread_t thread;
    if (!thread_runs && pthread_create(&thread, NULL, serve, NULL) == 0) {
        pthread_detach(thread);
        thread_runs = true;
    }
    bool runs = thread_runs;
    if (runs) {
        *last = copy;
        last = &copy->next;
    }
    pthread_mutex_unlock(&mutex);
    emu_bell_ring();
    return runs;
}

hsa_status_t hsa_amd_memory_async_copy(void *to, hsa_agent_t to_agent, const void *from,
                                       hsa_agent_t from_agent, size_t size,
                                       uint32_t dependency_count, const hsa_signal_t *dependencies,
                                       hsa_signal_t completion)
{
    (void)to_agent;
    (void)from_agent;
    if (!to || !from || (dependency_count && !dependencies))
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    struct copy *copy = malloc(sizeof(*copy) + dependency_count * sizeof(*dependencies));
    if (!copy)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    *copy = (struct copy){NULL, to, from, size, completion, dependency_count};
    for (uint32_t n = 0; n < dependency_count; n++)
        copy->dependencies[n] = dependencies[n];
    if (enqueue(copy))
        return HSA_STATUS_SUCCESS;
    free(copy);
    return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
}

hsa_status_t hsa_amd_memory_async_copy_on_engine(void *to, hsa_agent_t to_agent, const void *from,
                                                 hsa_agent_t from_agent, size_t bytes,
                                                 uint32_t dependency_count,
                                                 const hsa_signal_t *dependencies,
                                                 hsa_signal_t completion,
                                                 hsa_amd_sdma_engine_id_t engine, bool force)
{
    (void)engine;
    (void)force;
    return hsa_amd_memory_async_copy(to, to_agent, from, from_agent, bytes, dependency_count,
                                     dependencies, completion);
}

static hsa_status_t first_engine(uint32_t *engines)
{
    if (!engines)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    *engines = 1;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_amd_memory_copy_engine_status(hsa_agent_t to, hsa_agent_t from, uint32_t *engines)
{
    (void)to;
    (void)from;
    return first_engine(engines);
}

hsa_status_t hsa_amd_memory_get_preferred_copy_engine(hsa_agent_t to, hsa_agent_t from,
                                                      uint32_t *engines)
{
    (void)to;
    (void)from;
    return first_engine(engines);
}

hsa_status_t hsa_memory_copy(void *to, const void *from, size_t size)
{
    if (!to || !from)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    memmove(to, from, size);
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_amd_profiling_get_async_copy_time(hsa_signal_t signal,
                                                   hsa_amd_profiling_async_copy_time_t *time)
{
    if (!signal.handle || !time)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    time->start = emu_signal(signal)->start_ts;
    time->end = emu_signal(signal)->end_ts;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_amd_profiling_async_copy_enable(bool enable)
{
    (void)enable; /* times are always noted */
    return HSA_STATUS_SUCCESS;
}
