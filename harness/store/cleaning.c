#include "harness/store/cleaning.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/tree.h"
#include "harness/store/lock.h"

#define MS_PER_DAY 86400000.0

uint32_t bp_cleaning_plan(const struct bp_found_runs *found, const struct bp_cleaning *cleaning,
                          int64_t now_ms, bool *gone)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const struct bp_found_run *run = &found->runs[i];
        double days = (double)(now_ms - run->changed_ms) / MS_PER_DAY;
        bool wanted = cleaning->by_age || cleaning->by_count || run->named;
        bool old = !cleaning->by_age || days > cleaning->older_than_days;
        bool spare = !cleaning->by_count || i >= cleaning->keep; /* the newest come first */
        gone[i] = wanted && old && spare && run->pid == 0;
        count += gone[i];
    }
    return count;
}

/* ---- removal ---- */

static int open_run(const char *path, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return bp_fail_errno(err, "cannot open %s", path);
    if (!bp_run_recognise(fd))
        return bp_fail(err, BP_ERR_USAGE, "%s is no run directory", path);
    return bp_steal_fd(&fd);
}

static const char *const last_names[] = {"run.db-shm", "run.db-wal", "run.db", "run.lock"};
#define LAST_COUNT (sizeof last_names / sizeof *last_names)

static bool is_last(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < LAST_COUNT; i++)
        if (strcmp(name, last_names[i]) == 0)
            return true;
    return false;
}

int bp_cleaning_remove_run(const char *path, struct bp_error *err)
{
    BP_AUTO_FD int fd = open_run(path, err);
    BP_AUTO_FD int lock = fd < 0 ? -1 : bp_lock_take(path, err);
    if (lock < 0)
        return -1;
    if (bp_tree_remove_entries(fd, is_last, NULL, err) < 0)
        return bp_fail_within(err, "%s", path);
    for (size_t i = 0; i < LAST_COUNT; i++)
        if (bp_tree_remove(fd, last_names[i], err) < 0)
            return bp_fail_within(err, "%s", path);
    if (rmdir(path) < 0)
        return bp_fail_errno(err, "cannot remove %s", path);
    return 0;
}

/* ---- temporary files ---- */

static bool is_temporary(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

/* Those of one directory; one that is not there has none. */
static int sweep(int at_fd, const char *name, enum bp_cleaning_mode mode, uint32_t *count,
                 uint64_t *bytes, struct bp_error *err)
{
    BP_AUTO_FD int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : bp_fail_errno(err, "cannot open %s", name);
    DIR *dir = fdopendir(fd);
    if (!dir)
        return bp_fail_errno(err, "cannot read %s", name);
    bp_steal_fd(&fd);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(dir));) {
        if (!is_temporary(entry->d_name))
            continue;
        (*count)++;
        *bytes += bp_tree_bytes(dirfd(dir), entry->d_name);
        if (mode == BP_CLEANING_REMOVE)
            result = bp_tree_remove(dirfd(dir), entry->d_name, err);
    }
    closedir(dir);
    return result;
}

int bp_cleaning_temporary(const char *path, enum bp_cleaning_mode mode, uint32_t *count,
                          uint64_t *bytes, struct bp_error *err)
{
    BP_AUTO_FD int fd = open_run(path, err);
    BP_AUTO_FD int lock = fd < 0 || mode == BP_CLEANING_LOOK ? -1 : bp_lock_take(path, err);
    if (fd < 0 || (mode == BP_CLEANING_REMOVE && lock < 0))
        return -1;
    if (sweep(fd, ".", mode, count, bytes, err) < 0 ||
        sweep(fd, "failures", mode, count, bytes, err) < 0)
        return bp_fail_within(err, "%s", path);
    return 0;
}
