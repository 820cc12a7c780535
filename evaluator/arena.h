/* arena.h: shared mappings that the trusted stages receive as descriptors, with every access
 * checked against the size the kernel reports. */
#ifndef BP_EVALUATOR_ARENA_H
#define BP_EVALUATOR_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct bp_arena {
    uint8_t *base; /* null when empty */
    size_t size;   /* bytes */
};

enum bp_arena_access { BP_ARENA_READ, BP_ARENA_WRITE };

/* Sizes of arenas are best multiples of this, so that huge pages can cover them. */
#define BP_ARENA_GRAIN ((size_t)2 << 20)

/* Maps all of fd (shared) and closes fd, also on failure. name is for the error text. The mapping
 * is aligned to the grain: one page table entry then stands for each huge page. */
int bp_arena_map(int fd, const char *name, enum bp_arena_access access, struct bp_arena *arena,
                 struct bp_error *err) BP_MUST_CHECK;
void bp_arena_unmap(struct bp_arena *arena);

/* Asks the kernel to keep a writable arena in huge pages, for every process that maps it from now
 * on. What it holds stays. Without them everything works, slower: each of many small pages costs a
 * fault, perhaps in a timed call, and its share of the unmapping at a child's end. */
void bp_arena_use_huge_pages(const struct bp_arena *arena);

/* Where bytes bytes at offset lie, 8-byte aligned; null (BP_ERR_PROTOCOL) when they do not fit. */
void *bp_arena_at(const struct bp_arena *arena, const char *name, uint64_t offset, uint64_t bytes,
                  struct bp_error *err) BP_MUST_CHECK;

#endif
