/* code_objects.c: HSA's readers, executables and their symbols, over the loader. */
#include <hsa/hsa.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/facts.h"
#include "evaluator/emulator/loader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The head of a kernel descriptor (LLVM, "Code Object V3 Kernel Descriptor"). */
struct descriptor {
    uint32_t group_bytes, private_bytes, kernarg_bytes, reserved0;
    int64_t entry_offset;
    uint8_t reserved1[32];
    uint16_t properties;
};
#define PROPERTY_DYNAMIC_STACK (1u << 11)
#define KERNARG_ALIGNMENT 16 /* of ROCr: the ABI asks for it of every kernel */

struct reader {
    const void *data;
    size_t bytes;
};

struct executable {
    struct emu_image *images;
    size_t image_count;
};

hsa_status_t hsa_code_object_reader_create_from_memory(const void *data, size_t bytes,
                                                       hsa_code_object_reader_t *handle)
{
    if (!data || bytes == 0 || !handle)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    struct reader *reader = malloc(sizeof(*reader));
    if (!reader)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    *reader = (struct reader){data, bytes};
    handle->handle = (uint64_t)reader;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_code_object_reader_destroy(hsa_code_object_reader_t handle)
{
    free((struct reader *)handle.handle);
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_executable_create_alt(hsa_profile_t profile,
                                       hsa_default_float_rounding_mode_t rounding,
                                       const char *options, hsa_executable_t *handle)
{
    (void)profile;
    (void)rounding;
    (void)options;
    if (!handle)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    struct executable *executable = calloc(1, sizeof(*executable));
    if (!executable)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    handle->handle = (uint64_t)executable;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_executable_destroy(hsa_executable_t handle)
{
    struct executable *executable = (struct executable *)handle.handle;
    if (!executable)
        return HSA_STATUS_ERROR_INVALID_EXECUTABLE;
    for (size_t n = 0; n < executable->image_count; n++)
        emu_image_unload(&executable->images[n]);
    free(executable->images);
    free(executable);
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_executable_freeze(hsa_executable_t handle, const char *options)
{
    (void)options; /* an image is final once it is loaded */
    return handle.handle ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_EXECUTABLE;
}

hsa_status_t hsa_executable_load_agent_code_object(hsa_executable_t handle, hsa_agent_t agent,
                                                   hsa_code_object_reader_t reader_handle,
                                                   const char *options,
                                                   hsa_loaded_code_object_t *loaded)
{
    (void)options;
    struct executable *executable = (struct executable *)handle.handle;
    const struct reader *reader = (const struct reader *)reader_handle.handle;
    if (!executable || !reader)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    if (agent.handle != emu_agent_gpu.handle)
        return HSA_STATUS_ERROR_INVALID_AGENT;
    struct emu_image *images =
        realloc(executable->images, (executable->image_count + 1) * sizeof(*images));
    if (!images)
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    executable->images = images;
    hsa_status_t status =
        emu_image_load(reader->data, reader->bytes, emu_agents_target()->elf_machine,
                       &images[executable->image_count]);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    if (loaded)
        loaded->handle = (uint64_t)images[executable->image_count].base;
    executable->image_count++;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_executable_get_symbol_by_name(hsa_executable_t handle, const char *name,
                                               const hsa_agent_t *agent,
                                               hsa_executable_symbol_t *symbol)
{
    (void)agent;
    const struct executable *executable = (const struct executable *)handle.handle;
    if (!executable || !name || !symbol)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    for (size_t n = 0; n < executable->image_count; n++) {
        const struct emu_image *image = &executable->images[n];
        for (size_t s = 0; s < image->symbol_count; s++) {
            if (strcmp(image->symbols[s].name, name) != 0)
                continue;
            symbol->handle = (uint64_t)&image->symbols[s];
            return HSA_STATUS_SUCCESS;
        }
    }
    return HSA_STATUS_ERROR_INVALID_SYMBOL_NAME;
}

/* The name is written without its terminating zero. */
static hsa_status_t name_of(const struct emu_symbol *symbol, void *value)
{
    memcpy(value, symbol->name, strlen(symbol->name));
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t kernel_info(const struct emu_symbol *symbol, uint32_t attribute, void *value)
{
    struct descriptor descriptor;
    memcpy(&descriptor, (const void *)symbol->address, sizeof(descriptor));
    const struct emu_fact facts[] = {
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_TYPE, HSA_SYMBOL_KIND_KERNEL),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_NAME_LENGTH, strlen(symbol->name)),
        EMU_U64(HSA_EXECUTABLE_SYMBOL_INFO_AGENT, emu_agent_gpu.handle),
        EMU_U64(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_OBJECT, symbol->address),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_KERNARG_SEGMENT_SIZE, descriptor.kernarg_bytes),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_KERNARG_SEGMENT_ALIGNMENT, KERNARG_ALIGNMENT),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_GROUP_SEGMENT_SIZE, descriptor.group_bytes),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_PRIVATE_SEGMENT_SIZE, descriptor.private_bytes),
        EMU_U8(HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_DYNAMIC_CALLSTACK,
               (descriptor.properties & PROPERTY_DYNAMIC_STACK) != 0),
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

static hsa_status_t variable_info(const struct emu_symbol *symbol, uint32_t attribute, void *value)
{
    const struct emu_fact facts[] = {
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_TYPE, HSA_SYMBOL_KIND_VARIABLE),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_NAME_LENGTH, strlen(symbol->name)),
        EMU_U64(HSA_EXECUTABLE_SYMBOL_INFO_AGENT, emu_agent_gpu.handle),
        EMU_U64(HSA_EXECUTABLE_SYMBOL_INFO_VARIABLE_ADDRESS, symbol->address),
        EMU_U32(HSA_EXECUTABLE_SYMBOL_INFO_VARIABLE_SIZE, symbol->bytes),
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

hsa_status_t hsa_executable_symbol_get_info(hsa_executable_symbol_t handle,
                                            hsa_executable_symbol_info_t attribute, void *value)
{
    const struct emu_symbol *symbol = (const struct emu_symbol *)handle.handle;
    if (!symbol || !value)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    if (attribute == HSA_EXECUTABLE_SYMBOL_INFO_NAME)
        return name_of(symbol, value);
    return symbol->kernel ? kernel_info(symbol, attribute, value)
                          : variable_info(symbol, attribute, value);
}
