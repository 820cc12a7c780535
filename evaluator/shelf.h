/* shelf.h: writable arenas that stay mapped from one request to the next. Mapping some hundred MiB
 * and looking through their pages takes longer than filling the slots of a small batch. */
#ifndef BP_EVALUATOR_SHELF_H
#define BP_EVALUATOR_SHELF_H

#include <sys/types.h>

#include "evaluator/arena.h"

/* The rings of a run and the arenas of several lanes; with more, the one mapped first goes. */
#define BP_SHELF_PLACES 16

/* Zeroed is empty. */
struct bp_shelf {
    struct bp_shelved {
        struct bp_arena arena;
        dev_t device;
        ino_t inode; /* of the file behind it, which lives as long as its mapping */
    } places[BP_SHELF_PLACES];
    uint32_t next; /* the place to be given away next */
};

/* The arena behind fd, mapped writable in huge pages, now or before; fd is closed, also on failure.
 * *arena is valid until BP_SHELF_PLACES - 1 other arenas were taken, or the shelf is cleared. */
int bp_shelf_take(struct bp_shelf *shelf, int fd, const char *name, struct bp_arena *arena,
                  struct bp_error *err) BP_MUST_CHECK;

void bp_shelf_clear(struct bp_shelf *shelf);

#endif
