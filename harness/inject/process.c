#include "harness/inject/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/inject/leaks.h"

#define GRACE_S 5.0 /* from SIGTERM to SIGKILL */
#define SHARED_MEMORY "/dev/shm"

static volatile sig_atomic_t stop_signal;

static void note_stop(int number)
{
    stop_signal = number;
}

/* So that what others mount or leave in shared memory meanwhile is not taken for a leak. Without the
 * right to it, or to mounts of its own, a harness has only its files to leave. */
static void live_apart(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0 &&
        mount("tmpfs", SHARED_MEMORY, "tmpfs", MS_NOSUID | MS_NODEV, NULL) < 0)
        bp_log(BP_LOG_INFO, "inject", "counts files of others in " SHARED_MEMORY " too");
}

int bp_process_prepare(struct bp_error *err)
{
    struct sigaction action = {.sa_handler = note_stop};
    live_apart();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
        sigaction(SIGTERM, &action, NULL) < 0)
        return bp_fail_errno(err, "cannot watch over children");
    return 0;
}

/* ---- in the child ---- */

static _Noreturn void be_the_harness(const struct bp_process *process,
                                     struct bp_process_report *report, pid_t parent)
{
    char path[4200];
    struct bp_leaks_fds before;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    snprintf(path, sizeof path, "%s/output.txt", process->dir);
    int output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    close(output);
    snprintf(path, sizeof path, "%s/tmp", process->dir);
    setenv("TMPDIR", path, 1);
    bp_leaks_look(&before);
    int status = process->run(process->context, process->dir, report);
    report->leaked_fds = bp_leaks_compare(&before, report->leaked, sizeof report->leaked);
    exit(status); /* not _exit: a leak checker reports at exit */
}

/* ---- in the parent ---- */

/* Whether it has ended. */
static bool wait_for_end(int pidfd, double seconds)
{
    struct pollfd watch = {.fd = pidfd, .events = POLLIN};
    uint64_t until = bp_clock_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now; (now = bp_clock_ns()) < until && !stop_signal;)
        if (poll(&watch, 1, (int)((until - now) / 1000000) + 1) == 1)
            return true;
    return false;
}

static bool reap(pid_t pid, struct bp_process_end *end)
{
    return waitpid(pid, &end->wait_status, WNOHANG) == pid;
}

static off_t output_size(const struct bp_process *process)
{
    char path[4200];
    struct stat info;
    snprintf(path, sizeof path, "%s/output.txt", process->dir);
    return stat(path, &info) == 0 ? info.st_size : 0;
}

/* Until it has ended, has said nothing for as long as patience lasts, or its time is up. Silence counts
 * from the fault on: before it a run on a loaded machine may just be busy. */
static void wait_patiently(const struct bp_process *process, const struct bp_process_report *report,
                           int pidfd)
{
    double patience_s = process->patience_s > 0 ? process->patience_s : process->timeout_s;
    uint64_t until = bp_clock_ns() + (uint64_t)(process->timeout_s * 1e9);
    off_t before;
    bool met;
    do {
        before = output_size(process);
        met = report->fired > 0;
        if (wait_for_end(pidfd, patience_s))
            return;
    } while (bp_clock_ns() < until && !stop_signal && (!met || output_size(process) != before));
}

/* Until it has ended, by itself or not. */
static void attend(const struct bp_process *process, const struct bp_process_report *report,
                   pid_t pid, int pidfd, struct bp_process_end *end)
{
    uint64_t started = bp_clock_ns();
    wait_patiently(process, report, pidfd);
    if (!reap(pid, end)) {
        kill(pid, SIGTERM);
        wait_for_end(pidfd, GRACE_S);
        end->told = reap(pid, end);
        if (!end->told) {
            kill(pid, SIGKILL);
            end->killed = waitpid(pid, &end->wait_status, 0) == pid;
        }
    }
    end->ms = bp_ns_to_ms(bp_clock_ns() - started);
}

/* Whatever is a child of this process now was left by the one that ended. */
static uint32_t count_survivors(void)
{
    uint32_t count = 0;
    siginfo_t info;
    char path[64], text[4096];
    while (waitpid(-1, NULL, WNOHANG) > 0)
        count++;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    while (memset(&info, 0, sizeof info),
           waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        BP_AUTO_FILE FILE *file = fopen(path, "re");
        if (!file || !fgets(text, sizeof text, file))
            break;
        pid_t pid = (pid_t)strtol(text, NULL, 10);
        kill(pid, SIGKILL);
        if (waitpid(pid, NULL, 0) == pid)
            count++;
    }
    return count;
}

static void add_leak(struct bp_process_end *end, const char *what, uint32_t before, uint32_t after)
{
    size_t used = strlen(end->leaked);
    if (after <= before)
        return;
    end->leaks += after - before;
    snprintf(end->leaked + used, sizeof end->leaked - used, "%s%u %s", used ? ", " : "",
             after - before, what);
}

static void read_output(const char *path, struct bp_process_end *end)
{
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    size_t room = sizeof end->output - 1;
    if (fd < 0 || fstat(fd, &info) < 0)
        return;
    off_t from = info.st_size > (off_t)room ? info.st_size - (off_t)room : 0;
    ssize_t got = pread(fd, end->output, room, from);
    end->output[got > 0 ? got : 0] = '\0';
}

static int make_directories(const char *dir, struct bp_error *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/tmp", dir);
    if (mkdir(dir, 0700) < 0 || mkdir(path, 0700) < 0)
        return bp_fail_errno(err, "cannot make %s", path);
    return 0;
}

static int start(const struct bp_process *process, struct bp_process_report *report, pid_t *pid,
                 struct bp_error *err)
{
    pid_t parent = getpid();
    fflush(NULL);
    *pid = fork();
    if (*pid < 0)
        return bp_fail_errno(err, "fork");
    if (*pid == 0)
        be_the_harness(process, report, parent);
    return 0;
}

int bp_process_run(const struct bp_process *process, struct bp_process_end *end,
                   struct bp_error *err)
{
    char path[4200];
    pid_t pid;
    memset(end, 0, sizeof *end);
    if (make_directories(process->dir, err) < 0)
        return -1;
    uint32_t mounts = bp_leaks_mounts(), shared = bp_leaks_entries(SHARED_MEMORY);
    struct bp_process_report *report =
        mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return bp_fail_errno(err, "mmap");
    int result = start(process, report, &pid, err);
    if (result == 0) {
        BP_AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        attend(process, report, pid, pidfd, end);
        end->survivors = count_survivors();
    }
    end->report = *report;
    munmap(report, sizeof *report);
    if (result == 0 && stop_signal)
        result = bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s", sigabbrev_np(stop_signal));
    end->leaks = end->report.leaked_fds;
    memcpy(end->leaked, end->report.leaked, sizeof end->leaked);
    add_leak(end, "mounts", mounts, bp_leaks_mounts());
    add_leak(end, "files in " SHARED_MEMORY, shared, bp_leaks_entries(SHARED_MEMORY));
    snprintf(path, sizeof path, "%s/tmp", process->dir);
    add_leak(end, "temporary files", 0, bp_leaks_entries(path));
    snprintf(path, sizeof path, "%s/output.txt", process->dir);
    read_output(path, end);
    return result;
}
