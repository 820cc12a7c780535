#include "evaluator/arena.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

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
    void *base = mmap(NULL, (size_t)info.st_size, protection, MAP_SHARED, owned, 0);
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

void *bp_arena_at(const struct bp_arena *arena, const char *name, uint64_t offset, uint64_t bytes,
                  struct bp_error *err)
{
    if (offset % 8 == 0 && offset <= arena->size && bytes <= arena->size - offset)
        return arena->base + offset;
    bp_fail(err, BP_ERR_PROTOCOL, "%llu bytes at offset %llu do not lie in the arena of %s (%zu)",
            (unsigned long long)bytes, (unsigned long long)offset, name, arena->size);
    return NULL;
}
