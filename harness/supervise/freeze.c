#include "harness/supervise/freeze.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Looks, not time: the supervisor itself may be stopped for longer than any deadline. */
#define MAX_LOOKS 10000
#define BETWEEN_LOOKS_NS 100000

/* The state letter of one thread (proc(5)); 'X' when it is gone. */
static char state_of(int task_fd, const char *thread)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "%.20s/stat", thread);
    BP_AUTO_FD int fd = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (got <= 0)
        return 'X';
    text[got] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name before it may hold anything */
    return name_end && name_end[1] == ' ' ? name_end[2] : 'X';
}

static bool stands(char state)
{
    return strchr("TtZXx", state) != NULL;
}

static enum bp_freeze look(DIR *tasks)
{
    enum bp_freeze found = BP_FREEZE_STANDS;
    rewinddir(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        char state = state_of(dirfd(tasks), entry->d_name);
        if (state == 'D' && found == BP_FREEZE_STANDS)
            found = BP_FREEZE_IS_STUCK;
        else if (state != 'D' && !stands(state))
            found = BP_FREEZE_RUNS_ON;
    }
    return found;
}

static int open_tasks(pid_t pid, DIR **tasks, struct bp_error *err)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    *tasks = opendir(path);
    if (!*tasks && errno != ENOENT && errno != ESRCH && errno != EACCES)
        return bp_fail_errno(err, "cannot look whether a child stands still");
    return 0;
}

int bp_freeze(int pidfd, pid_t pid, enum bp_freeze *state, struct bp_error *err)
{
    DIR *tasks;
    *state = BP_FREEZE_STANDS;
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGSTOP, NULL, 0) < 0) {
        if (errno == ESRCH)
            return 0;
        return bp_fail_errno(err, "cannot stop a child");
    }
    if (open_tasks(pid, &tasks, err) < 0)
        return -1;
    if (!tasks)
        return 0;
    *state = look(tasks);
    for (int i = 0; *state != BP_FREEZE_STANDS && i < MAX_LOOKS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = BETWEEN_LOOKS_NS}, NULL);
        *state = look(tasks);
    }
    closedir(tasks);
    return 0;
}

int bp_thaw(int pidfd, struct bp_error *err)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0) < 0 && errno != ESRCH)
        return bp_fail_errno(err, "cannot let a child go on");
    return 0;
}
