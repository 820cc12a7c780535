/* loader.h: AMD code objects (ELF), laid out in memory of the device. */
#ifndef BP_EMULATOR_LOADER_H
#define BP_EMULATOR_LOADER_H

#include <hsa/hsa.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_symbol {
    char *name;
    uint64_t address, bytes;
    bool kernel; /* the address is of a kernel descriptor of 64 bytes */
};

struct emu_image {
    void *base;
    struct emu_symbol *symbols;
    size_t symbol_count;
};

/* Loads a code object for machine `elf_machine` (EF_AMDGPU_MACH). The bytes may be anything.
 * HSA_STATUS_ERROR_INVALID_CODE_OBJECT: not one, or not whole; HSA_STATUS_ERROR_INVALID_ISA: for
 * another machine; HSA_STATUS_ERROR_OUT_OF_RESOURCES. *image is written on success, and unloaded
 * by the caller. */
hsa_status_t emu_image_load(const void *elf, size_t bytes, uint32_t elf_machine,
                            struct emu_image *image);
void emu_image_unload(struct emu_image *image);

#endif
