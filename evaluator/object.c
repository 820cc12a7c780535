#include "evaluator/object.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/weaken.h"
#include "evaluator/object_tables.h"
#include "evaluator/simt.h"

#define MAX_HEADERS 16
#define ADDRESS_MAX (1ull << 46) /* far from overflow in every sum below */

/* Tables of the dynamic segment while it is read. */
struct dynamic {
    uint64_t symtab, strtab, strsz, hash, rela, relasz, jmprel, pltrelsz;
};

BP_PRINTF(2, 3)
static enum bp_verdict refuse(char message[BP_TEXT_LINE], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, BP_TEXT_LINE, fmt, args);
    va_end(args);
    return BP_VERDICT_LAUNCH_ERROR;
}

/* Copies size bytes at offset of the file: tables need not be aligned. */
static bool read_at(const struct bp_object *object, uint64_t offset, void *out, uint64_t size)
{
    if (offset > object->size || size > object->size - offset)
        return false;
    memcpy(out, object->bytes + offset, size);
    return true;
}

/* Where in the file [address, address + size) is stored. */
static bool file_table(const struct bp_object *object, uint64_t address, uint64_t size,
                       struct bp_object_table *table)
{
    const struct bp_object_segment *s = bp_object_segment_of(object, address, size);
    if (!s || address - s->address > s->file_size || size > s->file_size - (address - s->address))
        return false;
    *table = (struct bp_object_table){s->offset + (address - s->address), size};
    return true;
}

/* ---- program headers ---- */

static enum bp_verdict add_segment(struct bp_object *object, const Elf64_Phdr *h,
                                   char message[BP_TEXT_LINE])
{
    if (object->segment_count == BP_OBJECT_MAX_SEGMENTS)
        return refuse(message, "object has more than %d segments", BP_OBJECT_MAX_SEGMENTS);
    if (h->p_vaddr >= ADDRESS_MAX || h->p_offset > object->size ||
        h->p_filesz > object->size - h->p_offset || h->p_filesz > h->p_memsz ||
        h->p_vaddr % BP_OBJECT_PAGE != h->p_offset % BP_OBJECT_PAGE || h->p_align > BP_OBJECT_PAGE)
        return refuse(message, "object has a malformed segment");
    if (h->p_memsz > BP_OBJECT_MAX_MEMORY) {
        snprintf(message, BP_TEXT_LINE, "global data of %llu bytes, limit %llu",
                 (unsigned long long)h->p_memsz, BP_OBJECT_MAX_MEMORY);
        return BP_VERDICT_RESOURCE_LIMIT;
    }
    if (!(h->p_flags & PF_R) || ((h->p_flags & PF_W) && (h->p_flags & PF_X)))
        return refuse(message, "object has a segment that is writable and executable");
    if (h->p_memsz > h->p_filesz && !(h->p_flags & PF_W))
        return refuse(message, "object has a malformed segment");
    if (object->segment_count > 0) {
        const struct bp_object_segment *before = &object->segments[object->segment_count - 1];
        if (bp_object_page_floor(h->p_vaddr) <
            bp_object_page_ceil(before->address + before->memory_size))
            return refuse(message, "object has overlapping segments");
    }
    object->segments[object->segment_count++] = (struct bp_object_segment){
        h->p_vaddr, h->p_offset, h->p_filesz, h->p_memsz, h->p_flags & (PF_R | PF_W | PF_X)};
    return BP_VERDICT_PASS;
}

static enum bp_verdict set_static_lds(struct bp_object *object, const Elf64_Phdr *h,
                                      char message[BP_TEXT_LINE])
{
    if (object->static_lds_bytes != 0)
        return refuse(message, "object has two thread-local segments");
    if (h->p_memsz > object->rules->lds_max_bytes) {
        snprintf(message, BP_TEXT_LINE, "static shared memory of %llu bytes, limit %llu",
                 (unsigned long long)h->p_memsz, (unsigned long long)object->rules->lds_max_bytes);
        return BP_VERDICT_RESOURCE_LIMIT;
    }
    if (h->p_filesz != 0)
        return refuse(message, "a __shared__ variable has an initial value");
    if (h->p_align > BP_SIMT_LDS_ALIGN || (h->p_align > 1 && h->p_vaddr % h->p_align != 0))
        return refuse(message, "a __shared__ variable is aligned to more than %d bytes",
                      BP_SIMT_LDS_ALIGN);
    object->static_lds_bytes = h->p_memsz;
    return BP_VERDICT_PASS;
}

