#include "sandbox/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "sandbox/clone.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"

static int roots[BP_POLICY_COUNT];
static bool made;

/* In a process of its own: says that the root is there by one byte, and keeps it until it is killed. */
static _Noreturn void build(const struct bp_policy *policy, pid_t parent, int done_fd)
{
    struct bp_error err;
    bp_clone_die_with(parent);
    umask(022); /* whoever a child becomes has to enter */
    if (bp_mounts_build(policy, &err) < 0 || bp_mounts_leave_old(&err) < 0) {
        bp_log(BP_LOG_INFO, "launch", "%s", err.msg);
        _exit(1);
    }
    if (write(done_fd, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static int make(const struct bp_policy *policy, struct bp_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return bp_fail_errno(err, "pipe");
    BP_AUTO_FD int done_in = ends[0];
    BP_AUTO_FD int done_out = ends[1];
    pid_t parent = getpid(), pid = bp_clone(CLONE_NEWNS, NULL);
    if (pid == 0)
        build(policy, parent, done_out);
    if (pid < 0)
        return bp_fail_errno(err, "clone3 of a mount namespace");
    bp_close_fd(&done_out);
    char byte;
    ssize_t got;
    do
        got = read(done_in, &byte, 1);
    while (got < 0 && errno == EINTR);
    int fd = got == 1 ? bp_namespaces_open_of(pid, "mnt", err)
                      : bp_fail(err, BP_ERR_UNAVAILABLE, "the root cannot be made beforehand");
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return fd;
}

static bool has_devices(const struct bp_policy *policy)
{
    for (unsigned i = 0; i < policy->file_count; i++)
        if (policy->files[i].numbered)
            return true;
    return false;
}

void bp_roots_make(void)
{
    struct bp_error err;
    for (unsigned id = 0; id < BP_POLICY_COUNT && !made; id++) {
        const struct bp_policy *policy = bp_policy_get((enum bp_policy_id)id);
        roots[id] = has_devices(policy) ? -1 : make(policy, &err);
        if (roots[id] < 0 && !has_devices(policy))
            bp_log(BP_LOG_INFO, "launch", "%s: each child makes its own root: %s", policy->name,
                   err.msg);
    }
    made = true;
}

int bp_roots_get(enum bp_policy_id id)
{
    return made ? roots[id] : -1;
}

void bp_roots_close(void)
{
    for (unsigned id = 0; id < BP_POLICY_COUNT && made; id++)
        bp_close_fd(&roots[id]);
    made = false;
}
