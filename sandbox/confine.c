#include "sandbox/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/weaken.h"
#include "sandbox/filter.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"
#include "sandbox/rlimits.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/worker_fd.h"

#define INIT_FAILED 125

static uint64_t own_namespaces(void)
{
    const char *text = getenv(BP_NAMESPACES_VARIABLE);
    return text ? bp_namespaces_parse(text) : 0;
}

/* A parent that died before PR_SET_PDEATHSIG sends nothing, and getppid() is 0 in a PID namespace
 * either way; the far end of a pipe tells. */
static int check_supervisor(int fd, struct bp_error *err)
{
    struct pollfd far = {.fd = fd};
    if (poll(&far, 1, 0) < 0)
        return bp_fail_errno(err, "asking for the supervisor");
    if (far.revents & (POLLERR | POLLHUP))
        return bp_fail(err, BP_ERR_STATE, "the supervisor is gone");
    return 0;
}

static int no_new_privileges(struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_no_new_privs))
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return bp_fail_errno(err, "PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "no_new_privs did not take");
    return 0;
}

static void kill_group(int signal_number)
{
    (void)signal_number;
    kill(0, SIGKILL);
}

/* As process 1 of a PID namespace the init's death is everybody's. Elsewhere it must kill the group
 * itself (its session, which nobody can leave), so there the supervisor's death sends a signal that
 * can be caught; orphans come to it, not to the supervisor. */
