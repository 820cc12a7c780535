#include "evaluator/shelf.h"

#include <sys/stat.h>

#include "base/cleanup.h"

static const struct bp_shelved *find(const struct bp_shelf *shelf, const struct stat *file)
{
    for (uint32_t i = 0; i < BP_SHELF_PLACES; i++) {
        const struct bp_shelved *place = &shelf->places[i];
        if (place->arena.base && place->device == file->st_dev && place->inode == file->st_ino)
            return place;
    }
    return NULL;
}

int bp_shelf_take(struct bp_shelf *shelf, int fd, const char *name, struct bp_arena *arena,
                  struct bp_error *err)
{
    BP_AUTO_FD int owned = fd;
    struct stat file;
    if (fstat(owned, &file) < 0)
        return bp_fail_errno(err, "cannot identify the arena of %s", name);
    const struct bp_shelved *known = find(shelf, &file);
    if (known) {
        *arena = known->arena;
        return 0;
    }
    struct bp_shelved *place = &shelf->places[shelf->next];
    bp_arena_unmap(&place->arena);
    if (bp_arena_map(bp_steal_fd(&owned), name, BP_ARENA_WRITE, &place->arena, err) < 0)
        return -1;
    bp_arena_use_huge_pages(&place->arena);
    place->device = file.st_dev;
    place->inode = file.st_ino;
    shelf->next = (shelf->next + 1) % BP_SHELF_PLACES;
    *arena = place->arena;
    return 0;
}

void bp_shelf_clear(struct bp_shelf *shelf)
{
    for (uint32_t i = 0; i < BP_SHELF_PLACES; i++)
        bp_arena_unmap(&shelf->places[i].arena);
    *shelf = (struct bp_shelf){0};
}