static enum bp_verdict read_header(struct bp_object *object, const Elf64_Phdr *h,
                                   Elf64_Phdr *dynamic, Elf64_Phdr *relro,
                                   char message[BP_TEXT_LINE])
{
    switch (h->p_type) {
    case PT_LOAD:
        return add_segment(object, h, message);
    case PT_TLS:
        return set_static_lds(object, h, message);
    case PT_DYNAMIC:
        if (dynamic->p_type != PT_NULL)
            return refuse(message, "object has two dynamic segments");
        *dynamic = *h;
        return BP_VERDICT_PASS;
    case PT_GNU_RELRO:
        *relro = *h;
        return BP_VERDICT_PASS;
    case PT_GNU_STACK:
        if (h->p_flags & PF_X)
            return refuse(message, "object asks for an executable stack");
        return BP_VERDICT_PASS;
    case PT_NULL:
    case PT_PHDR:
    case PT_NOTE:
    case PT_GNU_EH_FRAME:
    case PT_GNU_PROPERTY:
        return BP_VERDICT_PASS;
    default:
        return refuse(message, "object has a segment of unexpected type 0x%x", h->p_type);
    }
}

static enum bp_verdict read_headers(struct bp_object *object, Elf64_Phdr *dynamic,
                                    Elf64_Phdr *relro, char message[BP_TEXT_LINE])
{
    Elf64_Ehdr e;
    if (!read_at(object, 0, &e, sizeof e) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
        e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
        e.e_type != ET_DYN || e.e_machine != EM_X86_64)
        return refuse(message, "object is not an x86-64 shared object");
    if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum > MAX_HEADERS)
        return refuse(message, "object has unexpected program headers");
    for (uint32_t i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr h;
        if (e.e_phoff > object->size || !read_at(object, e.e_phoff + i * sizeof h, &h, sizeof h))
            return refuse(message, "object is cut short");
        enum bp_verdict verdict = read_header(object, &h, dynamic, relro, message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
    }
    if (object->segment_count == 0 || dynamic->p_type == PT_NULL)
        return refuse(message, "object has nothing to load");
    const struct bp_object_segment *last = &object->segments[object->segment_count - 1];
    object->span = bp_object_page_ceil(last->address + last->memory_size) -
                   bp_object_page_floor(object->segments[0].address);
    if (object->span > BP_OBJECT_MAX_MEMORY) {
        snprintf(message, BP_TEXT_LINE, "code and global data of %zu bytes, limit %llu",
                 object->span, BP_OBJECT_MAX_MEMORY);
        return BP_VERDICT_RESOURCE_LIMIT;
    }
    return BP_VERDICT_PASS;
}

/* Pages that become read-only after relocation: of a writable segment, else none. */
static void set_relro(struct bp_object *object, const Elf64_Phdr *relro)
{
    if (relro->p_type == PT_NULL || relro->p_vaddr >= ADDRESS_MAX || relro->p_memsz > ADDRESS_MAX)
        return;
    uint64_t begin = bp_object_page_ceil(relro->p_vaddr),
             end = bp_object_page_floor(relro->p_vaddr + relro->p_memsz);
    for (uint32_t i = 0; i < object->segment_count; i++) {
        const struct bp_object_segment *s = &object->segments[i];
        if (!(s->flags & PF_W) || relro->p_vaddr < s->address || begin >= end)
            continue;
        /* The linker starts the segment with it, so its first page belongs to nothing else. */
        if (relro->p_vaddr == s->address)
            begin = bp_object_page_floor(s->address);
        if (end <= bp_object_page_ceil(s->address + s->memory_size)) {
            object->relro_begin = begin;
            object->relro_end = end;
        }
    }
}

/* ---- the dynamic table ---- */

