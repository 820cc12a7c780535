#include "harness/evolve/debugger.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

int bp_debugger_find(struct bp_debugger *debugger, struct bp_error *err)
{
    const char *path = getenv("PATH");
    memset(debugger, 0, sizeof *debugger);
    debugger->watch.fd = debugger->object_fd = -1;
    while (path && *path) {
        size_t length = strcspn(path, ":");
        snprintf(debugger->program, sizeof debugger->program, "%.*s/gdb", (int)length, path);
        if (length > 0 && length < 4000 && access(debugger->program, X_OK) == 0)
            return 0;
        path += length + (path[length] == ':');
    }
    return bp_fail(err, BP_ERR_USAGE,
                   "--gdb needs gdb, which is not in PATH (apt-get install gdb)");
}

/* gdb reads symbols from a file with a name. */
static int copy_object(struct bp_debugger *debugger, struct bp_error *err)
{
    struct stat info;
    char path[] = "/tmp/bulletproof-object-XXXXXX";
    BP_AUTO_FD int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return bp_fail_errno(err, "cannot copy the object for gdb");
    snprintf(debugger->object_path, sizeof debugger->object_path, "%s", path);
    off_t offset = 0;
    if (fstat(debugger->object_fd, &info) < 0)
        return bp_fail_errno(err, "cannot read the object");
    while (offset < info.st_size)
        if (sendfile(fd, debugger->object_fd, &offset, (size_t)(info.st_size - offset)) <= 0)
            return bp_fail_errno(err, "cannot copy the object for gdb");
    return 0;
}

/* The terminal's keys go to that group; Ctrl-C in gdb is then not ours. */
static void give_terminal(pid_t group)
{
    if (!isatty(STDIN_FILENO))
        return;
    void (*before)(int) = signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(STDIN_FILENO, group);
    signal(SIGTTOU, before);
}

static void grace_over(void *context)
{
    struct bp_debugger *debugger = context;
    debugger->loop->stop_signal = SIGINT;
}

static void gdb_ended(void *context, uint32_t events)
{
    struct bp_debugger *debugger = context;
    struct bp_error err;
    (void)events;
    if (waitpid(debugger->pid, NULL, WNOHANG) != debugger->pid)
        return;
    debugger->pid = 0;
    bp_loop_unwatch(debugger->loop, &debugger->watch);
    bp_close_fd(&debugger->watch.fd);
    give_terminal(getpgrp());
    debugger->timer = (struct bp_timer){.expired = grace_over, .context = debugger};
    if (bp_loop_start_timer(debugger->loop, &debugger->timer,
                            bp_clock_ns() + (uint64_t)(debugger->grace_ms * 1e6), &err) < 0)
        grace_over(debugger);
}

static void exec_gdb(const struct bp_debugger *debugger, char *const *arguments)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    give_terminal(getpid());
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(debugger->program, arguments);
    _exit(127);
}

static int start(struct bp_debugger *debugger, char *const *arguments, struct bp_error *err)
{
    debugger->pid = fork();
    if (debugger->pid < 0) {
        debugger->pid = 0;
        return bp_fail_errno(err, "cannot start gdb");
    }
    if (debugger->pid == 0)
        exec_gdb(debugger, arguments);
    setpgid(debugger->pid, debugger->pid);
    debugger->watch = (struct bp_watch){.fd = (int)syscall(SYS_pidfd_open, debugger->pid, 0),
                                        .ready = gdb_ended,
                                        .context = debugger};
    if (debugger->watch.fd < 0)
        return bp_fail_errno(err, "cannot watch gdb");
    return bp_loop_watch(debugger->loop, &debugger->watch, EPOLLIN, err);
}

int bp_debugger_attach(struct bp_debugger *debugger, pid_t pid, struct bp_error *err)
{
    char number[16], symbols[160];
    if (copy_object(debugger, err) < 0)
        return -1;
    snprintf(number, sizeof number, "%d", (int)pid);
    snprintf(symbols, sizeof symbols, "add-symbol-file %s -o *(long*)&bp_object_bias",
             debugger->object_path);
    const char *arguments[] = {"gdb", "-q",
                               "-p",  number,
                               "-ex", symbols,
                               "-ex", "set variable *(int*)&bp_run_held = 0",
                               "-ex", "break gqa_kernel0",
                               NULL};
    fprintf(stderr,
            "the run child %s is held before the candidate's first instruction; no deadline "
            "is running.\nNOTE: its confinement stays on: seccomp, Landlock, namespaces and "
            "limits hold for what you make it call, too.\ngdb",
            number);
    for (size_t i = 1; arguments[i]; i++)
        fprintf(stderr, strchr(arguments[i], ' ') ? " '%s'" : " %s", arguments[i]);
    fprintf(stderr, "\n");
    return start(debugger, (char *const *)(uintptr_t)arguments, err);
}

void bp_debugger_close(struct bp_debugger *debugger)
{
    if (debugger->pid > 0) {
        kill(debugger->pid, SIGKILL);
        waitpid(debugger->pid, NULL, 0);
        give_terminal(getpgrp());
        bp_loop_unwatch(debugger->loop, &debugger->watch);
        bp_close_fd(&debugger->watch.fd);
    }
    if (debugger->loop)
        bp_loop_stop_timer(debugger->loop, &debugger->timer);
    if (debugger->object_path[0])
        unlink(debugger->object_path);
    debugger->pid = 0;
    debugger->object_path[0] = '\0';
}
