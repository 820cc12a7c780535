/* crash_vfs.h: a layer under SQLite that remembers every write and every sync, so that the files can
 * be made as a power failure at any moment might have left them. */
#ifndef BP_TESTS_STORE_CRASH_VFS_H
#define BP_TESTS_STORE_CRASH_VFS_H

#include <stddef.h>

#include "base/random.h"

/* From now on every database that this process opens goes through the layer. */
void crash_vfs_install(void);
void crash_vfs_forget(void); /* frees what was remembered */

/* Notes that so many evaluations were reported as recorded by now. */
void crash_vfs_mark(uint32_t evaluations);

size_t crash_vfs_moments(void);

/* Writes into `to` the files of directory `from` as they might be after a failure at a moment: what
 * was synced before it whole, and of what was written since any part, of each write too (sectors of 512
 * bytes). Returns how many evaluations had been reported. */
uint32_t crash_vfs_fail(size_t moment, const char *from, const char *to, struct bp_random *random);

#endif
