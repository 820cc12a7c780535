#include "evaluator/emulator/agents.h"

#include <stdio.h>
#include <string.h>

#include "evaluator/emulator/facts.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/ranges.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNLIMITED UINT32_MAX

const hsa_agent_t emu_agent_cpu = {1}, emu_agent_gpu = {2};
static const hsa_isa_t gpu_isa = {1};
static const struct emu_target *described;

/* Registers that a real host writes to flush its writes to the device: here they lead nowhere. */
static uint32_t flush_registers[2];

static const struct emu_fact cpu_facts[] = {
    EMU_TEXT(HSA_AGENT_INFO_NAME, 64, "CPU"),
    EMU_TEXT(HSA_AGENT_INFO_VENDOR_NAME, 64, "CPU"),
    EMU_U32(HSA_AGENT_INFO_FEATURE, 0),
    EMU_U32(HSA_AGENT_INFO_MACHINE_MODEL, HSA_MACHINE_MODEL_LARGE),
    EMU_U32(HSA_AGENT_INFO_PROFILE, HSA_PROFILE_FULL),
    EMU_U32(HSA_AGENT_INFO_DEFAULT_FLOAT_ROUNDING_MODE, HSA_DEFAULT_FLOAT_ROUNDING_MODE_NEAR),
    EMU_U32(HSA_AGENT_INFO_WAVEFRONT_SIZE, 0),
    EMU_U32(HSA_AGENT_INFO_QUEUES_MAX, 0),
    EMU_U32(HSA_AGENT_INFO_NODE, 0),
    EMU_U32(HSA_AGENT_INFO_DEVICE, HSA_DEVICE_TYPE_CPU),
    {HSA_AGENT_INFO_CACHE_SIZE, 4, 4, {32768, 1 << 20, 0, 0}, NULL},
    EMU_TEXT(HSA_AGENT_INFO_EXTENSIONS, 128, ""),
    EMU_U16(HSA_AGENT_INFO_VERSION_MAJOR, 1),
    EMU_U16(HSA_AGENT_INFO_VERSION_MINOR, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_CHIP_ID, 0),
    EMU_U32(HSA_AMD_AGENT_INFO_CACHELINE_SIZE, 64),
    EMU_U32(HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_DRIVER_NODE_ID, 0),
    EMU_U32(HSA_AMD_AGENT_INFO_BDFID, 0),
    EMU_U32(HSA_AMD_AGENT_INFO_DOMAIN, 0),
    EMU_TEXT(HSA_AMD_AGENT_INFO_PRODUCT_NAME, 64, "CPU"),
    EMU_TEXT(HSA_AMD_AGENT_INFO_UUID, 21, "CPU-XX"),
};

static struct emu_fact gpu_facts[64];
static size_t gpu_fact_count;

