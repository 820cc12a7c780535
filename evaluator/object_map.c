/* What was vetted becomes memory: segments, imports, relocations. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "evaluator/object_tables.h"

void *bp_object_at(const struct bp_object *object, uint64_t address)
{
    return object->base + (address - bp_object_page_floor(object->segments[0].address));
}

uint64_t bp_object_address(const struct bp_object *object, uintptr_t place)
{
    uintptr_t base = (uintptr_t)object->base;
    if (place < base || place - base >= object->span)
        return 0;
    return place - base + bp_object_page_floor(object->segments[0].address);
}

static int protection(const struct bp_object_segment *s)
{
    return PROT_READ | (s->flags & PF_W ? PROT_WRITE : 0) | (s->flags & PF_X ? PROT_EXEC : 0);
}

/* File pages first; what memory_size adds is zero, in the last file page and behind it. */
static int map_segment(struct bp_object *object, const struct bp_object_segment *s, int fd)
{
    unsigned char *start = bp_object_at(object, s->address);
    unsigned char *file_end = start + s->file_size;
    uint64_t lead = s->address % BP_OBJECT_PAGE;
    if (s->file_size > 0 &&
        mmap(start - lead, lead + s->file_size, protection(s), MAP_PRIVATE | MAP_FIXED, fd,
             (off_t)(s->offset - lead)) == MAP_FAILED)
        return -1;
    if (s->memory_size == s->file_size)
        return 0;
    unsigned char *file_pages_end =
        s->file_size > 0 ? (unsigned char *)bp_object_page_ceil((uintptr_t)file_end) : start - lead;
    unsigned char *end = start + s->memory_size;
    if (s->file_size > 0)
        memset(file_end, 0, (size_t)((file_pages_end < end ? file_pages_end : end) - file_end));
    if (end > file_pages_end && mmap(file_pages_end, (size_t)(end - file_pages_end), protection(s),
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return -1;
    return 0;
}

static uint64_t relocated(const struct bp_object *object, const Elf64_Rela *r)
{
    uint64_t bias =
        (uint64_t)(uintptr_t)object->base - bp_object_page_floor(object->segments[0].address);
    uint64_t addend = (uint64_t)r->r_addend;
    uint32_t index = (uint32_t)ELF64_R_SYM(r->r_info);
    const struct bp_import *import = bp_object_import_of(object, index);
    uint64_t value = index == 0 ? 0 : bp_object_symbol(object, index).st_value;
    switch (ELF64_R_TYPE(r->r_info)) {
    case R_X86_64_RELATIVE:
        return bias + addend;
    case R_X86_64_DTPMOD64:
        return 1; /* bp_simt_tls_address knows one module */
    case R_X86_64_DTPOFF64:
        return value + addend;
    case R_X86_64_TPOFF64:
        return bp_import_self_offset() + addend;
    default: /* 64, GLOB_DAT, JUMP_SLOT; the latter two have no addend on x86-64 */
        return (import ? (uint64_t)(uintptr_t)import->function : bias + value) + addend;
    }
}

static void relocate(struct bp_object *object)
{
    Elf64_Rela r;
    for (uint32_t table = 0; table < 2; table++) {
        for (uint64_t i = 0; bp_object_relocation(object, table, i, &r); i++) {
            uint64_t value = relocated(object, &r);
            memcpy(bp_object_at(object, r.r_offset), &value, sizeof value);
        }
    }
}

static int map_all(struct bp_object *object, int fd)
{
    for (uint32_t i = 0; i < object->segment_count; i++) {
        if (map_segment(object, &object->segments[i], fd) < 0)
            return -1;
    }
    relocate(object);
    if (object->relro_begin == object->relro_end)
        return 0;
    return mprotect(bp_object_at(object, object->relro_begin),
                    object->relro_end - object->relro_begin, PROT_READ);
}

enum bp_verdict bp_object_map(struct bp_object *object, int fd, char message[BP_TEXT_LINE])
{
    void *base =
        mmap(NULL, object->span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base != MAP_FAILED) {
        object->base = base;
        if (map_all(object, fd) == 0)
            return BP_VERDICT_PASS;
    }
    int saved = errno;
    bp_object_unmap(object);
    snprintf(message, BP_TEXT_LINE, "cannot map the object: %s", strerror(saved));
    return saved == ENOMEM ? BP_VERDICT_OOM_HOST : BP_VERDICT_INFRA;
}

void bp_object_unmap(struct bp_object *object)
{
    if (object->base)
        munmap(object->base, object->span);
    object->base = NULL;
}
