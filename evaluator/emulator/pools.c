/* pools.c: memory pools of the two agents, and memory of the host that is opened to the device. */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <string.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/facts.h"
#include "evaluator/emulator/faults.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { FINE, COARSE, KERNARG, DEVICE, GROUP, POOLS };

#define GLOBAL HSA_AMD_SEGMENT_GLOBAL
static const struct {
    bool gpu;
    uint32_t segment, flags;
} pools[POOLS] = {
    [FINE] = {false, GLOBAL, HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED},
    [KERNARG] = {false, GLOBAL,
                 HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED |
                     HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_KERNARG_INIT},
    [COARSE] = {false, GLOBAL, HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_COARSE_GRAINED},
    [DEVICE] = {true, GLOBAL, HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_COARSE_GRAINED},
    [GROUP] = {true, HSA_AMD_SEGMENT_GROUP, 0},
};
static uint64_t device_bytes, group_bytes;

/* Handles count from 1, as 0 is no pool. */
static hsa_amd_memory_pool_t handle_of(size_t pool)
{
    return (hsa_amd_memory_pool_t){pool + 1};
}

static size_t pool_of(hsa_amd_memory_pool_t handle)
{
    return handle.handle - 1;
}

void emu_pools_describe(const struct emu_target *target)
{
    device_bytes = (uint64_t)target->memory_mib << 20;
    group_bytes = target->lds_bytes;
    emu_ranges_limit(device_bytes);
}

hsa_status_t hsa_amd_agent_iterate_memory_pools(
    hsa_agent_t agent, hsa_status_t (*callback)(hsa_amd_memory_pool_t, void *), void *data)
{
    hsa_status_t status = HSA_STATUS_SUCCESS;
    for (size_t n = 0; n < POOLS && status == HSA_STATUS_SUCCESS; n++)
        if (pools[n].gpu == (agent.handle == emu_agent_gpu.handle))
            status = callback(handle_of(n), data);
    return status;
}

