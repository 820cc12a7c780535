#include <dlfcn.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/emulator/cases.h"

static const char poke_source[] =
    "extern \"C\" __global__ void poke(float *p, long at) { p[at + threadIdx.x] = 1.0f; }\n"
    "extern \"C\" __global__ void peek(float *p, long at) { p[threadIdx.x] = p[at]; }\n"
    "extern \"C\" __global__ void trap(float *p, long at) { if (p[at] != 5) __builtin_trap(); }\n"
    "extern \"C\" __global__ void illegal(float *p, long at) {\n"
    "    asm volatile(\".long 0xffffffff\\n.long 0xffffffff\"); p[at] = 1; }\n"
    "extern \"C\" __global__ void forever(float *p, long at) {\n"
    "    while (((volatile float *)p)[at] == 0) p[at + 1] += 1; }\n";

static void bad_images(const struct hip *hip)
{
    static const char text[4096] = "this is no code object";
    void *module;
    /* Versions differ in which of the two they say. */
    EXPECT_EITHER(hip, hip->load(&module, text), HIP_INVALID_IMAGE, HIP_INVALID_KERNEL_FILE);
    void *other = hip_compile(hip, poke_source, "gfx90a");
    EXPECT_EITHER(hip, hip->load(&module, other), HIP_NO_BINARY, HIP_INIT_FAILED);
    void *right = hip_compile(hip, poke_source, emulated_arch());
    EXPECT(hip, hip->load(&module, right), HIP_SUCCESS);
    void *function;
    EXPECT(hip, hip->function(&function, module, "no_such_kernel"), HIP_NOT_FOUND);
    EXPECT(hip, hip->function(&function, module, "poke"), HIP_SUCCESS);
    EXPECT(hip, hip->unload(module), HIP_SUCCESS);
    free(other);
    free(right);
}

static void bad_launches(const struct hip *hip)
{
    void *memory;
    long at = 0;
    EXPECT(hip, hip->allocate(&memory, 4096), HIP_SUCCESS);
    void *arguments[] = {&memory, &at};
    void *poke = kernel_of(hip, poke_source, "poke");
    EXPECT_EITHER(hip, hip->launch(poke, 1, 1, 1, 2048, 1, 1, 0, NULL, arguments, NULL),
                  HIP_INVALID_VALUE, HIP_INVALID_CONFIGURATION);
    EXPECT(hip, hip->launch(poke, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL), HIP_SUCCESS);
    EXPECT(hip, hip->synchronize(), HIP_SUCCESS);
}

static void memory_ends(const struct hip *hip)
{
    enum { HALF_GIB = 512 << 20 };
    void *memory[5];
    int taken = 0;
    EXPECT(hip, hip->allocate(&memory[0], (size_t)1 << 40), HIP_OUT_OF_MEMORY);
    while (taken < 5 && hip->allocate(&memory[taken], HALF_GIB) == HIP_SUCCESS)
        taken++;
    REQUIRE(taken >= 2 && taken <= 4); /* of 2 GiB, and the runtime has some of it */
    EXPECT(hip, hip->free(memory[0]), HIP_SUCCESS);
    EXPECT(hip, hip->allocate(&memory[0], HALF_GIB), HIP_SUCCESS);
}

/* Launches a kernel of poke_source that touches p[at]; p has room for 1024 elements and is zero.
 * The launch itself may say already that the kernel has failed. */
static int launch_at(const struct hip *hip, const char *name, long at, void **memory)
{
    EXPECT(hip, hip->allocate(memory, 4096), HIP_SUCCESS);
    void *arguments[] = {memory, &at};
    void *kernel = kernel_of(hip, poke_source, name);
    return hip->launch(kernel, 1, 1, 1, 32, 1, 1, 0, NULL, arguments, NULL);
}

/* Launches what must fail, and waits for it: ROCm 5 aborts meanwhile, ROCm 7 goes on saying so. */
static void fail_at(const struct hip *hip, const char *name, long at)
{
    void *memory;
    int launched = launch_at(hip, name, at, &memory);
    int status = hip->synchronize();
    REQUIRE(status != HIP_SUCCESS);
    REQUIRE(launched == HIP_SUCCESS || launched == status);
    REQUIRE(hip->synchronize() == status);
    _exit(EXIT_STICKY);
}

static void writes_behind(const struct hip *hip)
{
    fail_at(hip, "poke", 1024);
}

static void reads_before(const struct hip *hip)
{
    fail_at(hip, "peek", -1);
}

static void traps(const struct hip *hip)
{
    fail_at(hip, "trap", 0);
}

static void executes_illegal(const struct hip *hip)
{
    fail_at(hip, "illegal", 0);
}

static void pokes(const struct hip *hip)
{
    fail_at(hip, "poke", 0);
}

static volatile uint64_t event_address;
static volatile int events;

