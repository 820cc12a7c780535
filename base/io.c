#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"

int bp_io_read_full(int fd, void *data, size_t size, struct bp_error *err)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bp_fail_errno(err, "read");
        if (got == 0)
            return bp_fail(err, BP_ERR_PROTOCOL, "end of file with %zu bytes missing", size);
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

int bp_io_write_full(int fd, const void *data, size_t size, struct bp_error *err)
{
    const char *at = data;
    while (size > 0) {
        ssize_t put = bp_fault(BP_FAULT_file_full) || bp_fault(BP_FAULT_file_error)
                          ? -1
                          : write(fd, at, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return bp_fail_errno(err, "write");
        at += put;
        size -= (size_t)put;
    }
    return 0;
}

static int read_to_end(int fd, const char *path, struct bp_buffer *buffer, struct bp_error *err)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            bp_fail_errno(err, "cannot read %s", path);
            err->code = BP_ERR_USAGE;
            return -1;
        }
        if (got == 0)
            return 0;
        if (bp_buffer_add(buffer, chunk, (size_t)got, err) < 0) {
            if (err->code == BP_ERR_LIMIT)
                return bp_fail(err, BP_ERR_USAGE, "%s is larger than %zu bytes", path, buffer->max);
            return -1;
        }
    }
}

int bp_io_read_file(const char *path, struct bp_buffer *buffer, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0) {
        bp_fail_errno(err, "cannot read %s", path);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    if (S_ISDIR(info.st_mode))
        return bp_fail(err, BP_ERR_USAGE, "%s is a directory, not a file", path);
    if (!S_ISREG(info.st_mode))
        return bp_fail(err, BP_ERR_USAGE, "%s is not a regular file", path);
    return read_to_end(fd, path, buffer, err);
}

static int sync_directory_of(const char *path, struct bp_error *err)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    BP_AUTO_FD int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) < 0)
        return bp_fail_errno(err, "cannot sync the directory of %s", path);
    return 0;
}

static int write_and_sync(const char *path, const void *data, size_t size, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", path);
    if (bp_io_write_full(fd, data, size, err) < 0)
        return bp_fail_within(err, "%s", path);
    if (bp_fault(BP_FAULT_sync) || fsync(fd) < 0)
        return bp_fail_errno(err, "cannot sync %s", path);
    return 0;
}

static int take_name(const char *temporary, const char *path, struct bp_error *err)
{
    if (bp_fault(BP_FAULT_rename) || rename(temporary, path) < 0) {
        bp_fail_errno(err, "cannot rename %s", temporary);
        unlink(temporary);
        return -1;
    }
    return sync_directory_of(path, err);
}

int bp_io_write_file_atomic(const char *path, const void *data, size_t size, struct bp_error *err)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    if (write_and_sync(temporary, data, size, err) < 0) {
        unlink(temporary);
        return -1;
    }
    return take_name(temporary, path, err);
}

int bp_io_replace_open(struct bp_io_replacement *replacement, const char *path,
                       struct bp_error *err)
{
    int length = snprintf(replacement->path, sizeof replacement->path, "%s", path);
    if ((size_t)length >= sizeof replacement->path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    snprintf(replacement->temporary, sizeof replacement->temporary, "%s.tmp", path);
    BP_AUTO_FD int fd =
        open(replacement->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    replacement->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!replacement->file)
        return bp_fail_errno(err, "cannot create %s", replacement->temporary);
    bp_steal_fd(&fd); /* the stream's now */
    return 0;
}

int bp_io_replace_commit(struct bp_io_replacement *replacement, struct bp_error *err)
{
    FILE *file = replacement->file;
    bool failed = fflush(file) != 0 || fsync(fileno(file)) < 0;
    if (!failed && ferror(file)) { /* a write before, whose reason is gone */
        errno = EIO;
        failed = true;
    }
    if (failed) {
        bp_fail_errno(err, "cannot write %s", replacement->temporary);
        bp_io_replace_drop(replacement);
        return -1;
    }
    fclose(file);
    return take_name(replacement->temporary, replacement->path, err);
}

void bp_io_replace_drop(struct bp_io_replacement *replacement)
{
    fclose(replacement->file);
    unlink(replacement->temporary);
}

int bp_io_memfd(const char *name, size_t size, struct bp_error *err)
{
    BP_AUTO_FD int fd =
        bp_fault(BP_FAULT_memfd) ? -1 : memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return bp_fail_errno(err, "cannot make a memfd of %zu bytes for %s", size, name);
    if (size > 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
        return bp_fail_errno(err, "cannot fix the size of %s", name);
    return bp_steal_fd(&fd);
}

int bp_io_memfd_seal(int fd, struct bp_error *err)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return bp_fail_errno(err, "cannot seal a memfd");
    return 0;
}

int bp_io_memfd_sealed(const char *name, const void *data, size_t size, struct bp_error *err)
{
    BP_AUTO_FD int fd = bp_io_memfd(name, 0, err);
    if (fd < 0 || bp_io_write_full(fd, data, size, err) < 0 || bp_io_memfd_seal(fd, err) < 0)
        return -1;
    return bp_steal_fd(&fd);
}

int bp_io_reopen_readonly(int fd, struct bp_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int readonly = open(path, O_RDONLY | O_CLOEXEC);
    if (readonly < 0)
        return bp_fail_errno(err, "cannot reopen a memfd read-only");
    return readonly;
}

int bp_io_disk_free(const char *path, uint64_t *bytes, struct bp_error *err)
{
    struct statvfs status;
    if (statvfs(path, &status) < 0)
        return bp_fail_errno(err, "cannot ask for the free space of %s", path);
    *bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return 0;
}

int bp_io_set_nonblocking(int fd, struct bp_error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return bp_fail_errno(err, "cannot make descriptor %d non-blocking", fd);
    return 0;
}
