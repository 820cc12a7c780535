#include "sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/weaken.h"
#include "sandbox/clone.h"
#include "sandbox/identity.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/roots.h"
#include "sandbox/worker_fd.h"

#define TARGETS (BP_FD_ROOT + 1)
/* Out of the way of the numbers that are about to be overwritten. */
#define PARKING_FD 16
#define ENVIRONMENT_MAX 63
/* Not in every libc's headers; linux/close_range.h. */
#define CLOSE_RANGE_ON_EXEC (1U << 2)

/* A fact about this machine, found out once: it decides nothing but how children are cloned. */
static uint64_t granted_namespaces;
static bool prepared;
/* Of children, so far: each is another user where it can be. */
static uint32_t launches;
/* What was ignored when it was found out; children must not go on with that. */
static bool ignored[NSIG];
/* -1: each child gets its own. */
static struct bp_shared_namespaces shared = {-1, -1};

/* Everything the child needs, made before clone: afterwards only async-signal-safe calls. */
struct plan {
    const char *path;
    char *argv[BP_POLICY_ARGC + 1];
    char *envp[ENVIRONMENT_MAX + 1];
    char memory[24], file[24], cpu[24], device[24];
    char namespaces[sizeof BP_NAMESPACES_VARIABLE + BP_NAMESPACES_TEXT];
    char directory[8 + BP_LAUNCH_SCRATCH];
    char user[sizeof BP_IDENTITY_VARIABLE + 16];
    struct bp_user_map map;
    uint64_t flags; /* namespaces in force */
    /* Those of them that are shared, and that the worker makes itself; the others are cloned. */
    uint64_t entered, from_root;
    int log_fd, requests_fd, answers_fd, control_fd, status_fd;
    int root_fd;    /* -1: the child makes its own */
    int failure_fd; /* write end of a pipe that exec closes */
};

/* What a child that cannot exec says over the close-on-exec pipe. */
struct failure {
    int error;
    char step[24];
};

/* What children are cloned with: all that is granted, but in a weakened build. */
static uint64_t namespaces_used(void)
{
    static const struct {
        enum bp_defence defence;
        uint64_t flag;
    } rows[] = {{BP_DEFENCE_pidns, CLONE_NEWPID},
                {BP_DEFENCE_mntns, CLONE_NEWNS},
                {BP_DEFENCE_netns, CLONE_NEWNET},
                {BP_DEFENCE_ipcns, CLONE_NEWIPC}};
    uint64_t flags = granted_namespaces;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        flags &= bp_weakened(rows[i].defence) ? ~rows[i].flag : ~0ULL;
    return flags;
}

uint64_t bp_launch_namespaces(void)
{
    return granted_namespaces;
}

static void find_ignored_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++)
        ignored[number] = sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* What only the real root can enter. */
static void share_namespaces(void)
{
    struct bp_error err;
    uint64_t granted = granted_namespaces & CLONE_NEWUSER ? 0 : granted_namespaces;
    bool enters = (granted & BP_NAMESPACES_SHARED) == BP_NAMESPACES_SHARED;
    if (enters && shared.network_fd < 0 && bp_namespaces_open_shared(&shared, &err) < 0)
        bp_log(BP_LOG_INFO, "launch", "each child gets namespaces of its own: %s", err.msg);
    if ((granted & CLONE_NEWNS) && !bp_weakened(BP_DEFENCE_root))
        bp_roots_make();
}

int bp_launch_prepare_supervisor(char *layers, size_t layers_size, struct bp_error *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return bp_fail_errno(err, "PR_SET_CHILD_SUBREAPER");
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return bp_fail_errno(err, "PR_SET_DUMPABLE");
    char names[BP_NAMESPACES_TEXT];
    find_ignored_signals();
    granted_namespaces = bp_namespaces_probe();
    share_namespaces();
    bp_identity_bound_children();
    prepared = true;
    bp_namespaces_format(granted_namespaces, names);
    snprintf(layers, layers_size, "%s", names);
    return 0;
}

void bp_launch_close_supervisor(void)
{
    bp_namespaces_close_shared(&shared);
    bp_roots_close();
    prepared = false;
}

