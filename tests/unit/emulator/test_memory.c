/* Memory of the emulated system: pools, guard pages, what the device may reach, what HSA says of
 * it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/ranges.h"

static hsa_amd_memory_pool_t device_pool, host_pool;

static hsa_status_t note_pool(hsa_amd_memory_pool_t pool, void *data)
{
    uint32_t segment, flags;
    assert_int_equal(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment),
                     HSA_STATUS_SUCCESS);
    hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags);
    if (segment == HSA_AMD_SEGMENT_GLOBAL &&
        flags == HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_COARSE_GRAINED)
        *(hsa_amd_memory_pool_t *)data = pool;
    return HSA_STATUS_SUCCESS;
}

static int find_pools(void **state)
{
    (void)state;
    setenv("BULLETPROOF_EMULATE", "gfx1030", 1);
    unsetenv("BULLETPROOF_HSA_FAULTS");
    hsa_init();
    hsa_amd_agent_iterate_memory_pools(emu_agent_gpu, note_pool, &device_pool);
    hsa_amd_agent_iterate_memory_pools(emu_agent_cpu, note_pool, &host_pool);
    return device_pool.handle && host_pool.handle ? 0 : -1;
}

static char *allocate(hsa_amd_memory_pool_t pool, size_t bytes)
{
    void *address = NULL;
    assert_int_equal(hsa_amd_memory_pool_allocate(pool, bytes, 0, &address), HSA_STATUS_SUCCESS);
    return address;
}

/* Whether a write there is a segmentation fault, caught neither by cmocka nor by a sanitizer. */
static bool faults(volatile char *address)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL);
        *address = 1;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void lies_between_guard_pages(void **state)
{
    (void)state;
    char *memory = allocate(device_pool, 5000);
    assert_int_equal((uintptr_t)memory % EMU_PAGE, 0);
    for (size_t n = 0; n < 8192; n++)
        assert_int_equal(memory[n], 0);
    assert_false(faults(memory));
    assert_false(faults(memory + 8191));
    assert_true(faults(memory - 1));
    assert_true(faults(memory + 8192));
    assert_int_equal(hsa_amd_memory_pool_free(memory), HSA_STATUS_SUCCESS);
    assert_true(faults(memory));
    assert_int_equal(hsa_amd_memory_pool_free(memory), HSA_STATUS_ERROR_INVALID_ALLOCATION);
}

static void device_reaches_what_is_its_own(void **state)
{
    (void)state;
    char *memory = allocate(device_pool, 5000);
    struct emu_reach reach = {0};
    uint64_t at = (uint64_t)memory;
    assert_true(emu_reach_allows(&reach, at, 8192, true));
    assert_true(emu_reach_allows(&reach, at + 8191, 1, true));
    assert_false(emu_reach_allows(&reach, at + 8191, 2, true));
    assert_false(emu_reach_allows(&reach, at - 1, 1, false));
    assert_false(emu_reach_allows(&reach, at + 4096, UINT64_MAX, false));
    assert_false(emu_reach_allows(&reach, 0, 1, false));
    assert_false(emu_reach_allows(&reach, (uint64_t)&reach, 1, false));
    hsa_amd_memory_pool_free(memory);
    assert_false(emu_reach_allows(&reach, at, 1, true));
}

static void locks_open_memory_of_others(void **state)
{
    (void)state;
    char *memory = malloc(100000);
    struct emu_reach reach = {0};
    void *seen;
    hsa_amd_memory_pool_t pool = host_pool;
    assert_false(emu_reach_allows(&reach, (uint64_t)memory, 100000, true));
    assert_int_equal(hsa_amd_memory_lock_to_pool(memory, 100000, NULL, 0, pool, 0, &seen),
                     HSA_STATUS_SUCCESS);
    assert_ptr_equal(seen, memory);
    assert_int_equal(hsa_amd_memory_lock_to_pool(memory, 5, NULL, 0, pool, 0, &seen),
                     HSA_STATUS_SUCCESS);
    assert_true(emu_reach_allows(&reach, (uint64_t)memory, 100000, true));
    hsa_amd_pointer_info_t info = {.size = sizeof(info)};
    assert_int_equal(hsa_amd_pointer_info(memory + 7, &info, NULL, NULL, NULL), HSA_STATUS_SUCCESS);
    assert_int_equal(info.type, HSA_EXT_POINTER_TYPE_LOCKED);
    assert_int_equal(hsa_amd_memory_unlock(memory), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_amd_memory_unlock(memory), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_amd_memory_unlock(memory), HSA_STATUS_ERROR_INVALID_ALLOCATION);
    assert_false(emu_reach_allows(&reach, (uint64_t)memory, 1, true));
    free(memory);
}

