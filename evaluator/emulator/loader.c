#include "evaluator/emulator/loader.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/emulator/ranges.h"

#define MACHINE_AMDGPU 224
#define FLAG_MACHINE 0xffu
#define DESCRIPTOR_BYTES 64u
#define MAX_IMAGE_BYTES ((uint64_t)1 << 30)

/* Relocations that objects linked by lld have (LLVM's AMDGPU ABI). */
#define RELOCATION_ABS64 3
#define RELOCATION_RELATIVE64 13

struct file {
    const char *data;
    size_t bytes;
    Elf64_Ehdr header;
};

struct loading {
    struct file file;
    char *base;
    uint64_t bytes; /* of the image */
    struct emu_image *image;
};

/* `bytes` bytes at `offset`, or NULL. */
static const char *within(const struct file *file, uint64_t offset, uint64_t bytes)
{
    if (offset > file->bytes || bytes > file->bytes - offset)
        return NULL;
    return file->data + offset;
}

static bool read_entry(const struct file *file, uint64_t table, uint64_t n, void *entry,
                       size_t bytes)
{
    uint64_t offset;
    if (__builtin_mul_overflow(n, bytes, &offset) || __builtin_add_overflow(table, offset, &offset))
        return false;
    const char *at = within(file, offset, bytes);
    if (at)
        memcpy(entry, at, bytes);
    return at != NULL;
}

static bool read_section(const struct file *file, uint64_t n, Elf64_Shdr *section)
{
    return n < file->header.e_shnum &&
           read_entry(file, file->header.e_shoff, n, section, sizeof(*section));
}

static hsa_status_t read_header(struct file *file, uint32_t elf_machine)
{
    const Elf64_Ehdr *header = &file->header;
    if (!read_entry(file, 0, 0, &file->header, sizeof(file->header)) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_machine != MACHINE_AMDGPU ||
        (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr)) ||
        (header->e_shnum && header->e_shentsize != sizeof(Elf64_Shdr)))
        return HSA_STATUS_ERROR_INVALID_CODE_OBJECT;
    return (header->e_flags & FLAG_MACHINE) == elf_machine ? HSA_STATUS_SUCCESS
                                                           : HSA_STATUS_ERROR_INVALID_ISA;
}

/* Looks at every loadable segment; the size of the image in *bytes. */
static bool measure(const struct file *file, uint64_t *bytes)
{
    *bytes = 0;
    for (unsigned n = 0; n < file->header.e_phnum; n++) {
        Elf64_Phdr segment;
        uint64_t end;
        if (!read_entry(file, file->header.e_phoff, n, &segment, sizeof(segment)))
            return false;
        if (segment.p_type != PT_LOAD)
            continue;
        if (segment.p_filesz > segment.p_memsz ||
            __builtin_add_overflow(segment.p_vaddr, segment.p_memsz, &end) ||
            end > MAX_IMAGE_BYTES || !within(file, segment.p_offset, segment.p_filesz))
            return false;
        if (end > *bytes)
            *bytes = end;
    }
    return *bytes > 0;
}

static void copy_segments(const struct loading *loading)
{
    const struct file *file = &loading->file;
    for (unsigned n = 0; n < file->header.e_phnum; n++) {
        Elf64_Phdr segment;
        if (read_entry(file, file->header.e_phoff, n, &segment, sizeof(segment)) &&
            segment.p_type == PT_LOAD)
            memcpy(loading->base + segment.p_vaddr, file->data + segment.p_offset,
                   segment.p_filesz);
    }
}

/* A copy of the string at `offset` of a string table; NULL if it does not end in there. */
static char *copy_string(const struct file *file, const Elf64_Shdr *strings, uint64_t offset)
{
    const char *table = within(file, strings->sh_offset, strings->sh_size);
    if (!table || offset >= strings->sh_size ||
        !memchr(table + offset, '\0', strings->sh_size - offset))
        return NULL;
    return strdup(table + offset);
}

static bool add_symbol(const struct loading *loading, const Elf64_Sym *symbol, char *name)
{
    struct emu_image *image = loading->image;
    struct emu_symbol *larger =
        realloc(image->symbols, (image->symbol_count + 1) * sizeof(*image->symbols));
    if (!larger)
        return false;
    image->symbols = larger;
    size_t length = strlen(name);
    bool kernel =
        symbol->st_size == DESCRIPTOR_BYTES && length > 3 && strcmp(name + length - 3, ".kd") == 0;
    larger[image->symbol_count++] = (struct emu_symbol){
        name, (uint64_t)loading->base + symbol->st_value, symbol->st_size, kernel};
    return true;
}

