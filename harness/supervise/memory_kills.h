/* memory_kills.h: whether a SIGKILL that nobody here sent came from the kernel, for want of memory. */
#ifndef BP_HARNESS_SUPERVISE_MEMORY_KILLS_H
#define BP_HARNESS_SUPERVISE_MEMORY_KILLS_H

#include <stdbool.h>
#include <stdint.h>

/* Processes that the kernel has killed for want of memory since it started ("oom_kill" of
 * /proc/vmstat, those of cgroups included); 0 where it does not tell. */
uint64_t bp_memory_kills(void);

/* Whether there are more by now than *known, which becomes their number. */
bool bp_memory_kills_grew(uint64_t *known);

#endif
