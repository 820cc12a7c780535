#include "tests/unit/sandbox/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sandbox/namespaces.h"

#define DEADLINE_NS 20000000000ULL
#define LOG_END_MS 10000

uint64_t lab_namespaces;

static void skip(const char *reason)
{
    printf("skipped: %s\n", reason);
    exit(77);
}

static void become_nobody(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0)
        skip("cannot become user 65534");
    if (access(FAKE_WORKER, X_OK) < 0)
        skip("user 65534 may not enter the folder of this build");
    prctl(PR_SET_DUMPABLE, 1); /* a login's processes are; bp_launch_prepare_supervisor undoes it */
}

static void write_file(const char *path, const char *text)
{
    BP_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        skip(path);
}

/* A user namespace that permits no further one, and no capability: what an ordinary user has where
 * the administrator forbids namespaces. */
static void become_bare(void)
{
    become_nobody();
    char uid[32], gid[32];
    snprintf(uid, sizeof uid, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    snprintf(gid, sizeof gid, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
    if (unshare(CLONE_NEWUSER) < 0)
        skip("no user namespace to take the others away in");
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", uid);
    write_file("/proc/self/gid_map", gid);
    write_file("/proc/sys/user/max_user_namespaces", "0");
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &header, none) < 0)
        skip("cannot drop capabilities");
}

void lab_prepare(void)
{
    struct bp_error err;
    char layers[64];
    if (bp_launch_prepare_supervisor(layers, sizeof layers, &err) < 0) {
        fprintf(stderr, "bp_launch_prepare_supervisor: %s\n", err.msg);
        exit(1);
    }
    lab_namespaces = bp_namespaces_parse(layers);
}

void lab_start(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--user") == 0)
        become_nobody();
    else if (argc > 1 && strcmp(argv[1], "--bare") == 0)
        become_bare();
    /* What must not reach a child. */
    static const gid_t groups[] = {4, 24};
    if (geteuid() == 0 && setgroups(2, groups) < 0)
        skip("root without the right to change groups");
    setenv("BP_TEST_API_KEY", "secret", 1);
    setenv("LD_PRELOAD", "", 1);
    setenv("HSA_TOOLS_LIB", "/tmp/evil.so", 1);
    char layers[BP_NAMESPACES_TEXT];
    lab_prepare();
    bp_namespaces_format(lab_namespaces, layers);
    printf("uid %u, namespaces: %s\n", (unsigned)geteuid(), layers[0] ? layers : "none");
    if (argc > 1 && strcmp(argv[1], "--bare") == 0 && lab_namespaces != 0)
        skip("namespaces are granted all the same");
}

void lab_pipes_open(struct lab_pipes *pipes)
{
    if (pipe2(pipes->requests, O_CLOEXEC) < 0 || pipe2(pipes->answers, O_CLOEXEC) < 0 ||
        pipe2(pipes->log, O_CLOEXEC) < 0 || pipe2(pipes->status, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pipes->control) < 0)
        abort();
}

/* side 0: ours, 1: the child's. */
void lab_pipes_close(struct lab_pipes *pipes, int side)
{
    bp_close_fd(&pipes->requests[!side]);
    bp_close_fd(&pipes->answers[side]);
    bp_close_fd(&pipes->log[side]);
    bp_close_fd(&pipes->status[side]);
    bp_close_fd(&pipes->control[side]);
}

int lab_launch(const struct lab_pipes *pipes, enum bp_policy_id policy, const char *act,
               const struct bp_policy_limits *limits, const char *worker,
               struct bp_launched *launched, struct bp_error *err)
{
    struct bp_launch_options options = {
        .worker_path = worker,
        .stage = act,
        .policy = policy,
        .requests_fd = pipes->requests[0],
        .answers_fd = pipes->answers[1],
        .control_fd = pipes->control[1],
        .log_fd = pipes->log[1],
        .status_fd = pipes->status[1],
    };
    if (limits)
        options.limits = *limits;
    return bp_launch(&options, launched, err);
}

static int receive_listener(int control)
{
    char byte = 0;
    struct iovec data = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } ancillary;
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &ancillary,
                             .msg_controllen = sizeof ancillary};
    int fd = -1;
    if (recvmsg(control, &message, MSG_CMSG_CLOEXEC) == 1 && byte == 'S' && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(&ancillary.header), sizeof fd);
    return fd;
}

struct watch {
    struct bp_launched launched;
    struct lab_result *result;
    const char *kill_on;
    uint64_t started, killed;
    int listener;
    bool answers_ended;
    char lines[8192];
    size_t used;
};

static void read_file(char *text, size_t size, const char *path)
{
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
}

static void read_proc(const struct bp_launched *launched, struct lab_result *result)
{
    char path[64], child[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)launched->pid,
             (int)launched->pid);
    read_file(child, sizeof child, path);
    snprintf(path, sizeof path, "/proc/%d/status", atoi(child));
    read_file(result->proc_status, sizeof result->proc_status, path);
    snprintf(path, sizeof path, "/proc/%d/limits", atoi(child));
    read_file(result->proc_limits, sizeof result->proc_limits, path);
}