static bool read_symbols(const struct loading *loading, const Elf64_Shdr *section)
{
    const struct file *file = &loading->file;
    Elf64_Shdr strings;
    if (!read_section(file, section->sh_link, &strings))
        return false;
    for (uint64_t n = 1; n < section->sh_size / sizeof(Elf64_Sym); n++) {
        Elf64_Sym symbol;
        if (!read_entry(file, section->sh_offset, n, &symbol, sizeof(symbol)))
            return false;
        if (symbol.st_shndx == SHN_UNDEF)
            continue;
        if (symbol.st_value > loading->bytes || symbol.st_size > loading->bytes - symbol.st_value)
            return false;
        char *name = copy_string(file, &strings, symbol.st_name);
        if (!name || !add_symbol(loading, &symbol, name)) {
            free(name);
            return false;
        }
    }
    return true;
}

static bool relocate_one(const struct loading *loading, const Elf64_Shdr *symbols,
                         const Elf64_Rela *relocation)
{
    uint64_t value = (uint64_t)loading->base + (uint64_t)relocation->r_addend;
    Elf64_Sym symbol;
    switch (ELF64_R_TYPE(relocation->r_info)) {
    case RELOCATION_RELATIVE64:
        break;
    case RELOCATION_ABS64:
        if (!read_entry(&loading->file, symbols->sh_offset, ELF64_R_SYM(relocation->r_info),
                        &symbol, sizeof(symbol)) ||
            symbol.st_shndx == SHN_UNDEF)
            return false;
        value += symbol.st_value;
        break;
    default:
        fprintf(stderr, "emulator: relocation %u of a code object is not known\n",
                (unsigned)ELF64_R_TYPE(relocation->r_info));
        return false;
    }
    if (loading->bytes < sizeof(value) || relocation->r_offset > loading->bytes - sizeof(value))
        return false;
    memcpy(loading->base + relocation->r_offset, &value, sizeof(value));
    return true;
}

static bool relocate(const struct loading *loading, const Elf64_Shdr *section)
{
    Elf64_Shdr symbols;
    if (!read_section(&loading->file, section->sh_link, &symbols))
        return false;
    for (uint64_t n = 0; n < section->sh_size / sizeof(Elf64_Rela); n++) {
        Elf64_Rela relocation;
        if (!read_entry(&loading->file, section->sh_offset, n, &relocation, sizeof(relocation)) ||
            !relocate_one(loading, &symbols, &relocation))
            return false;
    }
    return true;
}

static bool read_sections(const struct loading *loading)
{
    for (unsigned n = 0; n < loading->file.header.e_shnum; n++) {
        Elf64_Shdr section;
        if (!read_section(&loading->file, n, &section))
            return false;
        if (section.sh_type == SHT_DYNSYM && !read_symbols(loading, &section))
            return false;
        /* Only what is loaded is relocated here; the linker has seen to the rest. */
        if (section.sh_type == SHT_RELA && (section.sh_flags & SHF_ALLOC) &&
            !relocate(loading, &section))
            return false;
    }
    return true;
}

hsa_status_t emu_image_load(const void *elf, size_t bytes, uint32_t elf_machine,
                            struct emu_image *image)
{
    struct emu_image loaded = {0};
    struct loading loading = {.file = {elf, bytes}, .image = &loaded};
    hsa_status_t status = read_header(&loading.file, elf_machine);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    if (!measure(&loading.file, &loading.bytes))
        return HSA_STATUS_ERROR_INVALID_CODE_OBJECT;
    status = emu_range_allocate(EMU_RANGE_INTERNAL, loading.bytes, &loaded.base);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    loading.base = loaded.base;
    copy_segments(&loading);
    if (!read_sections(&loading)) {
        emu_image_unload(&loaded);
        return HSA_STATUS_ERROR_INVALID_CODE_OBJECT;
    }
    *image = loaded;
    return HSA_STATUS_SUCCESS;
}

void emu_image_unload(struct emu_image *image)
{
    for (size_t n = 0; n < image->symbol_count; n++)
        free(image->symbols[n].name);
    free(image->symbols);
    emu_range_free(image->base);
}