static void device_memory_ends(void **state)
{
    (void)state;
    size_t left = emu_ranges_device_left();
    void *address;
    assert_int_equal(hsa_amd_memory_pool_allocate(device_pool, left + 1, 0, &address),
                     HSA_STATUS_ERROR_OUT_OF_RESOURCES);
    char *all = allocate(device_pool, left);
    assert_int_equal(emu_ranges_device_left(), 0);
    assert_int_equal(hsa_amd_memory_pool_allocate(device_pool, 1, 0, &address),
                     HSA_STATUS_ERROR_OUT_OF_RESOURCES);
    char *of_the_host = allocate(host_pool, 1);
    hsa_amd_memory_pool_free(of_the_host);
    hsa_amd_memory_pool_free(all);
    assert_int_equal(emu_ranges_device_left(), left);
    assert_int_equal(hsa_amd_memory_pool_allocate(device_pool, 0, 0, &address),
                     HSA_STATUS_ERROR_INVALID_ALLOCATION);
}

static void pointers_are_known(void **state)
{
    (void)state;
    char *memory = allocate(device_pool, 5000);
    /* A caller of an older runtime has a smaller structure: nothing behind it is written. */
    struct {
        hsa_amd_pointer_info_t info;
        char behind[8];
    } given;
    memset(&given, 0x55, sizeof(given));
    given.info.size = sizeof(given.info);
    uint32_t count;
    hsa_agent_t *agents;
    assert_int_equal(hsa_amd_pointer_info(memory + 17, &given.info, malloc, &count, &agents),
                     HSA_STATUS_SUCCESS);
    assert_int_equal(given.info.type, HSA_EXT_POINTER_TYPE_HSA);
    assert_ptr_equal(given.info.agentBaseAddress, memory);
    assert_int_equal(given.info.sizeInBytes, 5000);
    assert_int_equal(given.info.agentOwner.handle, emu_agent_gpu.handle);
    assert_int_equal(given.behind[0], 0x55);
    assert_int_equal(count, 2);
    free(agents);
    hsa_amd_memory_pool_free(memory);
    assert_int_equal(hsa_amd_pointer_info(memory, &given.info, NULL, NULL, NULL),
                     HSA_STATUS_SUCCESS);
    assert_int_equal(given.info.type, HSA_EXT_POINTER_TYPE_UNKNOWN);
}

static void agents_are_described(void **state)
{
    (void)state;
    char name[64];
    uint32_t number;
    uint16_t most[3];
    assert_int_equal(hsa_agent_get_info(emu_agent_gpu, HSA_AGENT_INFO_NAME, name),
                     HSA_STATUS_SUCCESS);
    assert_string_equal(name, "gfx1030");
    hsa_agent_get_info(emu_agent_gpu, HSA_AGENT_INFO_WAVEFRONT_SIZE, &number);
    assert_int_equal(number, 32);
    hsa_agent_get_info(emu_agent_gpu, HSA_AGENT_INFO_WORKGROUP_MAX_DIM, most);
    assert_int_equal(most[2], 1024);
    assert_int_equal(hsa_agent_get_info(emu_agent_cpu, HSA_AGENT_INFO_DEVICE, &number),
                     HSA_STATUS_SUCCESS);
    assert_int_equal(number, HSA_DEVICE_TYPE_CPU);
    assert_int_equal(hsa_agent_get_info(emu_agent_gpu, (hsa_agent_info_t)0xFFFF, &number),
                     HSA_STATUS_ERROR_INVALID_ARGUMENT);
    assert_int_equal(hsa_agent_get_info((hsa_agent_t){9}, HSA_AGENT_INFO_NAME, name),
                     HSA_STATUS_ERROR_INVALID_AGENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_between_guard_pages),
        cmocka_unit_test(device_reaches_what_is_its_own),
        cmocka_unit_test(locks_open_memory_of_others),
        cmocka_unit_test(device_memory_ends),
        cmocka_unit_test(pointers_are_known),
        cmocka_unit_test(agents_are_described),
    };
    return cmocka_run_group_tests_name("emulator/memory", tests, find_pools, NULL);
}