hsa_status_t hsa_amd_memory_pool_get_info(hsa_amd_memory_pool_t handle,
                                          hsa_amd_memory_pool_info_t attribute, void *value)
{
    size_t pool = pool_of(handle);
    if (pool >= POOLS)
        return (hsa_status_t)HSA_STATUS_ERROR_INVALID_MEMORY_POOL;
    bool allocates = pool != GROUP;
    uint64_t size = allocates ? device_bytes : group_bytes;
    const struct emu_fact facts[] = {
        EMU_U32(HSA_AMD_MEMORY_POOL_INFO_SEGMENT, pools[pool].segment),
        EMU_U32(HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, pools[pool].flags),
        EMU_U64(HSA_AMD_MEMORY_POOL_INFO_SIZE, size),
        EMU_U8(HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED, allocates),
        EMU_U64(HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_GRANULE, EMU_PAGE),
        EMU_U64(HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALIGNMENT, EMU_PAGE),
        EMU_U8(HSA_AMD_MEMORY_POOL_INFO_ACCESSIBLE_BY_ALL, !pools[pool].gpu),
        EMU_U64(HSA_AMD_MEMORY_POOL_INFO_ALLOC_MAX_SIZE, size),
        EMU_U32(EMU_POOL_INFO_LOCATION, pools[pool].gpu),
        EMU_U64(EMU_POOL_INFO_RECOMMENDED_GRANULE, EMU_PAGE),
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

hsa_status_t hsa_amd_agent_memory_pool_get_info(hsa_agent_t agent, hsa_amd_memory_pool_t handle,
                                                hsa_amd_agent_memory_pool_info_t attribute,
                                                void *value)
{
    size_t pool = pool_of(handle);
    if (pool >= POOLS)
        return (hsa_status_t)HSA_STATUS_ERROR_INVALID_MEMORY_POOL;
    bool own = pools[pool].gpu == (agent.handle == emu_agent_gpu.handle);
    const struct emu_fact facts[] = {
        EMU_U32(HSA_AMD_AGENT_MEMORY_POOL_INFO_ACCESS,
                own ? HSA_AMD_MEMORY_POOL_ACCESS_ALLOWED_BY_DEFAULT
                    : HSA_AMD_MEMORY_POOL_ACCESS_DISALLOWED_BY_DEFAULT),
        EMU_U32(HSA_AMD_AGENT_MEMORY_POOL_INFO_NUM_LINK_HOPS, own ? 0 : 1),
        {HSA_AMD_AGENT_MEMORY_POOL_INFO_LINK_INFO,
         1,
         sizeof(hsa_amd_memory_pool_link_info_t),
         {0},
         NULL},
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

hsa_status_t hsa_amd_memory_pool_allocate(hsa_amd_memory_pool_t handle, size_t size, uint32_t flags,
                                          void **address)
{
    (void)flags;
    size_t pool = pool_of(handle);
    if (pool >= POOLS)
        return (hsa_status_t)HSA_STATUS_ERROR_INVALID_MEMORY_POOL;
    if (!address)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    if (pool == GROUP)
        return HSA_STATUS_ERROR_INVALID_ALLOCATION;
    if (pool != DEVICE)
        return emu_range_allocate(EMU_RANGE_HOST, size, address);
    const struct emu_fault *fault = emu_fault_strikes(EMU_AT_ALLOCATION);
    if (fault)
        return fault->status;
    if (emu_device_lost())
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    return emu_range_allocate(EMU_RANGE_DEVICE, size, address);
}

hsa_status_t hsa_amd_memory_pool_free(void *address)
{
    return address ? emu_range_free(address) : HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_amd_agents_allow_access(uint32_t agent_count, const hsa_agent_t *agents,
                                         const uint32_t *flags, const void *address)
{
    (void)flags;
    struct emu_range range; /* all of ours is open to both agents from the start */
    if (agent_count == 0 || !agents)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    return emu_range_find(address, &range) ? HSA_STATUS_SUCCESS
                                           : HSA_STATUS_ERROR_INVALID_ALLOCATION;
}

/* Which agents can reach memory: both. */
static hsa_status_t list_agents(void *(*allocate)(size_t), uint32_t *count, hsa_agent_t **agents)
{
    if (count)
        *count = 2;
    if (!allocate || !agents)
        return HSA_STATUS_SUCCESS;
    *agents = allocate(2 * sizeof(**agents));
    if (!*agents)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    (*agents)[0] = emu_agent_cpu;
    (*agents)[1] = emu_agent_gpu;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_amd_pointer_info(const void *address, hsa_amd_pointer_info_t *info,
                                  void *(*allocate)(size_t), uint32_t *agent_count,
                                  hsa_agent_t **agents)
{
    if (!info)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    hsa_amd_pointer_info_t known = {.type = HSA_EXT_POINTER_TYPE_UNKNOWN};
    known.size = info->size < sizeof(known) ? info->size : (uint32_t)sizeof(known);
    if (agent_count)
        *agent_count = 0;
    if (agents)
        *agents = NULL;
    hsa_status_t status = HSA_STATUS_SUCCESS;
    struct emu_range range;
    if (emu_range_find(address, &range)) {
        bool device = range.kind == EMU_RANGE_DEVICE;
        known.type =
            range.kind == EMU_RANGE_LOCKED ? HSA_EXT_POINTER_TYPE_LOCKED : HSA_EXT_POINTER_TYPE_HSA;
        known.agentBaseAddress = known.hostBaseAddress = (void *)range.start;
        known.sizeInBytes = range.bytes;
        known.agentOwner = device ? emu_agent_gpu : emu_agent_cpu;
        known.global_flags = pools[device ? DEVICE : FINE].flags;
        status = list_agents(allocate, agent_count, agents);
    }
    memcpy(info, &known, known.size);
    return status;
}

hsa_status_t hsa_amd_memory_lock_to_pool(void *host, size_t size, hsa_agent_t *agents,
                                         int agent_count, hsa_amd_memory_pool_t pool,
                                         uint32_t flags, void **agent_address)
{
    (void)agents;
    (void)agent_count;
    (void)pool;
    (void)flags;
    hsa_status_t status = emu_range_lock(host, size);
    if (status == HSA_STATUS_SUCCESS && agent_address)
        *agent_address = host;
    return status;
}

hsa_status_t hsa_amd_memory_unlock(void *host)
{
    return emu_range_unlock(host);
}

hsa_status_t hsa_memory_register(void *address, size_t size)
{
    return emu_range_lock(address, size);
}

hsa_status_t hsa_memory_deregister(void *address, size_t size)
{
    (void)size;
    return emu_range_unlock(address);
}

hsa_status_t hsa_amd_coherency_set_type(hsa_agent_t agent, hsa_amd_coherency_type_t type)
{
    (void)type; /* one processor: everything is coherent */
    return agent.handle == emu_agent_gpu.handle ? HSA_STATUS_SUCCESS
                                                : HSA_STATUS_ERROR_INVALID_AGENT;
}