/* Attributes that are the same for every architecture. */
static const struct emu_fact gpu_common[] = {
    EMU_TEXT(HSA_AGENT_INFO_VENDOR_NAME, 64, "AMD"),
    EMU_U32(HSA_AGENT_INFO_FEATURE, HSA_AGENT_FEATURE_KERNEL_DISPATCH),
    EMU_U32(HSA_AGENT_INFO_MACHINE_MODEL, HSA_MACHINE_MODEL_LARGE),
    EMU_U32(HSA_AGENT_INFO_PROFILE, HSA_PROFILE_BASE),
    EMU_U32(HSA_AGENT_INFO_DEFAULT_FLOAT_ROUNDING_MODE, HSA_DEFAULT_FLOAT_ROUNDING_MODE_NEAR),
    EMU_U32(HSA_AGENT_INFO_FAST_F16_OPERATION, 1),
    {HSA_AGENT_INFO_GRID_MAX_DIM, 4, 3, {UNLIMITED, UNLIMITED, UNLIMITED}, NULL},
    EMU_U32(HSA_AGENT_INFO_GRID_MAX_SIZE, UNLIMITED),
    EMU_U32(HSA_AGENT_INFO_QUEUES_MAX, 128),
    EMU_U32(HSA_AGENT_INFO_QUEUE_MIN_SIZE, 64),
    EMU_U32(HSA_AGENT_INFO_QUEUE_MAX_SIZE, 131072),
    EMU_U32(HSA_AGENT_INFO_QUEUE_TYPE, HSA_QUEUE_TYPE_MULTI),
    EMU_U32(HSA_AGENT_INFO_NODE, 1),
    EMU_U32(HSA_AGENT_INFO_DEVICE, HSA_DEVICE_TYPE_GPU),
    {HSA_AGENT_INFO_CACHE_SIZE, 4, 4, {32768, 4 << 20, 0, 0}, NULL},
    EMU_U64(HSA_AGENT_INFO_ISA, 1),
    EMU_TEXT(HSA_AGENT_INFO_EXTENSIONS, 128, ""),
    EMU_U16(HSA_AGENT_INFO_VERSION_MAJOR, 1),
    EMU_U16(HSA_AGENT_INFO_VERSION_MINOR, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_CACHELINE_SIZE, 128),
    EMU_U32(HSA_AMD_AGENT_INFO_MAX_CLOCK_FREQUENCY, 1000), /* MHz; no speed is meant by it */
    EMU_U32(HSA_AMD_AGENT_INFO_DRIVER_NODE_ID, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_MAX_ADDRESS_WATCH_POINTS, 4),
    EMU_U32(HSA_AMD_AGENT_INFO_BDFID, 0x300),
    EMU_U32(HSA_AMD_AGENT_INFO_MEMORY_WIDTH, 256),
    EMU_U32(HSA_AMD_AGENT_INFO_MEMORY_MAX_FREQUENCY, 1000),
    EMU_U32(HSA_AMD_AGENT_INFO_NUM_SHADER_ENGINES, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_NUM_SHADER_ARRAYS_PER_SE, 1),
    EMU_U32(HSA_AMD_AGENT_INFO_DOMAIN, 0),
    EMU_U8(HSA_AMD_AGENT_INFO_COOPERATIVE_QUEUES, 0),
    EMU_TEXT(HSA_AMD_AGENT_INFO_UUID, 21, "GPU-656d756c61746564"),
    EMU_U32(HSA_AMD_AGENT_INFO_ASIC_REVISION, 1),
    EMU_U8(HSA_AMD_AGENT_INFO_SVM_DIRECT_HOST_ACCESS, 0),
    EMU_U64(EMU_AGENT_INFO_TIMESTAMP_FREQUENCY, 1000000000),
    EMU_U32(EMU_AGENT_INFO_UCODE_VERSION, 100),
    EMU_U32(EMU_AGENT_INFO_SDMA_UCODE_VERSION, 100),
    EMU_U32(EMU_AGENT_INFO_SDMA_ENGINES, 2),
    EMU_U32(EMU_AGENT_INFO_SDMA_XGMI_ENGINES, 0),
    EMU_U32(EMU_AGENT_INFO_IOMMU_SUPPORT, 0),
    EMU_U32(EMU_AGENT_INFO_XCC_COUNT, 1),
    EMU_U32(EMU_AGENT_INFO_DRIVER_UID, 1),
    EMU_U64(EMU_AGENT_INFO_NEAREST_CPU, 1),
    {EMU_AGENT_INFO_MEMORY_PROPERTIES, 1, 8, {0}, NULL},
    {EMU_AGENT_INFO_AQL_EXTENSIONS, 1, 8, {0}, NULL},
    EMU_U64(EMU_AGENT_INFO_SCRATCH_LIMIT_MAX, 1 << 30),
    EMU_U64(EMU_AGENT_INFO_SCRATCH_LIMIT_CURRENT, 1 << 30),
};

