/* code.h: real code for the emulator: assembled by amd_comgr, or compiled by hipRTC. */
#ifndef TESTS_ISA_CODE_H
#define TESTS_ISA_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A code object's loadable part, placed as its program headers say. */
struct isa_code {
    unsigned char *memory;
    size_t size;
    const unsigned char *elf;
    size_t elf_size;
};

/* Maps an ELF file's segments; the file must live as long as *code. */
bool isa_code_load(struct isa_code *code, const void *elf, size_t size);
void isa_code_release(struct isa_code *code);

/* Address of a symbol, such as "kernel.kd"; NULL if there is none. */
const void *isa_code_symbol(const struct isa_code *code, const char *name);

/* Assembles instructions for gfx1030 into *words, through libamd_comgr. Returns the bytes, or -1 and a
 * reason: that there is no such library (*missing), or what it objects to. */
long isa_assemble(const char *text, unsigned char *bytes, size_t room, bool *missing, char *reason,
                  size_t reason_size);

#endif
