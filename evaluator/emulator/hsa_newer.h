/* hsa_newer.h: names and numbers that ROCm 6 and 7 have added to the HSA headers.
 *
 * The emulator is built against the headers of ROCm 5.2, the oldest runtime it serves; numbers
 * are those of hsa_ext_amd.h of ROCm 7. */
#ifndef BP_EMULATOR_HSA_NEWER_H
#define BP_EMULATOR_HSA_NEWER_H

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

enum {
    EMU_SYSTEM_INFO_BUILD_VERSION = 0x200,
    EMU_SYSTEM_INFO_SVM_SUPPORTED,
    EMU_SYSTEM_INFO_SVM_ACCESSIBLE_BY_DEFAULT,
    EMU_SYSTEM_INFO_MWAITX_ENABLED,
    EMU_SYSTEM_INFO_DMABUF_SUPPORTED,
    EMU_SYSTEM_INFO_VIRTUAL_MEMORY_SUPPORTED,
    EMU_SYSTEM_INFO_XNACK_ENABLED,
    EMU_SYSTEM_INFO_EXTENSION_MAJOR,
    EMU_SYSTEM_INFO_EXTENSION_MINOR,
};

enum {
    EMU_AGENT_INFO_MEMORY_AVAILABLE = 0xA015,
    EMU_AGENT_INFO_TIMESTAMP_FREQUENCY = 0xA016,
    EMU_AGENT_INFO_ASIC_FAMILY_ID = 0xA107,
    EMU_AGENT_INFO_UCODE_VERSION = 0xA108,
    EMU_AGENT_INFO_SDMA_UCODE_VERSION = 0xA109,
    EMU_AGENT_INFO_SDMA_ENGINES = 0xA10A,
    EMU_AGENT_INFO_SDMA_XGMI_ENGINES = 0xA10B,
    EMU_AGENT_INFO_IOMMU_SUPPORT = 0xA110,
    EMU_AGENT_INFO_XCC_COUNT = 0xA111,
    EMU_AGENT_INFO_DRIVER_UID = 0xA112,
    EMU_AGENT_INFO_NEAREST_CPU = 0xA113,
    EMU_AGENT_INFO_MEMORY_PROPERTIES = 0xA114,
    EMU_AGENT_INFO_AQL_EXTENSIONS = 0xA115,
    EMU_AGENT_INFO_SCRATCH_LIMIT_MAX = 0xA116,
    EMU_AGENT_INFO_SCRATCH_LIMIT_CURRENT = 0xA117,
};

enum {
    EMU_POOL_INFO_LOCATION = 17,
    EMU_POOL_INFO_RECOMMENDED_GRANULE = 18,
};

enum {
    EMU_EVENT_HW_EXCEPTION = 1, /* beside HSA_AMD_GPU_MEMORY_FAULT_EVENT */
};

enum {
    EMU_HW_EXCEPTION_RESET_OTHER = 1,
    EMU_HW_EXCEPTION_CAUSE_HANG = 1,
    EMU_HW_EXCEPTION_CAUSE_ECC = 2,
};

struct emu_hw_exception_event {
    uint32_t type; /* EMU_EVENT_HW_EXCEPTION */
    hsa_agent_t agent;
    uint32_t reset_type, reset_cause;
};

#if HSA_AMD_INTERFACE_VERSION_MINOR < 2
typedef uint32_t hsa_amd_sdma_engine_id_t;
#endif

/* Entries of libhsa-runtime64 that libamdhip64 of ROCm 6 and 7 imports as well. */
hsa_status_t hsa_amd_memory_async_copy_on_engine(void *to, hsa_agent_t to_agent, const void *from,
                                                 hsa_agent_t from_agent, size_t bytes,
                                                 uint32_t dependency_count,
                                                 const hsa_signal_t *dependencies,
                                                 hsa_signal_t completion,
                                                 hsa_amd_sdma_engine_id_t engine, bool force);
hsa_status_t hsa_amd_memory_copy_engine_status(hsa_agent_t to, hsa_agent_t from, uint32_t *engines);
hsa_status_t hsa_amd_memory_get_preferred_copy_engine(hsa_agent_t to, hsa_agent_t from,
                                                      uint32_t *engines);
hsa_status_t hsa_amd_agent_set_async_scratch_limit(hsa_agent_t agent, size_t bytes);
hsa_status_t hsa_amd_enable_logging(uint8_t *flags, void *file);

#endif
