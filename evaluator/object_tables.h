/* object_tables.h: what the vetting and the mapping of an object (object.h) read of it alike. */
#ifndef BP_EVALUATOR_OBJECT_TABLES_H
#define BP_EVALUATOR_OBJECT_TABLES_H

#include <elf.h>

#include "evaluator/object.h"

#define BP_OBJECT_PAGE 4096ull

static inline uint64_t bp_object_page_floor(uint64_t address)
{
    return address & ~(BP_OBJECT_PAGE - 1);
}

static inline uint64_t bp_object_page_ceil(uint64_t address)
{
    return (address + BP_OBJECT_PAGE - 1) & ~(BP_OBJECT_PAGE - 1);
}

/* The segment that holds [address, address + size) in memory; null when none does. */
const struct bp_object_segment *bp_object_segment_of(const struct bp_object *object,
                                                     uint64_t address, uint64_t size);

/* The caller has checked index; names are inside the string table, which ends in a NUL. */
Elf64_Sym bp_object_symbol(const struct bp_object *object, uint32_t index);
const char *bp_object_symbol_name(const struct bp_object *object, const Elf64_Sym *symbol);

/* The import behind a relocation's symbol; null for a symbol of the object's own. */
const struct bp_import *bp_object_import_of(const struct bp_object *object, uint32_t symbol_index);

/* Relocation `index` of one of the two tables; false behind the last. */
bool bp_object_relocation(const struct bp_object *object, uint32_t table, uint64_t index,
                          Elf64_Rela *r);

#endif
