/* cleanup.h: scope-bound ownership by the cleanup attribute. Never mixed with goto in a function. */
#ifndef BP_BASE_CLEANUP_H
#define BP_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void bp_cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void bp_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void bp_cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define BP_AUTO_FD __attribute__((cleanup(bp_cleanup_fd)))
#define BP_AUTO_FREE __attribute__((cleanup(bp_cleanup_free)))
#define BP_AUTO_FILE __attribute__((cleanup(bp_cleanup_file)))

/* Hands the descriptor over: the variable no longer owns it. */
static inline int bp_steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Closes now and forgets, for descriptors kept in structs. */
static inline void bp_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void *bp_steal_pointer(void *variable)
{
    void **slot = variable;
    void *taken = *slot;
    *slot = NULL;
    return taken;
}

#endif