void emu_agents_describe(const struct emu_target *target)
{
    const uint32_t most = target->workgroup_max;
    const struct emu_fact own[] = {
        EMU_TEXT(HSA_AGENT_INFO_NAME, 64, target->isa),
        EMU_U32(HSA_AGENT_INFO_WAVEFRONT_SIZE, target->wave_size),
        {HSA_AGENT_INFO_WORKGROUP_MAX_DIM, 2, 3, {most, most, most}, NULL},
        EMU_U32(HSA_AGENT_INFO_WORKGROUP_MAX_SIZE, most),
        EMU_U32(HSA_AMD_AGENT_INFO_CHIP_ID, target->chip_id),
        EMU_U32(HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT, target->compute_units),
        EMU_U32(HSA_AMD_AGENT_INFO_COOPERATIVE_COMPUTE_UNIT_COUNT, target->compute_units),
        EMU_TEXT(HSA_AMD_AGENT_INFO_PRODUCT_NAME, 64, target->name),
        EMU_U32(HSA_AMD_AGENT_INFO_MAX_WAVES_PER_CU, target->waves_per_unit),
        EMU_U32(HSA_AMD_AGENT_INFO_NUM_SIMDS_PER_CU, target->simds_per_unit),
        {HSA_AMD_AGENT_INFO_HDP_FLUSH,
         8,
         2,
         {(uint64_t)&flush_registers[0], (uint64_t)&flush_registers[1]},
         NULL},
        EMU_U32(EMU_AGENT_INFO_ASIC_FAMILY_ID, target->family_id),
    };
    _Static_assert(COUNT(own) + COUNT(gpu_common) <= COUNT(gpu_facts), "all facts fit");
    memcpy(gpu_facts, gpu_common, sizeof(gpu_common));
    memcpy(gpu_facts + COUNT(gpu_common), own, sizeof(own));
    gpu_fact_count = COUNT(gpu_common) + COUNT(own);
    described = target;
}

const struct emu_target *emu_agents_target(void)
{
    return described;
}

hsa_status_t hsa_iterate_agents(hsa_status_t (*callback)(hsa_agent_t, void *), void *data)
{
    if (!described)
        return HSA_STATUS_ERROR_NOT_INITIALIZED;
    hsa_status_t status = callback(emu_agent_cpu, data);
    return status == HSA_STATUS_SUCCESS ? callback(emu_agent_gpu, data) : status;
}

hsa_status_t hsa_agent_get_info(hsa_agent_t agent, hsa_agent_info_t attribute, void *value)
{
    if (agent.handle == emu_agent_cpu.handle)
        return emu_fact_answer(cpu_facts, COUNT(cpu_facts), attribute, value);
    if (agent.handle != emu_agent_gpu.handle)
        return HSA_STATUS_ERROR_INVALID_AGENT;
    if ((uint32_t)attribute == EMU_AGENT_INFO_MEMORY_AVAILABLE) {
        const struct emu_fact left = EMU_U64(attribute, emu_ranges_device_left());
        return emu_fact_answer(&left, 1, attribute, value);
    }
    return emu_fact_answer(gpu_facts, gpu_fact_count, attribute, value);
}

hsa_status_t hsa_agent_iterate_isas(hsa_agent_t agent, hsa_status_t (*callback)(hsa_isa_t, void *),
                                    void *data)
{
    return agent.handle == emu_agent_gpu.handle ? callback(gpu_isa, data)
                                                : HSA_STATUS_ERROR_INVALID_AGENT;
}

hsa_status_t hsa_isa_get_info_alt(hsa_isa_t isa, hsa_isa_info_t attribute, void *value)
{
    if (isa.handle != gpu_isa.handle)
        return HSA_STATUS_ERROR_INVALID_ISA;
    char name[64];
    int length = snprintf(name, sizeof(name), "amdgcn-amd-amdhsa--%s", described->isa);
    const struct emu_fact facts[] = {
        EMU_U32(HSA_ISA_INFO_NAME_LENGTH, (uint64_t)length + 1),
        EMU_TEXT(HSA_ISA_INFO_NAME, (uint8_t)(length + 1), name),
        {HSA_ISA_INFO_MACHINE_MODELS, 1, 2, {0, 1}, NULL}, /* small: no, large: yes */
        {HSA_ISA_INFO_PROFILES, 1, 2, {1, 0}, NULL},       /* base: yes, full: no */
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

hsa_status_t hsa_amd_agent_set_async_scratch_limit(hsa_agent_t agent, size_t bytes)
{
    (void)bytes; /* scratch is made for each dispatch */
    return agent.handle == emu_agent_gpu.handle ? HSA_STATUS_SUCCESS
                                                : HSA_STATUS_ERROR_INVALID_AGENT;
}
