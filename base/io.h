/* io.h: files, descriptors and memfds. */
#ifndef BP_BASE_IO_H
#define BP_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"

/* Reads or writes exactly size bytes, retrying on EINTR and short transfers; blocking descriptors
 * only. An end of file before size is BP_ERR_PROTOCOL. */
int bp_io_read_full(int fd, void *data, size_t size, struct bp_error *err) BP_MUST_CHECK;
int bp_io_write_full(int fd, const void *data, size_t size, struct bp_error *err) BP_MUST_CHECK;

/* Appends a whole regular file to buffer. BP_ERR_USAGE names the path when it is missing,
 * unreadable, a directory or larger than the buffer's cap. */
int bp_io_read_file(const char *path, struct bp_buffer *buffer, struct bp_error *err) BP_MUST_CHECK;

/* Writes path by temporary file in the same directory, fsync, rename, fsync of the directory: a
 * reader sees the old bytes or the new ones, also after a crash. */
int bp_io_write_file_atomic(const char *path, const void *data, size_t size, struct bp_error *err)
    BP_MUST_CHECK;

/* The same for what is written piece by piece to `file`. After a successful open, exactly one of commit
 * and drop has to follow; a failed commit drops. */
struct bp_io_replacement {
    FILE *file;
    char path[4096], temporary[4096 + 8];
};
int bp_io_replace_open(struct bp_io_replacement *replacement, const char *path,
                       struct bp_error *err) BP_MUST_CHECK;
int bp_io_replace_commit(struct bp_io_replacement *replacement, struct bp_error *err) BP_MUST_CHECK;
void bp_io_replace_drop(struct bp_io_replacement *replacement);

/* A close-on-exec memfd of size bytes (zeros). The caller owns the descriptor. A size other than 0
 * is sealed: nobody who maps it can be cut short by another. */
int bp_io_memfd(const char *name, size_t size, struct bp_error *err) BP_MUST_CHECK;

/* Same, filled with data and sealed against every change. */
int bp_io_memfd_sealed(const char *name, const void *data, size_t size, struct bp_error *err)
    BP_MUST_CHECK;

/* Adds write, grow, shrink and seal seals; fails (BP_ERR_SYSTEM, EBUSY) while a writable mapping
 * of the memfd is alive anywhere. */
int bp_io_memfd_seal(int fd, struct bp_error *err) BP_MUST_CHECK;

/* A second descriptor of the same memfd that can only be read (and only mapped read-only). */
int bp_io_reopen_readonly(int fd, struct bp_error *err) BP_MUST_CHECK;

/* Bytes that an ordinary user may still write to the file system of path. */
int bp_io_disk_free(const char *path, uint64_t *bytes, struct bp_error *err) BP_MUST_CHECK;

int bp_io_set_nonblocking(int fd, struct bp_error *err) BP_MUST_CHECK;

#endif
