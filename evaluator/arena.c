#include "evaluator/arena.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; newer than Debian 12's C library */
#endif

/* The kernel aligns such mappings itself only where an administrator turned huge pages on for all
 * shared memory: so reserve a grain more, map at the first multiple, give the rest back. */
static void *map_aligned(int fd, size_t size, int protection)
{
    size_t reserved = size + BP_ARENA_GRAIN;
    uint8_t *start =
        mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return MAP_FAILED;
    size_t before = -(uintptr_t)start % BP_ARENA_GRAIN;
    uint8_t *base = start + before;
    if (mmap(base, size, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        munmap(start, reserved);
        return MAP_FAILED;
    }
    uint8_t *end = base + (size + 4095) / 4096 * 4096;
    if (before > 0)
        munmap(start, before);
    if (end < start + reserved)
        munmap(end, (size_t)(start + reserved - end));
    return base;
}

int bp_arena_map(int fd, const char *name, enum bp_arena_access access, struct bp_arena *arena,
                 struct bp_error *err)
{
    BP_AUTO_FD int owned = fd;
    struct stat info;
    *arena = (struct bp_arena){0};
    if (fstat(owned, &info) < 0)
        return bp_fail_errno(err, "cannot size the arena of %s", name);
    if (info.st_size == 0)
        return 0;
    int protection = access == BP_ARENA_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = map_aligned(owned, (size_t)info.st_size, protection);
    if (base == MAP_FAILED)
        return bp_fail_errno(err, "cannot map the arena of %s", name);
    *arena = (struct bp_arena){base, (size_t)info.st_size};
    return 0;
}

void bp_arena_unmap(struct bp_arena *arena)
{
    if (arena->base)
        munmap(arena->base, arena->size);
    *arena = (struct bp_arena){0};
}

void bp_arena_use_huge_pages(const struct bp_arena *arena)
{
    /* A range without any page is refused (EINVAL), one with a single page is filled up. */
    for (size_t at = 0; at < arena->size; at += BP_ARENA_GRAIN)
        (void)*(volatile uint8_t *)(arena->base + at);
    if (arena->size >= BP_ARENA_GRAIN)
        (void)madvise(arena->base, arena->size, MADV_COLLAPSE);
}

void *bp_arena_at(const struct bp_arena *arena, const char *name, uint64_t offset, uint64_t bytes,
                  struct bp_error *err)
{
    if (offset % 8 == 0 && offset <= arena->size && bytes <= arena->size - offset)
        return arena->base + offset;
    bp_fail(err, BP_ERR_PROTOCOL, "%llu bytes at offset %llu do not lie in the arena of %s (%zu)",
            (unsigned long long)bytes, (unsigned long long)offset, name, arena->size);
    return NULL;
}