static void take_line(struct watch *watch, char *line)
{
    struct lab_result *result = watch->result;
    char *number = strchr(line, ' ');
    char *text = number ? strchr(number + 1, ' ') : NULL;
    if (!text)
        abort();
    if (watch->kill_on && strncmp(line, watch->kill_on, strlen(watch->kill_on)) == 0) {
        read_proc(&watch->launched, result);
        watch->killed = bp_clock_ns();
        bp_launch_kill(&watch->launched);
    }
    if (strncmp(line, "ready", 5) == 0) {
        result->ready_ns = bp_clock_ns() - watch->started;
        snprintf(result->layers, sizeof result->layers, "%s", text + 1);
    } else {
        result->done = strncmp(line, "done", 4) == 0;
        result->error = atoi(number);
        snprintf(result->text, sizeof result->text, "%s", text + 1);
    }
}

static void take_answers(struct watch *watch, int fd)
{
    ssize_t got = read(fd, watch->lines + watch->used, sizeof watch->lines - 1 - watch->used);
    if (got <= 0) {
        watch->answers_ended = true;
        return;
    }
    watch->used += (size_t)got;
    watch->lines[watch->used] = '\0';
    for (char *end; (end = strchr(watch->lines, '\n')) != NULL;) {
        *end = '\0';
        take_line(watch, watch->lines);
        watch->used -= (size_t)(end + 1 - watch->lines);
        memmove(watch->lines, end + 1, watch->used + 1);
    }
}

static void take_denial(struct watch *watch)
{
    struct bp_denial denial;
    struct bp_error err;
    if (bp_denial_read(watch->listener, &denial, &err) == 1) {
        watch->result->denied = true;
        bp_denial_describe(&denial, watch->result->denial, sizeof watch->result->denial);
        bp_launch_kill(&watch->launched);
    }
}

/* The listener stays open to the end: closing it would let the call return ENOSYS, and the process
 * run on until the kill arrives through its init.
 *
 * Until the process we cloned has ended and everything it said is read. */
static void watch_to_end(struct watch *watch, struct lab_pipes *pipes)
{
    bool ended = false;
    while (!ended || !watch->answers_ended) {
        struct pollfd fds[4] = {
            {watch->answers_ended ? -1 : pipes->answers[0], POLLIN, 0},
            {pipes->control[0], POLLIN, 0},
            {watch->result->denied ? -1 : watch->listener, POLLIN, 0},
            {ended ? -1 : watch->launched.pidfd, POLLIN, 0},
        };
        if (poll(fds, 4, 100) < 0 && errno != EINTR)
            abort();
        if (fds[0].revents)
            take_answers(watch, pipes->answers[0]);
        if (fds[1].revents & POLLIN)
            watch->listener = receive_listener(pipes->control[0]);
        if (fds[1].revents & POLLHUP)
            bp_close_fd(&pipes->control[0]);
        if (fds[2].revents & POLLIN)
            take_denial(watch);
        ended = ended || (fds[3].revents & POLLIN);
        if (ended)
            bp_launch_kill(&watch->launched);
        if (bp_clock_ns() - watch->started > DEADLINE_NS) {
            printf("deadline reached\n");
            bp_launch_kill(&watch->launched);
            break;
        }
    }
}

static void read_log(struct lab_pipes *pipes, struct lab_result *result)
{
    size_t used = 0;
    struct pollfd log = {pipes->log[0], POLLIN, 0};
    while (poll(&log, 1, LOG_END_MS) == 1) {
        ssize_t got = read(pipes->log[0], result->log + used, sizeof result->log - 1 - used);
        if (got <= 0) {
            result->log_ended = got == 0;
            return;
        }
        used += (size_t)got;
    }
}

static void take_status(struct watch *watch, struct lab_pipes *pipes)
{
    struct lab_result *result = watch->result;
    struct bp_exit_report report;
    while (waitpid(watch->launched.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (watch->killed)
        result->gone_ns = bp_clock_ns() - watch->killed;
    result->reported = read(pipes->status[0], &report, sizeof report) == (ssize_t)sizeof report;
    if (result->reported)
        result->wait_status = report.wait_status;
}

void lab_run(enum bp_policy_id policy, const char *act, const struct bp_policy_limits *limits,
             const char *kill_on, struct lab_result *result)
{
    struct bp_error err;
    struct lab_pipes pipes;
    struct watch watch = {.result = result, .kill_on = kill_on, .listener = -1};
    memset(result, 0, sizeof *result);
    lab_pipes_open(&pipes);
    watch.started = bp_clock_ns();
    if (lab_launch(&pipes, policy, act, limits, FAKE_WORKER, &watch.launched, &err) < 0) {
        printf("launch: %s\n", err.msg);
        abort();
    }
    result->launch_ns = bp_clock_ns() - watch.started;
    lab_pipes_close(&pipes, 1);
    watch_to_end(&watch, &pipes);
    take_status(&watch, &pipes);
    read_log(&pipes, result);
    while (!bp_launch_release(&watch.launched))
        usleep(1000);
    bp_close_fd(&watch.listener);
    lab_pipes_close(&pipes, 0);
}