static enum bp_verdict read_tag(const struct bp_object_rules *rules, const Elf64_Dyn *d,
                                struct dynamic *dynamic, char message[BP_TEXT_LINE])
{
    uint64_t value = d->d_un.d_val;
    switch (d->d_tag) {
    case DT_SYMTAB:
        dynamic->symtab = value;
        break;
    case DT_STRTAB:
        dynamic->strtab = value;
        break;
    case DT_STRSZ:
        dynamic->strsz = value;
        break;
    case DT_HASH:
        dynamic->hash = value;
        break;
    case DT_RELA:
        dynamic->rela = value;
        break;
    case DT_RELASZ:
        dynamic->relasz = value;
        break;
    case DT_JMPREL:
        dynamic->jmprel = value;
        break;
    case DT_PLTRELSZ:
        dynamic->pltrelsz = value;
        break;
    case DT_SYMENT:
        if (value != sizeof(Elf64_Sym))
            return refuse(message, "object has symbols of unexpected size");
        break;
    case DT_RELAENT:
        if (value != sizeof(Elf64_Rela))
            return refuse(message, "object has relocations of unexpected size");
        break;
    case DT_PLTREL:
        if (value != DT_RELA)
            return refuse(message, "object has relocations of unexpected kind");
        break;
    case DT_FLAGS:
        if (value & DF_TEXTREL)
            return refuse(message, "object has relocations in its code");
        break;
    case DT_PLTGOT:
    case DT_RELACOUNT:
    case DT_FLAGS_1:
    case DT_SONAME:
        break;
    case DT_NEEDED:
        return refuse(message, "object needs a library");
    case DT_INIT:
    case DT_INIT_ARRAY:
    case DT_INIT_ARRAYSZ:
    case DT_PREINIT_ARRAY:
    case DT_PREINIT_ARRAYSZ:
        if (rules->constructors || bp_weakened(BP_DEFENCE_constructors))
            break;
        return refuse(message, "object has constructors: a global variable is initialised by code");
    case DT_FINI:
    case DT_FINI_ARRAY:
    case DT_FINI_ARRAYSZ:
        return refuse(message, "object has destructors");
    default:
        return refuse(message, "object has dynamic tag 0x%llx", (unsigned long long)d->d_tag);
    }
    return BP_VERDICT_PASS;
}

static enum bp_verdict read_dynamic(const struct bp_object *object, const Elf64_Phdr *header,
                                    struct dynamic *dynamic, char message[BP_TEXT_LINE])
{
    uint64_t count = header->p_filesz / sizeof(Elf64_Dyn);
    for (uint64_t i = 0; i < count && i < object->size; i++) {
        Elf64_Dyn d;
        if (header->p_offset > object->size ||
            !read_at(object, header->p_offset + i * sizeof d, &d, sizeof d))
            break;
        if (d.d_tag == DT_NULL)
            return BP_VERDICT_PASS;
        enum bp_verdict verdict = read_tag(object->rules, &d, dynamic, message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
    }
    return refuse(message, "object's dynamic table has no end");
}

static enum bp_verdict find_tables(struct bp_object *object, const struct dynamic *dynamic,
                                   char message[BP_TEXT_LINE])
{
    uint32_t hash[2]; /* buckets, chains: as many chains as symbols */
    struct bp_object_table table;
    if (!file_table(object, dynamic->hash, sizeof hash, &table) ||
        !read_at(object, table.offset, hash, sizeof hash))
        return refuse(message, "object has no symbol hash table");
    object->symbol_count = hash[1];
    uint64_t symbol_bytes = (uint64_t)object->symbol_count * sizeof(Elf64_Sym);
    if (!file_table(object, dynamic->symtab, symbol_bytes, &object->symbols) ||
        !file_table(object, dynamic->strtab, dynamic->strsz, &object->strings) ||
        dynamic->strsz == 0 ||
        object->bytes[object->strings.offset + object->strings.size - 1] != '\0')
        return refuse(message, "object has a malformed symbol table");
    if (dynamic->relasz % sizeof(Elf64_Rela) != 0 || dynamic->pltrelsz % sizeof(Elf64_Rela) != 0 ||
        (dynamic->relasz > 0 &&
         !file_table(object, dynamic->rela, dynamic->relasz, &object->relocations[0])) ||
        (dynamic->pltrelsz > 0 &&
         !file_table(object, dynamic->jmprel, dynamic->pltrelsz, &object->relocations[1])))
        return refuse(message, "object has a malformed relocation table");
    return BP_VERDICT_PASS;
}

/* ---- symbols and relocations ---- */

static enum bp_verdict check_symbol(struct bp_object *object, const Elf64_Sym *symbol,
                                    char message[BP_TEXT_LINE])
{
    if (symbol->st_name >= object->strings.size)
        return refuse(message, "object has a malformed symbol table");
    const char *name = bp_object_symbol_name(object, symbol);
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC && !bp_weakened(BP_DEFENCE_ifuncs))
        return refuse(message, "object has an indirect function: %.100s", name);
    if (symbol->st_shndx != SHN_UNDEF)
        return BP_VERDICT_PASS;
    const struct bp_import *import = object->rules->import(name);
    if (!import && bp_weakened(BP_DEFENCE_imports))
        return BP_VERDICT_PASS;
    if (!import)
        return refuse(message, "object imports %.100s, which no kernel may call", name);
    object->synchronizes |= import->synchronizes;
    return BP_VERDICT_PASS;
}

