/* object.h: the compiled candidate of the CPU device: an ELF shared object that is vetted as
 * hostile bytes and then mapped by this loader, not by ld.so.
 *
 * Why not dlopen: what is vetted and what is loaded must be one reading of the file (ld.so reads
 * tags and tables the vetting would have to forbid one by one), and a __shared__ variable must lie
 * in the executor's LDS, where ld.so would allocate it on first touch, behind the candidate's
 * filter. An object is what bp_object_vet lets through and nothing more: segments, RELA relocations
 * of seven types, one thread-local block without initial values. */
#ifndef BP_EVALUATOR_OBJECT_H
#define BP_EVALUATOR_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evaluator/imports.h"
#include "evaluator/messages.h"
#include "evaluator/verdict.h"

#define BP_OBJECT_MAX_SEGMENTS 8
#define BP_OBJECT_MAX_MEMORY (256ull << 20) /* code and global data once mapped, bytes */

struct bp_object_segment {
    uint64_t address, offset, file_size, memory_size; /* address: before relocation */
    uint32_t flags;                                   /* PF_R, PF_W, PF_X */
};

/* A stretch of the file that the dynamic table names. */
struct bp_object_table {
    uint64_t offset, size;
};

struct bp_object_rules;

struct bp_object {
    const unsigned char *bytes; /* the file; borrowed, must outlive the map */
    size_t size;
    const struct bp_object_rules *rules; /* borrowed */
    uint32_t segment_count;
    struct bp_object_segment segments[BP_OBJECT_MAX_SEGMENTS];
    uint64_t static_lds_bytes;
    uint64_t relro_begin, relro_end; /* addresses, whole pages; equal when there is none */
    struct bp_object_table symbols, strings, relocations[2];
    uint32_t symbol_count;
    bool synchronizes;   /* imports a barrier or a wave operation */
    unsigned char *base; /* owned mapping of span bytes once mapped; null before */
    size_t span;
};

/* What an object of a kind may hold. */
struct bp_object_rules {
    uint64_t lds_max_bytes;                              /* of static shared memory */
    const struct bp_import *(*import)(const char *name); /* null: no object may import it */
    bool constructors; /* allowed, and never called: a sanitizer's, for a runtime we do not have */
};

/* Reads bytes, of which nothing is trusted, into *object. PASS; RESOURCE_LIMIT when static shared
 * memory is over its limit or the mapped size over BP_OBJECT_MAX_MEMORY; otherwise LAUNCH_ERROR.
 * message says which rule was broken. rules must outlive the object. */
enum bp_verdict bp_object_vet(const void *bytes, size_t size, const struct bp_object_rules *rules,
                              struct bp_object *object, char message[BP_TEXT_LINE]);

/* Maps a vetted object from fd, the sealed memfd its bytes are a mapping of, and relocates it.
 * OOM_HOST when there is no room, INFRA when mapping is refused. */
enum bp_verdict bp_object_map(struct bp_object *object, int fd, char message[BP_TEXT_LINE]);
void bp_object_unmap(struct bp_object *object);

/* An exported function's address, before relocation; false when there is none of that name. */
bool bp_object_find(const struct bp_object *object, const char *name, uint64_t *address);

/* Whether an address, before relocation, lies in a segment of code. */
bool bp_object_is_code(const struct bp_object *object, uint64_t address);

/* The exported function that holds an address, and how far behind its start: null when none does. No
 * system call, no allocation. */
const char *bp_object_function_at(const struct bp_object *object, uint64_t address,
                                  uint64_t *offset);

/* Where an address of a mapped object is now, and the reverse: 0 for what lies outside of it. */
void *bp_object_at(const struct bp_object *object, uint64_t address);
uint64_t bp_object_address(const struct bp_object *object, uintptr_t place);

#endif
