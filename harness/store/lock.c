#include "harness/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOOKS 5
#define LOOK_NS 2000000

/* Who only looks whether a run is in use (bp_run_holder) holds the lock for some microseconds. */
static int lock_patiently(int fd)
{
    int result = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; i < LOOKS && result < 0 && errno == EWOULDBLOCK; i++) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        result = flock(fd, LOCK_EX | LOCK_NB);
    }
    return result;
}

/* A file of its own, not run.db: SQLite's POSIX locks on run.db would be lost when this process
 * closed any other descriptor of it. */
int bp_lock_take(const char *dir, struct bp_error *err)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/run.lock", dir);
    if ((size_t)length >= sizeof path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    BP_AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", path);

    char pid[24] = {0};
    if (lock_patiently(fd) < 0) {
        if (errno != EWOULDBLOCK)
            return bp_fail_errno(err, "cannot lock %s", path);
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        return bp_fail(err, BP_ERR_USAGE, "another bulletproof (pid %ld) is using %s",
                       got > 0 ? strtol(pid, NULL, 10) : 0L, dir);
    }
    length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)length, 0) != length)
        return bp_fail_errno(err, "cannot write %s", path);
    return bp_steal_fd(&fd);
}
