#include "evaluator/emulator/signals.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "evaluator/emulator/ranges.h"

#define SLAB_SIGNALS 1024u

static pthread_mutex_t bell_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell;
static pthread_once_t bell_once = PTHREAD_ONCE_INIT;
static uint64_t rings;

/* Signals lie in slabs that are never unmapped: whoever still looks at a signal that was
 * destroyed reads memory that is there. A kernel can write to them, so which are free is not
 * written in them. */
static pthread_mutex_t slab_mutex = PTHREAD_MUTEX_INITIALIZER;
static amd_signal_t **free_signals; /* has room for all there are */
static size_t free_count, signal_count;

uint64_t emu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void make_bell(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&bell, &attributes);
    pthread_condattr_destroy(&attributes);
}

uint64_t emu_bell_ticket(void)
{
    pthread_once(&bell_once, make_bell);
    pthread_mutex_lock(&bell_mutex);
    uint64_t ticket = rings;
    pthread_mutex_unlock(&bell_mutex);
    return ticket;
}

void emu_bell_wait(uint64_t ticket, uint64_t timeout_ns)
{
    uint64_t end = emu_now() + timeout_ns;
    struct timespec deadline = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
    int status = 0;
    pthread_mutex_lock(&bell_mutex);
    while (rings == ticket && status == 0)
        status = pthread_cond_timedwait(&bell, &bell_mutex, &deadline);
    pthread_mutex_unlock(&bell_mutex);
}

void emu_bell_ring(void)
{
    pthread_once(&bell_once, make_bell);
    pthread_mutex_lock(&bell_mutex);
    rings++;
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&bell_mutex);
}

amd_signal_t *emu_signal(hsa_signal_t signal)
{
    return (amd_signal_t *)signal.handle;
}

int64_t emu_signal_load(hsa_signal_t signal)
{
    return __atomic_load_n(&emu_signal(signal)->value, __ATOMIC_ACQUIRE);
}

bool emu_condition_holds(int64_t value, hsa_signal_condition_t condition, int64_t compare)
{
    switch (condition) {
    case HSA_SIGNAL_CONDITION_EQ:
        return value == compare;
    case HSA_SIGNAL_CONDITION_NE:
        return value != compare;
    case HSA_SIGNAL_CONDITION_LT:
        return value < compare;
    case HSA_SIGNAL_CONDITION_GTE:
        return value >= compare;
    }
    return false;
}

void emu_signal_complete(hsa_signal_t signal, uint64_t start, uint64_t end)
{
    if (signal.handle) {
        emu_signal(signal)->start_ts = start;
        emu_signal(signal)->end_ts = end;
        __atomic_fetch_sub(&emu_signal(signal)->value, 1, __ATOMIC_ACQ_REL);
    }
    emu_bell_ring();
}

static hsa_status_t add_slab(void)
{
    size_t room = signal_count + SLAB_SIGNALS;
    amd_signal_t **larger = realloc(free_signals, room * sizeof(amd_signal_t *));
    if (!larger)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    free_signals = larger;
    void *memory = NULL;
    hsa_status_t status =
        emu_range_allocate(EMU_RANGE_INTERNAL, SLAB_SIGNALS * sizeof(amd_signal_t), &memory);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    amd_signal_t *slab = memory;
    for (size_t n = 0; n < SLAB_SIGNALS; n++)
        free_signals[free_count++] = &slab[n];
    signal_count = room;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_signal_create(hsa_signal_value_t initial, uint32_t consumer_count,
                               const hsa_agent_t *consumers, hsa_signal_t *signal)
{
    (void)consumer_count;
    (void)consumers;
    if (!signal)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    hsa_status_t status = HSA_STATUS_SUCCESS;
    pthread_mutex_lock(&slab_mutex);
    if (free_count == 0)
        status = add_slab();
    if (status == HSA_STATUS_SUCCESS) {
        amd_signal_t *made = free_signals[--free_count];
        *made = (amd_signal_t){.kind = AMD_SIGNAL_KIND_USER, {.value = initial}};
        signal->handle = (uint64_t)made;
    }
    pthread_mutex_unlock(&slab_mutex);
    return status;
}

hsa_status_t hsa_amd_signal_create(hsa_signal_value_t initial, uint32_t consumer_count,
                                   const hsa_agent_t *consumers, uint64_t attributes,
                                   hsa_signal_t *signal)
{
    (void)attributes;
    return hsa_signal_create(initial, consumer_count, consumers, signal);
}

hsa_status_t hsa_signal_destroy(hsa_signal_t signal)
{
    amd_signal_t *gone = emu_signal(signal);
    if (!gone)
        return HSA_STATUS_ERROR_INVALID_SIGNAL;
    emu_handlers_drop(signal);
    pthread_mutex_lock(&slab_mutex);
    bool known = gone->kind == AMD_SIGNAL_KIND_USER && free_count < signal_count;
    if (known) {
        gone->kind = AMD_SIGNAL_KIND_INVALID;
        free_signals[free_count++] = gone;
    }
    pthread_mutex_unlock(&slab_mutex);
    return known ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_SIGNAL;
}

hsa_signal_value_t hsa_signal_load_relaxed(hsa_signal_t signal)
{
    return emu_signal_load(signal);
}

void hsa_signal_silent_store_relaxed(hsa_signal_t signal, hsa_signal_value_t value)
{
    __atomic_store_n(&emu_signal(signal)->value, value, __ATOMIC_RELEASE);
}

void hsa_signal_store_screlease(hsa_signal_t signal, hsa_signal_value_t value)
{
    hsa_signal_silent_store_relaxed(signal, value);
    emu_bell_ring();
}

void hsa_signal_store_relaxed(hsa_signal_t signal, hsa_signal_value_t value)
{
    hsa_signal_store_screlease(signal, value);
}

void hsa_signal_add_relaxed(hsa_signal_t signal, hsa_signal_value_t value)
{
    __atomic_fetch_add(&emu_signal(signal)->value, value, __ATOMIC_ACQ_REL);
    emu_bell_ring();
}

void hsa_signal_subtract_relaxed(hsa_signal_t signal, hsa_signal_value_t value)
{
    __atomic_fetch_sub(&emu_signal(signal)->value, value, __ATOMIC_ACQ_REL);
    emu_bell_ring();
}

hsa_signal_value_t hsa_signal_wait_scacquire(hsa_signal_t signal, hsa_signal_condition_t condition,
                                             hsa_signal_value_t compare, uint64_t timeout_hint,
                                             hsa_wait_state_t wait_state)
{
    (void)wait_state;
    uint64_t start = emu_now();
    for (;;) {
        uint64_t ticket = emu_bell_ticket();
        int64_t value = emu_signal_load(signal);
        uint64_t waited = emu_now() - start;
        if (emu_condition_holds(value, condition, compare) || waited >= timeout_hint)
            return value;
        uint64_t left = timeout_hint - waited;
        emu_bell_wait(ticket, left < EMU_SIGNAL_POLL_NS ? left : EMU_SIGNAL_POLL_NS);
    }
}

hsa_status_t hsa_amd_signal_value_pointer(hsa_signal_t signal,
                                          volatile hsa_signal_value_t **pointer)
{
    if (!signal.handle || !pointer)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    *pointer = &emu_signal(signal)->value;
    return HSA_STATUS_SUCCESS;
}
