/* unsupported.c: entries that libamdhip64 of ROCm 5.2 to 7 imports, and that no kernel needs:
 * images, sharing between processes, managed memory, virtual memory, file input. Each says its
 * name and fails. */
#include <stdio.h>

/* HSA_STATUS_ERROR. Their real types are in no header of ours, and callers use nothing but the
 * status. */
#define FAILED 0x1000

#define UNSUPPORTED(name)                                                                          \
    int name(void);                                                                                \
    int name(void)                                                                                 \
    {                                                                                              \
        fprintf(stderr, "emulator: unsupported %s\n", #name);                                      \
        return FAILED;                                                                             \
    }

UNSUPPORTED(hsa_amd_ais_file_read)
UNSUPPORTED(hsa_amd_ais_file_write)
UNSUPPORTED(hsa_amd_image_create)
UNSUPPORTED(hsa_amd_interop_map_buffer)
UNSUPPORTED(hsa_amd_interop_unmap_buffer)
UNSUPPORTED(hsa_amd_ipc_memory_attach)
UNSUPPORTED(hsa_amd_ipc_memory_create)
UNSUPPORTED(hsa_amd_ipc_memory_detach)
UNSUPPORTED(hsa_amd_memory_async_copy_rect)
UNSUPPORTED(hsa_amd_portable_export_dmabuf)
UNSUPPORTED(hsa_amd_svm_attributes_get)
UNSUPPORTED(hsa_amd_svm_attributes_set)
UNSUPPORTED(hsa_amd_svm_prefetch_async)
UNSUPPORTED(hsa_amd_vmem_address_free)
UNSUPPORTED(hsa_amd_vmem_address_reserve)
UNSUPPORTED(hsa_amd_vmem_address_reserve_align)
UNSUPPORTED(hsa_amd_vmem_export_shareable_handle)
UNSUPPORTED(hsa_amd_vmem_get_access)
UNSUPPORTED(hsa_amd_vmem_handle_create)
UNSUPPORTED(hsa_amd_vmem_handle_release)
UNSUPPORTED(hsa_amd_vmem_import_shareable_handle)
UNSUPPORTED(hsa_amd_vmem_map)
UNSUPPORTED(hsa_amd_vmem_retain_alloc_handle)
UNSUPPORTED(hsa_amd_vmem_set_access)
UNSUPPORTED(hsa_amd_vmem_unmap)
UNSUPPORTED(hsa_executable_agent_global_variable_define)
UNSUPPORTED(hsa_ext_image_create)
UNSUPPORTED(hsa_ext_image_create_with_layout)
UNSUPPORTED(hsa_ext_image_data_get_info)
UNSUPPORTED(hsa_ext_image_destroy)
UNSUPPORTED(hsa_ext_image_export)
UNSUPPORTED(hsa_ext_image_import)
UNSUPPORTED(hsa_ext_sampler_create)
UNSUPPORTED(hsa_ext_sampler_create_v2)
UNSUPPORTED(hsa_ext_sampler_destroy)