static int init_confine(bool first, int status_fd, struct bp_error *err)
{
    int changed_user;
    struct sigaction on_death = {.sa_handler = kill_group};
    prctl(PR_SET_NAME, "bp-init");
    if (!first && (sigaction(SIGTERM, &on_death, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0))
        return bp_fail_errno(err, "becoming the reaper of the group");
    if (bp_identity_drop((own_namespaces() & CLONE_NEWUSER) != 0, NULL, 0,
                         first ? SIGKILL : SIGTERM, &changed_user, err) < 0)
        return -1;
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return bp_fail_errno(err, "PR_SET_DUMPABLE");
    if (check_supervisor(status_fd, err) < 0 || no_new_privileges(err) < 0)
        return -1;
    return bp_filter_install(BP_FILTER_INIT, BP_FILTER_QUIET, NULL, err);
}

static _Noreturn void init_end(bool first, int code)
{
    if (!first)
        kill_group(SIGTERM);
    _exit(code);
}

/* No return: the stack above belongs to what is now the worker. */
static _Noreturn void init_run(pid_t worker, bool first, int status_fd)
{
    struct bp_error err;
    for (int fd = BP_FD_REQUESTS; fd < status_fd; fd++)
        close(fd);
    close(BP_FD_ROOT);
    if (init_confine(first, status_fd, &err) < 0) {
        dprintf(STDERR_FILENO, "sandbox init: %s\n", err.msg);
        init_end(first, INIT_FAILED);
    }
    for (int fd = 0; fd < BP_FD_REQUESTS; fd++)
        close(fd);

    struct bp_exit_report report;
    memset(&report, 0, sizeof report);
    for (;;) {
        pid_t ended = wait4(-1, &report.wait_status, 0, &report.usage);
        if (ended == worker) {
            ssize_t written = write(status_fd, &report, sizeof report);
            init_end(first, written == (ssize_t)sizeof report ? 0 : INIT_FAILED);
        }
        if (ended < 0 && errno != EINTR)
            init_end(first, INIT_FAILED);
    }
}

int bp_confine_enter(int status_fd, struct bp_error *err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* bp_clone_to_exec blocked all */
    if (bp_identity_bound(err) < 0)
        return -1;
    pid_t worker = fork();
    if (worker < 0)
        return bp_fail_errno(err, "fork of the worker");
    if (worker > 0)
        init_run(worker, getpid() == 1, status_fd);
    close(status_fd);
    return 0;
}

static int send_listener(int control_fd, int listener, struct bp_error *err)
{
    char byte = 'S';
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    ssize_t sent;
    do
        sent = sendmsg(control_fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1 ? 0 : bp_fail_errno(err, "sending the seccomp listener");
}

static int install_filter(unsigned id, enum bp_filter_mode mode, int control_fd,
                          struct bp_error *err)
{
    BP_AUTO_FD int listener = -1;
    if (bp_filter_install(id, mode, &listener, err) < 0)
        return -1;
    return mode == BP_FILTER_QUIET ? 0 : send_listener(control_fd, listener, err);
}

/* What the compiler is executed with must not be what the worker talks through. */
static int close_on_exec(struct bp_error *err)
{
    for (int fd = BP_FD_REQUESTS; fd < BP_FD_STATUS; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return bp_fail_errno(err, "descriptor %d is missing", fd);
    return 0;
}

static int enter_directory(const struct bp_policy *policy, uint64_t namespaces,
                           const struct bp_policy_limits *limits, struct bp_mounts *mounts,
                           struct bp_error *err)
{
    int in_user = (namespaces & CLONE_NEWUSER) != 0;
    const char *directory = getenv("TMPDIR");
    *mounts = (struct bp_mounts){0};
    if ((namespaces & CLONE_NEWNS) &&
        bp_mounts_make(policy, getenv(BP_ROOT_VARIABLE) ? BP_FD_ROOT : -1, namespaces,
                       limits->file_bytes, bp_identity_uid(in_user), bp_identity_gid(in_user),
                       mounts, err) < 0)
        return -1;
    if (!directory || chdir(directory) < 0)
        return bp_fail_errno(err, "entering the private directory");
    return 0;
}

static void write_layers(uint64_t namespaces, const struct bp_mounts *mounts, int changed_user,
                         int landlock_abi, char *layers, size_t layers_size)
{
    char text[BP_NAMESPACES_TEXT];
    bp_namespaces_format(namespaces, text);
    snprintf(layers, layers_size, "%s%s%s%s%srlimits,caps,%spdeathsig,no_new_privs,landlock%d",
             text, text[0] ? "," : "", mounts->own_root ? "root,readonly," : "",
             namespaces & CLONE_NEWNS ? "tmpfs," : "", mounts->fresh_proc ? "proc," : "",
             changed_user ? "uid," : "", landlock_abi);
}

/* A node that is not there AMD's library passes over; at one that it may not open it gives up. */
bool bp_confine_sees_one(const struct bp_policy_limits *limits)
{
    return limits->device > 0 && (own_namespaces() & CLONE_NEWNS);
}

int bp_confine_layers(enum bp_policy_id id, const struct bp_policy_limits *limits, int control_fd,
                      char *layers, size_t layers_size, struct bp_error *err)
{
    struct bp_policy_narrowed narrowed;
    const struct bp_policy *policy =
        bp_policy_narrow(id, bp_confine_sees_one(limits) ? limits->device : 0, &narrowed);
    struct bp_policy_limits resolved = bp_rlimits_resolve(policy, limits);
    uint64_t namespaces = own_namespaces();
    int in_user = (namespaces & CLONE_NEWUSER) != 0;
    bool own_count = in_user || geteuid() == 0;
    struct bp_mounts mounts;
    gid_t groups[BP_POLICY_GROUPS];
    unsigned group_count = bp_policy_device_groups(policy, groups);
    int changed_user;

    if (close_on_exec(err) < 0 ||
        enter_directory(policy, namespaces, &resolved, &mounts, err) < 0 ||
        bp_rlimits_set(policy, &resolved, own_count, err) < 0 ||
        bp_identity_drop(in_user, groups, group_count, SIGKILL, &changed_user, err) < 0)
        return -1;
    if (prctl(PR_SET_DUMPABLE, bp_weakened(BP_DEFENCE_dumpable)) < 0)
        return bp_fail_errno(err, "PR_SET_DUMPABLE");
    if (check_supervisor(control_fd, err) < 0 || no_new_privileges(err) < 0 ||
        bp_landlock_restrict(policy, getenv("TMPDIR"), err) < 0)
        return -1;
    write_layers(namespaces, &mounts, changed_user, bp_landlock_abi(), layers, layers_size);
    return 0;
}

int bp_confine_filter(enum bp_policy_id id, int control_fd, struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_seccomp))
        return 0;
    bool listens = bp_policy_get(id)->listener;
    return install_filter(id, listens ? BP_FILTER_LISTEN : BP_FILTER_QUIET, control_fd, err);
}

int bp_confine_stage(enum bp_policy_id id, const struct bp_policy_limits *limits, int control_fd,
                     char *layers, size_t layers_size, struct bp_error *err)
{
    if (bp_confine_layers(id, limits, control_fd, layers, layers_size, err) < 0 ||
        bp_confine_filter(id, control_fd, err) < 0)
        return -1;
    size_t length = strlen(layers);
    snprintf(layers + length, layers_size - length, ",seccomp");
    return 0;
}

int bp_confine_candidate(enum bp_policy_id id, int control_fd, struct bp_error *err)
{
    const struct bp_policy *policy = bp_policy_get(id);
    if (!policy->candidate_filter)
        return bp_fail(err, BP_ERR_STATE, "policy %s runs no candidate", policy->name);
    return install_filter(policy->candidate_filter, BP_FILTER_LISTEN_THREADS, control_fd, err);
}