static enum bp_verdict check_symbols(struct bp_object *object, char message[BP_TEXT_LINE])
{
    for (uint32_t i = 1; i < object->symbol_count; i++) {
        Elf64_Sym symbol = bp_object_symbol(object, i);
        enum bp_verdict verdict = check_symbol(object, &symbol, message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
    }
    return BP_VERDICT_PASS;
}

static enum bp_verdict check_relocation(const struct bp_object *object, const Elf64_Rela *r,
                                        char message[BP_TEXT_LINE])
{
    uint32_t type = (uint32_t)ELF64_R_TYPE(r->r_info), index = (uint32_t)ELF64_R_SYM(r->r_info);
    const struct bp_object_segment *s = bp_object_segment_of(object, r->r_offset, sizeof(uint64_t));
    if (!s || !(s->flags & PF_W))
        return refuse(message, "object has a relocation outside its data");
    if (index >= object->symbol_count)
        return refuse(message, "object has a relocation of no symbol");
    const struct bp_import *import = bp_object_import_of(object, index);
    bool imports_self = import && !import->function;
    switch (type) {
    case R_X86_64_RELATIVE:
    case R_X86_64_DTPMOD64:
    case R_X86_64_DTPOFF64:
        return import ? refuse(message, "object has a malformed relocation") : BP_VERDICT_PASS;
    case R_X86_64_64:
    case R_X86_64_GLOB_DAT:
    case R_X86_64_JUMP_SLOT:
        return imports_self ? refuse(message, "object has a malformed relocation")
                            : BP_VERDICT_PASS;
    case R_X86_64_TPOFF64:
        return imports_self ? BP_VERDICT_PASS
                            : refuse(message, "object has thread-local data of its own");
    default:
        return refuse(message, "object has a relocation of type %u", type);
    }
}

static enum bp_verdict check_relocations(const struct bp_object *object, char message[BP_TEXT_LINE])
{
    Elf64_Rela r;
    for (uint32_t table = 0; table < 2; table++) {
        for (uint64_t i = 0; bp_object_relocation(object, table, i, &r); i++) {
            enum bp_verdict verdict = check_relocation(object, &r, message);
            if (verdict != BP_VERDICT_PASS)
                return verdict;
        }
    }
    return BP_VERDICT_PASS;
}

enum bp_verdict bp_object_vet(const void *bytes, size_t size, const struct bp_object_rules *rules,
                              struct bp_object *object, char message[BP_TEXT_LINE])
{
    Elf64_Phdr header = {.p_type = PT_NULL}, relro = {.p_type = PT_NULL};
    struct dynamic dynamic = {0};
    *object = (struct bp_object){.bytes = bytes, .size = size, .rules = rules};
    enum bp_verdict verdict = read_headers(object, &header, &relro, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = read_dynamic(object, &header, &dynamic, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = find_tables(object, &dynamic, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = check_symbols(object, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = check_relocations(object, message);
    if (verdict == BP_VERDICT_PASS)
        set_relro(object, &relro);
    return verdict;
}
