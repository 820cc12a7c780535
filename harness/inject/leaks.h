/* leaks.h: what may be left behind: descriptors of a process, files, mounts, shared memory. */
#ifndef BP_HARNESS_INJECT_LEAKS_H
#define BP_HARNESS_INJECT_LEAKS_H

#include <stddef.h>
#include <stdint.h>

#define BP_LEAKS_FDS 1024

/* Which descriptors this process holds, by number. */
struct bp_leaks_fds {
    uint8_t open[BP_LEAKS_FDS];
};

void bp_leaks_look(struct bp_leaks_fds *fds);
/* How many are open now that were not then; text names them with what they are. */
uint32_t bp_leaks_compare(const struct bp_leaks_fds *before, char *text, size_t size);

/* Entries of a directory; 0 where there is none. */
uint32_t bp_leaks_entries(const char *path);
uint32_t bp_leaks_mounts(void);

#endif