/* Does not return, so that the runtime does not abort before the main thread has looked. */
static hsa_status_t note_event(const hsa_amd_event_t *event, void *data)
{
    (void)data;
    if (event->event_type == HSA_AMD_GPU_MEMORY_FAULT_EVENT &&
        event->memory_fault.fault_reason_mask == HSA_AMD_MEMORY_FAULT_PAGE_NOT_PRESENT)
        event_address = event->memory_fault.virtual_address;
    events = events + 1;
    sleep(60);
    return HSA_STATUS_ERROR;
}

static void listen(const struct hip *hip)
{
    hsa_status_t (*listen_to)(hsa_amd_system_event_callback_t, void *);
    void *entry = dlsym(hip->emulator, "hsa_amd_register_system_event_handler");
    REQUIRE(entry != NULL);
    memcpy(&listen_to, &entry, sizeof(entry));
    REQUIRE(listen_to(note_event, NULL) == HSA_STATUS_SUCCESS);
}

static void wait_for_event(void)
{
    for (int n = 0; n < 30000 && !events; n++)
        usleep(1000);
    REQUIRE(events == 1);
}

static void event_has_the_address(const struct hip *hip)
{
    listen(hip);
    void *memory;
    launch_at(hip, "poke", 1024, &memory);
    wait_for_event();
    REQUIRE(event_address == (uint64_t)memory + 4096);
    REQUIRE(hip->report()->end == EMU_MEMORY_FAULT);
    REQUIRE(hip->report()->address == (uint64_t)memory + 4096);
    fprintf(stderr, "the event had the address\n");
}

static void injected_event(const struct hip *hip)
{
    listen(hip);
    void *memory;
    launch_at(hip, "poke", 0, &memory);
    wait_for_event();
    REQUIRE(event_address == 0x7000);
    REQUIRE(hip->report()->injected == 1 && hip->report()->end == EMU_DONE);
}

static void hangs(const struct hip *hip)
{
    void *memory;
    EXPECT(hip, launch_at(hip, "forever", 0, &memory), HIP_SUCCESS);
    for (int n = 0; n < 50; n++) {
        EXPECT(hip, hip->stream_query(NULL), HIP_NOT_READY);
        usleep(10000);
    }
    _exit(0); /* nothing else ends it: a supervisor would kill here */
}

static void one_allocation_fails(const struct hip *hip)
{
    int failures = 0;
    for (int n = 0; n < 8; n++) {
        void *memory;
        int status = hip->allocate(&memory, 1 << 20);
        REQUIRE(status == HIP_SUCCESS || status == HIP_OUT_OF_MEMORY);
        failures += status != HIP_SUCCESS;
    }
    REQUIRE(failures == 1);
}

#define FAULTS .faulted = 1
const struct emulator_case cases_wrong[] = {
    {.name = "bad_images", .run = bad_images},
    {.name = "bad_launches", .run = bad_launches},
    {.name = "memory_ends", .run = memory_ends},
    {.name = "writes_behind", .run = writes_behind, FAULTS, .says = {"emulator: memory fault"}},
    {.name = "reads_before", .run = reads_before, FAULTS, .says = {"emulator: memory fault"}},
    {.name = "event", .run = event_has_the_address, .says = {"the event had the address"}},
    {.name = "trap", .run = traps, FAULTS, .says = {"HSA_STATUS_ERROR_EXCEPTION"}},
    {.name = "illegal",
     .run = executes_illegal,
     FAULTS,
     .says = {"HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION"}},
    {.name = "budget", .run = hangs, .instructions = "100000", .says = {"emulator: "}},
    {.name = "injected_event", .run = injected_event, .faults = "memory_fault:1:0x7000"},
    {.name = "injected_memory_fault",
     .run = pokes,
     .faults = "memory_fault:1:0x7000",
     FAULTS,
     .says = {"on address 0x7000.", "injected memory_fault"}},
    {.name = "injected_queue_error",
     .run = pokes,
     .faults = "queue_error:1",
     FAULTS,
     .says = {"HSA_STATUS_ERROR_EXCEPTION"}},
    {.name = "injected_illegal",
     .run = pokes,
     .faults = "illegal_instruction:1",
     FAULTS,
     .says = {"HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION"}},
    {.name = "injected_device_lost",
     .run = pokes,
     .faults = "device_lost:1",
     FAULTS,
     .says = {"reason :GPU Hang", "injected device_lost"}},
    {.name = "injected_ecc",
     .run = pokes,
     .faults = "ecc:1",
     FAULTS,
     .says = {"reason :ECC", "injected ecc"}},
    {.name = "injected_hang", .run = hangs, .faults = "hang:1", .says = {"injected hang"}},
    {.name = "injected_alloc_fail",
     .run = one_allocation_fails,
     .faults = "alloc_fail:4",
     .says = {"injected alloc_fail"}},
    {.name = NULL},
};
