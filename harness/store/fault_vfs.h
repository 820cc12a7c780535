/* fault_vfs.h: SQLite's file layer with the points of base/fault.h in it: real error codes, at real
 * calls. */
#ifndef BP_HARNESS_STORE_FAULT_VFS_H
#define BP_HARNESS_STORE_FAULT_VFS_H

#include <stddef.h>

#ifdef BP_FAULT_INJECTION
/* The name for sqlite3_open_v2; null (the default) where it cannot be registered. */
const char *bp_fault_vfs(void);
#else
static inline const char *bp_fault_vfs(void)
{
    return NULL;
}
#endif

#endif