#ifdef BP_WEAKENING
/* The switches, which the worker reads too, and what no child must ever get. */
static void inherit_environment(struct plan *plan, unsigned count)
{
    for (char **entry = environ; *entry && count < ENVIRONMENT_MAX; entry++)
        if (bp_weakened(BP_DEFENCE_environment) ||
            strncmp(*entry, BP_WEAKEN_VARIABLE "=", sizeof BP_WEAKEN_VARIABLE) == 0)
            plan->envp[count++] = *entry;
}
#endif

static void fill_environment(struct plan *plan, const char *directory, uid_t user)
{
    char names[BP_NAMESPACES_TEXT];
    bp_namespaces_format(plan->flags, names);
    snprintf(plan->namespaces, sizeof plan->namespaces, "%s=%s", BP_NAMESPACES_VARIABLE, names);
    snprintf(plan->directory, sizeof plan->directory, "TMPDIR=%s", directory);
    snprintf(plan->user, sizeof plan->user, "%s=%u", BP_IDENTITY_VARIABLE, (unsigned)user);
    const char *fixed[] = {
        plan->namespaces,
        plan->directory,
        plan->user,
        "PATH=/usr/bin:/bin",
        "HOME=/nonexistent",
        "LANG=C",
        "LC_ALL=C",
        "AMD_COMGR_CACHE=0",
        "HSA_DISABLE_COREDUMP_ON_EXCEPTION=1",
#ifdef __SANITIZE_ADDRESS__
        /* the leak checker clones a tracer, and deaths must look as they do without sanitizers */
        "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0",
#endif
    };
    unsigned count = sizeof fixed / sizeof fixed[0];
    for (unsigned i = 0; i < count; i++)
        plan->envp[i] = (char *)(uintptr_t)fixed[i]; /* execve only reads them */
    if (plan->root_fd >= 0)
        plan->envp[count++] = (char *)(uintptr_t)BP_ROOT_VARIABLE "=ready";
#ifdef BP_WEAKENING
    inherit_environment(plan, count);
#endif
}

static void make_plan(struct plan *plan, const struct bp_launch_options *options,
                      const char *scratch, uid_t user)
{
    memset(plan, 0, sizeof *plan);
    /* Decided here: what the child counts after clone nobody sees. */
    plan->path = bp_fault(BP_FAULT_exec) ? "/" : options->worker_path;
    plan->flags = namespaces_used();
    plan->root_fd = plan->flags & CLONE_NEWNS ? bp_roots_get(options->policy) : -1;
    plan->entered = shared.network_fd < 0 ? 0 : plan->flags & BP_NAMESPACES_SHARED;
    plan->from_root = plan->root_fd < 0 ? 0 : CLONE_NEWNS;
    plan->log_fd = options->log_fd;
    plan->requests_fd = options->requests_fd;
    plan->answers_fd = options->answers_fd;
    plan->control_fd = options->control_fd;
    plan->status_fd = options->status_fd;
    snprintf(plan->memory, sizeof plan->memory, "%llu",
             (unsigned long long)options->limits.memory_bytes);
    snprintf(plan->file, sizeof plan->file, "%llu", (unsigned long long)options->limits.file_bytes);
    snprintf(plan->cpu, sizeof plan->cpu, "%u", options->limits.cpu_s);
    snprintf(plan->device, sizeof plan->device, "%u", options->limits.device);
    const char *argv[BP_POLICY_ARGC] = {
        "bulletproof-worker", options->stage, bp_policy_name(options->policy),
        plan->memory,         plan->file,     plan->cpu,
        plan->device};
    for (unsigned i = 0; i < BP_POLICY_ARGC; i++)
        plan->argv[i] = (char *)(uintptr_t)argv[i];
    fill_environment(plan, scratch[0] ? scratch : BP_PRIVATE_DIRECTORY, user);
    bp_user_map_make(&plan->map);
}

static _Noreturn void child_fail(int failure_fd, const char *step, int error)
{
    struct failure failure = {.error = error};
    strncpy(failure.step, step, sizeof failure.step - 1);
    ssize_t written = write(failure_fd, &failure, sizeof failure);
    _exit(written == (ssize_t)sizeof failure ? 126 : 127);
}

