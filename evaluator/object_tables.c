#include "evaluator/object_tables.h"

#include <string.h>

const struct bp_object_segment *bp_object_segment_of(const struct bp_object *object,
                                                     uint64_t address, uint64_t size)
{
    for (uint32_t i = 0; i < object->segment_count; i++) {
        const struct bp_object_segment *s = &object->segments[i];
        if (address >= s->address && address - s->address <= s->memory_size &&
            size <= s->memory_size - (address - s->address))
            return s;
    }
    return NULL;
}

Elf64_Sym bp_object_symbol(const struct bp_object *object, uint32_t index)
{
    Elf64_Sym symbol;
    memcpy(&symbol, object->bytes + object->symbols.offset + index * sizeof symbol, sizeof symbol);
    return symbol;
}

const char *bp_object_symbol_name(const struct bp_object *object, const Elf64_Sym *symbol)
{
    return (const char *)object->bytes + object->strings.offset + symbol->st_name;
}

const struct bp_import *bp_object_import_of(const struct bp_object *object, uint32_t symbol_index)
{
    Elf64_Sym symbol = bp_object_symbol(object, symbol_index);
    if (symbol_index == 0 || symbol.st_shndx != SHN_UNDEF)
        return NULL;
    return object->rules->import(bp_object_symbol_name(object, &symbol));
}

bool bp_object_relocation(const struct bp_object *object, uint32_t table, uint64_t index,
                          Elf64_Rela *r)
{
    const struct bp_object_table *t = &object->relocations[table];
    if (index >= t->size / sizeof *r)
        return false;
    memcpy(r, object->bytes + t->offset + index * sizeof *r, sizeof *r);
    return true;
}

bool bp_object_find(const struct bp_object *object, const char *name, uint64_t *address)
{
    for (uint32_t i = 1; i < object->symbol_count; i++) {
        Elf64_Sym symbol = bp_object_symbol(object, i);
        if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
            strcmp(bp_object_symbol_name(object, &symbol), name) != 0)
            continue;
        const struct bp_object_segment *s = bp_object_segment_of(object, symbol.st_value, 1);
        if (!s || !(s->flags & PF_X))
            return false;
        *address = symbol.st_value;
        return true;
    }
    return false;
}

bool bp_object_is_code(const struct bp_object *object, uint64_t address)
{
    const struct bp_object_segment *s = bp_object_segment_of(object, address, 1);
    return s && (s->flags & PF_X);
}

const char *bp_object_function_at(const struct bp_object *object, uint64_t address,
                                  uint64_t *offset)
{
    for (uint32_t i = 1; i < object->symbol_count; i++) {
        Elf64_Sym symbol = bp_object_symbol(object, i);
        if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
            address < symbol.st_value || address - symbol.st_value >= symbol.st_size)
            continue;
        *offset = address - symbol.st_value;
        return bp_object_symbol_name(object, &symbol);
    }
    return NULL;
}
