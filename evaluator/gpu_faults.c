#include "evaluator/gpu_faults.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "evaluator/emulator/report.h"

#define HSA_LIBRARY "libhsa-runtime64.so.1"
#define PATIENCE_S 1 /* far longer than a thread that looks takes to */

/* The emulator's own account, which knows more than any device tells; null without it. */
static const struct emu_report *report;

/* hsa/hsa_ext_amd.h: hsa_amd_event_t. */
enum { EVENT_MEMORY_FAULT = 0, EVENT_HARDWARE_EXCEPTION = 1, EVENT_MEMORY_ERROR = 2 };
struct hsa_event {
    uint32_t type;
    uint64_t agent;
    union {
        struct {
            uint64_t address;
            uint32_t reasons;
        } fault;
        struct {
            uint32_t reset_type, reset_cause;
        } exception;
    };
};

/* hsa_amd_memory_fault_reason_t */
static const struct {
    uint32_t bit;
    const char *name;
} reasons[] = {
    {1u << 0, "page not present or not accessible"},
    {1u << 1, "write to a read-only page"},
    {1u << 2, "execution of a page that is not executable"},
    {1u << 3, "access to memory of the host alone"},
    {1u << 4, "uncorrectable error of the device's memory"},
    {1u << 5, "address not known exactly"},
    {1u << 6, "uncorrectable error of the device's caches"},
    {1u << 31, "the device hangs"},
};

/* Written by the runtime's own thread, before seen. */
static struct hsa_event first;
static atomic_int claimed, seen, told;

/* How a dispatch ended, where it did not complete. What was injected on purpose comes as it would from a
 * device, by an event or a status. */
static const struct {
    const char *name;
    enum bp_verdict verdict;
} ends[] = {
    [EMU_MEMORY_FAULT] = {"memory fault", BP_VERDICT_GPU_FAULT},
    [EMU_ILLEGAL_INSTRUCTION] = {"illegal instruction", BP_VERDICT_GPU_FAULT},
    [EMU_UNIMPLEMENTED] = {"the emulated device has no such instruction", BP_VERDICT_UNSUPPORTED},
    [EMU_TRAP] = {"trap", BP_VERDICT_GPU_FAULT},
    [EMU_LDS_FAULT] = {"access beyond the LDS", BP_VERDICT_GPU_FAULT},
    [EMU_BUDGET] = {"the emulator's budget of instructions is used up", BP_VERDICT_GPU_HANG},
    [EMU_FAILED] = {"the emulator failed", BP_VERDICT_INFRA},
};

static enum bp_verdict reported(char message[BP_TEXT_LINE])
{
    if (!report || report->injected || report->end == EMU_DONE ||
        report->end >= sizeof ends / sizeof *ends)
        return BP_VERDICT_PASS;
    snprintf(message, BP_TEXT_LINE, "%s: %s", ends[report->end].name, report->what);
    return ends[report->end].verdict;
}

static void describe_fault(char message[BP_TEXT_LINE])
{
    size_t used = (size_t)snprintf(message, BP_TEXT_LINE, "memory fault at address 0x%" PRIx64,
                                   first.fault.address);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if ((first.fault.reasons & reasons[i].bit) && used < BP_TEXT_LINE)
            used += (size_t)snprintf(message + used, BP_TEXT_LINE - used, ", %s", reasons[i].name);
}

static enum bp_verdict verdict_of_event(char message[BP_TEXT_LINE])
{
    enum bp_verdict verdict = reported(message);
    if (verdict != BP_VERDICT_PASS || !atomic_load(&seen))
        return verdict;
    if (first.type == EVENT_HARDWARE_EXCEPTION) {
        snprintf(message, BP_TEXT_LINE,
                 "hardware exception: the device was reset (type %" PRIu32 ", cause %" PRIu32 ")",
                 first.exception.reset_type, first.exception.reset_cause);
        return BP_VERDICT_GPU_HANG;
    }
    if (first.type == EVENT_MEMORY_FAULT || first.type == EVENT_MEMORY_ERROR)
        describe_fault(message);
    else
        snprintf(message, BP_TEXT_LINE, "the runtime reports an event of type %" PRIu32,
                 first.type);
    return BP_VERDICT_GPU_FAULT;
}

enum bp_verdict bp_gpu_faults_seen(char message[BP_TEXT_LINE])
{
    enum bp_verdict verdict = verdict_of_event(message);
    if (verdict != BP_VERDICT_PASS)
        atomic_store(&told, 1);
    return verdict;
}

/* Fills and copies wait inside the library, where no answer comes any more. The process then ends as it
 * does where nobody takes the event: the words are the runtime's (harness/supervise/evidence.c). */
static void abort_unless_told(void)
{
    char message[BP_TEXT_LINE], line[BP_TEXT_LINE + 64];
    nanosleep(&(struct timespec){.tv_sec = PATIENCE_S}, NULL);
    if (atomic_load(&told))
        return;
    bool hang = verdict_of_event(message) == BP_VERDICT_GPU_HANG;
    int length = snprintf(line, sizeof line, "%s: %s\n",
                          hang ? "HW Exception by GPU" : "Memory access fault by GPU", message);
    /* By write(): stdio would ask what the descriptor is, which the filter forbids. */
    (void)!write(STDERR_FILENO, line, (size_t)length);
    abort();
}

static int take_event(const struct hsa_event *event, void *context)
{
    (void)context;
    if (atomic_exchange(&claimed, 1) == 0) {
        first = *event;
        atomic_store(&seen, 1);
        abort_unless_told();
    }
    return 0; /* taken care of */
}

void bp_gpu_faults_watch(void)
{
    void *runtime = dlopen(HSA_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    int (*watch)(int (*)(const struct hsa_event *, void *), void *) = NULL;
    const struct emu_report *(*emulator)(void) = NULL;
    void *found = runtime ? dlsym(runtime, "hsa_amd_register_system_event_handler") : NULL;
    memcpy(&watch, &found, sizeof watch);
    if (watch)
        watch(take_event, NULL);
    found = runtime ? dlsym(runtime, "emu_report") : NULL;
    memcpy(&emulator, &found, sizeof emulator);
    if (emulator)
        report = emulator();
}

void bp_gpu_faults_counters(struct bp_counters *now)
{
    *now = (struct bp_counters){0};
#define COPY(name) now->name = report->counters.name;
    if (report) {
        BP_COUNTER_LIST(COPY)
    }
#undef COPY
}

/* ---- statuses ---- */

/* CUDA's numbers, which HIP shares; what is not listed is a fault of the moment's kind. */
static const struct {
    int status;
    enum bp_verdict verdict;
} statuses[] = {
    {2, BP_VERDICT_OOM_DEVICE},       /* out of memory */
    {214, BP_VERDICT_GPU_FAULT},      /* uncorrectable memory error */
    {701, BP_VERDICT_RESOURCE_LIMIT}, /* launch out of resources */
    {702, BP_VERDICT_GPU_HANG},       /* launch timeout */
};

enum bp_verdict bp_gpu_verdict(enum bp_gpu_moment moment, int status)
{
    static const enum bp_verdict others[] = {
        [BP_GPU_LOADING] = BP_VERDICT_LAUNCH_ERROR,
        [BP_GPU_ALLOCATING] = BP_VERDICT_GPU_FAULT,
        [BP_GPU_LAUNCHING] = BP_VERDICT_LAUNCH_ERROR,
        [BP_GPU_WAITING] = BP_VERDICT_GPU_FAULT,
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return statuses[i].verdict;
    return others[moment];
}