/* Ignored signals stay ignored over clone and exec. What is caught is not: a call for each of all signals
 * takes as long as the mounts. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        if (ignored[number])
            signal(number, SIG_DFL);
}

/* Copies above PARKING_FD first: a source may sit on another's target. Returns the failure pipe's
 * new number or -1. */
static int place_descriptors(const struct plan *plan, int failure_fd)
{
    const int sources[TARGETS] = {
        -1,
        plan->log_fd,
        plan->log_fd,
        plan->requests_fd,
        plan->answers_fd,
        plan->control_fd,
        plan->status_fd,
        plan->root_fd,
    };
    const int count = plan->root_fd < 0 ? BP_FD_ROOT : TARGETS;
    int parked[TARGETS];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int failure = fcntl(failure_fd, F_DUPFD_CLOEXEC, PARKING_FD);
    if (null < 0 || failure < 0)
        return -1;
    for (int target = 0; target < count; target++) {
        int source = target == STDIN_FILENO ? null : sources[target];
        parked[target] = fcntl(source, F_DUPFD_CLOEXEC, PARKING_FD);
        if (parked[target] < 0)
            return -1;
    }
    for (int target = 0; target < count; target++)
        if (dup2(parked[target], target) < 0)
            return -1;
    if (bp_weakened(BP_DEFENCE_descriptors))
        return failure;
    if (syscall(SYS_close_range, count, ~0U, CLOSE_RANGE_ON_EXEC) < 0)
        return -1;
    return failure;
}

static int child_main(void *argument)
{
    const struct plan *plan = argument;
    int failure_fd = plan->failure_fd;
    int error = plan->flags & CLONE_NEWUSER ? bp_user_map_write(&plan->map) : 0;
    if (error)
        child_fail(failure_fd, "user map", error);
    if (bp_namespaces_enter_shared(&shared, plan->entered) < 0)
        child_fail(failure_fd, "shared namespaces", errno);
    reset_signals();
    umask(022); /* what it makes in a root of its own, the user that it becomes has to enter */
    /* A supervisor of real-time priority must not hand a candidate the processors for good. */
    const struct sched_param ordinary = {0};
    if (sched_setscheduler(0, SCHED_OTHER, &ordinary) < 0)
        child_fail(failure_fd, "scheduling class", errno);
    if (setsid() < 0)
        child_fail(failure_fd, "setsid", errno);
    int placed = place_descriptors(plan, failure_fd);
    if (placed < 0)
        child_fail(failure_fd, "descriptors", errno);
    execve(plan->path, plan->argv, plan->envp);
    child_fail(placed, "exec", errno);
}

