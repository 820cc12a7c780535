#include "harness/store/runs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/tree.h"
#include "harness/store/connection.h"

#define HEADER_BYTES 100 /* of an SQLite file: magic at 0, application_id at 68, big-endian */
#define APPLICATION_AT 68
#define MAGIC "SQLite format 3"

bool bp_run_recognise(int dir_fd)
{
    unsigned char header[HEADER_BYTES];
    struct stat status;
    BP_AUTO_FD int fd = openat(dir_fd, "run.db", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
        pread(fd, header, sizeof header, 0) != sizeof header)
        return false;
    const unsigned char *at = header + APPLICATION_AT;
    uint32_t application =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return memcmp(header, MAGIC, sizeof MAGIC) == 0 && application == BP_DATABASE_APPLICATION;
}

pid_t bp_run_holder(int dir_fd)
{
    char pid[24] = {0};
    BP_AUTO_FD int fd = openat(dir_fd, "run.lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    long number = pread(fd, pid, sizeof pid - 1, 0) > 0 ? strtol(pid, NULL, 10) : 0;
    return number > 0 ? (pid_t)number : -1; /* held, but not yet signed */
}

static int64_t changed_ms(int dir_fd)
{
    static const char *const names[] = {"run.db", "run.db-wal"};
    int64_t latest = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat status;
        if (fstatat(dir_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        int64_t ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        latest = ms > latest ? ms : latest;
    }
    return latest;
}

static int add(struct bp_found_runs *found, int dir_fd, const char *path, bool named,
               struct bp_error *err)
{
    struct bp_found_run *runs =
        bp_array_grow(found->runs, found->count, &found->capacity, sizeof *runs);
    if (!runs)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a list of runs");
    found->runs = runs;
    struct bp_found_run *run = &found->runs[found->count];
    *run = (struct bp_found_run){.named = named,
                                 .pid = bp_run_holder(dir_fd),
                                 .changed_ms = changed_ms(dir_fd),
                                 .bytes = bp_tree_bytes(AT_FDCWD, path)};
    if ((size_t)snprintf(run->path, sizeof run->path, "%s", path) >= sizeof run->path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    found->count++;
    return 0;
}

static int find_below(struct bp_found_runs *found, DIR *dir, const char *path, struct bp_error *err)
{
    for (struct dirent *entry; (entry = readdir(dir));) {
        char below[4096 + 256];
        BP_AUTO_FD int fd =
            openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || strcmp(entry->d_name, "..") == 0 || !bp_run_recognise(fd))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (add(found, fd, below, false, err) < 0)
            return -1;
    }
    return 0;
}

static int by_change(const void *a, const void *b)
{
    const struct bp_found_run *one = a, *other = b;
    if (one->changed_ms != other->changed_ms)
        return one->changed_ms < other->changed_ms ? 1 : -1;
    return strcmp(one->path, other->path);
}

int bp_runs_find(struct bp_found_runs *found, const char *path, struct bp_error *err)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
        return bp_fail(err, BP_ERR_USAGE, "%s is a symbolic link; name the directory itself", path);
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        bp_fail_errno(err, "cannot read %s", path);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    int result;
    if (bp_run_recognise(fd)) {
        result = add(found, fd, path, true, err);
    } else {
        DIR *dir = fdopendir(fd);
        if (!dir)
            return bp_fail_errno(err, "cannot read %s", path);
        bp_steal_fd(&fd);
        result = find_below(found, dir, path, err);
        closedir(dir);
    }
    if (found->count > 1)
        qsort(found->runs, found->count, sizeof *found->runs, by_change);
    return result;
}

void bp_runs_free(struct bp_found_runs *found)
{
    free(found->runs);
    *found = (struct bp_found_runs){0};
}