/* End of file means that exec closed the pipe: it worked. */
static int await_exec(int failure_fd, const char *path, struct bp_error *err)
{
    struct failure failure;
    ssize_t got;
    do
        got = read(failure_fd, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return 0;
    if (got != (ssize_t)sizeof failure)
        return bp_fail(err, BP_ERR_SYSTEM, "starting %s: no word from the child", path);
    errno = failure.error;
    return bp_fail_errno(err, "starting %s: %.*s", path, (int)sizeof failure.step, failure.step);
}

static int make_scratch(char scratch[BP_LAUNCH_SCRATCH], uid_t user, struct bp_error *err)
{
    scratch[0] = '\0';
    if (namespaces_used() & CLONE_NEWNS)
        return 0;
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/')
        parent = "/tmp";
    int length = snprintf(scratch, BP_LAUNCH_SCRATCH, "%s/bulletproof-XXXXXX", parent);
    if (length >= BP_LAUNCH_SCRATCH)
        return bp_fail(err, BP_ERR_LIMIT, "TMPDIR is too long: %s", parent);
    if (!mkdtemp(scratch)) {
        scratch[0] = '\0';
        return bp_fail_errno(err, "making a directory in %s", parent);
    }
    if (geteuid() == 0 && chown(scratch, user, user) < 0) {
        int error = errno;
        rmdir(scratch);
        errno = error;
        return bp_fail_errno(err, "handing over %s", scratch);
    }
    return 0;
}

static int start(struct plan *plan, struct bp_launched *launched, struct bp_error *err)
{
    int ends[2];
    if (bp_fault(BP_FAULT_pipe) || pipe2(ends, O_CLOEXEC) < 0)
        return bp_fail_errno(err, "pipe");
    BP_AUTO_FD int failure_in = ends[0];
    BP_AUTO_FD int failure_out = ends[1];
    BP_AUTO_FD int pidfd = -1;
    plan->failure_fd = failure_out;
    uint64_t cloned = plan->flags & ~(plan->entered | plan->from_root);
    pid_t pid = bp_fault(BP_FAULT_fork) ? -1 : bp_clone_to_exec(cloned, child_main, plan, &pidfd);
    if (pid < 0)
        return bp_fail_errno(err, "clone");
    bp_close_fd(&failure_out);
    if (await_exec(failure_in, plan->path, err) < 0) {
        waitpid(pid, NULL, 0); /* it said so last before _exit, or is dead already */
        return -1;
    }
    launched->pid = pid;
    launched->pidfd = bp_steal_fd(&pidfd);
    launched->pid_namespace = (plan->flags & CLONE_NEWPID) != 0;
    return 0;
}

/* Only ever a directory we made, after everything that could write there is dead. */
static void remove_scratch(const char *scratch)
{
    struct bp_error err;
    if (scratch[0] && bp_tree_remove(AT_FDCWD, scratch, &err) < 0)
        bp_log(BP_LOG_WARNING, "launch", "%s", err.msg);
}

int bp_launch(const struct bp_launch_options *options, struct bp_launched *launched,
              struct bp_error *err)
{
    if (!prepared)
        return bp_fail(err, BP_ERR_STATE, "bp_launch before bp_launch_prepare_supervisor");
    struct bp_launched made = {.pidfd = -1};
    struct plan plan;
    uid_t user = bp_identity_of_child(getpid(), launches++);
    if (make_scratch(made.scratch, user, err) < 0)
        return -1;
    make_plan(&plan, options, made.scratch, user);
    if (start(&plan, &made, err) < 0) {
        remove_scratch(made.scratch);
        return -1;
    }
    *launched = made;
    return 0;
}

void bp_launch_kill(const struct bp_launched *launched)
{
    if (!launched->pid_namespace)
        kill(-launched->pid, SIGKILL);
    syscall(SYS_pidfd_send_signal, launched->pidfd, SIGKILL, NULL, 0);
}

/* Orphans of the group are our children: we are the subreaper. */
static bool reap_orphans(pid_t group)
{
    for (;;) {
        siginfo_t ended = {0};
        if (waitid(P_PGID, (id_t)group, &ended, WEXITED | WNOHANG) < 0)
            return errno == ECHILD;
        if (ended.si_pid == 0)
            return false;
    }
}

bool bp_launch_release(struct bp_launched *launched)
{
    if (!launched->pid_namespace && !reap_orphans(launched->pid))
        return false;
    bp_close_fd(&launched->pidfd);
    remove_scratch(launched->scratch);
    launched->scratch[0] = '\0';
    return true;
}

int bp_launch_find_worker(char *path, size_t size, struct bp_error *err)
{
    /* Installed in bin and libexec; in a build tree harness/ and evaluator/ are neighbours. */
    static const char *const places[] = {"", "../libexec/bulletproof/", "../evaluator/"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return bp_fail_errno(err, "readlink /proc/self/exe");
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "/proc/self/exe is '%s'", self);
    slash[1] = '\0';
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        char wanted[PATH_MAX + 64], found[PATH_MAX];
        snprintf(wanted, sizeof wanted, "%s%sbulletproof-worker", self, places[i]);
        if (!realpath(wanted, found) || access(found, X_OK) < 0)
            continue;
        if (strlen(found) >= size)
            return bp_fail(err, BP_ERR_LIMIT, "the worker's path is too long: %s", found);
        strcpy(path, found);
        return 0;
    }
    return bp_fail(err, BP_ERR_UNAVAILABLE,
                   "no bulletproof-worker beside %s or in ../libexec/bulletproof", self);
}
