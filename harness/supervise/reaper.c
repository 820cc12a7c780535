#include "harness/supervise/reaper.h"

#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "sandbox/confine.h"

#define REAP_TIMEOUT_NS 1000000000u
#define RELEASE_RETRY_NS 2000000u
#define WAIT_RETRY_NS 20000000u

static void start_timer(struct bp_reaper *reaper, struct bp_timer *timer, uint64_t pause_ns)
{
    struct bp_error err;
    if (bp_loop_start_timer(reaper->loop, timer, bp_clock_ns() + pause_ns, &err) < 0)
        bp_log(BP_LOG_ERROR, "child", "%s", err.msg);
}

/* False: it is dead but cannot be waited for yet, because another process traces it. */
static bool take_status(struct bp_reaper *reaper)
{
    pid_t pid = reaper->launched.pid;
    if (!reaper->waited)
        reaper->waited = wait4(pid, &reaper->status, WNOHANG, &reaper->usage) == pid;
    return reaper->waited;
}

static void bury(struct bp_reaper *reaper)
{
    if (reaper->killed_ns)
        bp_log(BP_LOG_DEBUG, "child", "%s child gone %.2f ms after SIGKILL", reaper->stage,
               bp_ns_to_ms(bp_clock_ns() - reaper->killed_ns));
    bp_loop_stop_timer(reaper->loop, &reaper->deadline);
    reaper->gone(reaper->context);
}

static void try_bury(void *context)
{
    struct bp_reaper *reaper = context;
    if (!take_status(reaper))
        start_timer(reaper, &reaper->retry, WAIT_RETRY_NS);
    else if (!bp_launch_release(&reaper->launched))
        start_timer(reaper, &reaper->retry, RELEASE_RETRY_NS);
    else
        bury(reaper);
}

static void pid_ready(void *context, uint32_t events)
{
    struct bp_reaper *reaper = context;
    (void)events;
    bp_launch_kill(&reaper->launched); /* whatever it left behind */
    bp_loop_unwatch(reaper->loop, &reaper->pid_watch);
    try_bury(reaper);
}

static void deadline_expired(void *context)
{
    struct bp_reaper *reaper = context;
    bp_log(BP_LOG_WARNING, "child", "%s child %d is not reaped a second after SIGKILL",
           reaper->stage, reaper->launched.pid);
    reaper->overdue(reaper->context);
}

int bp_reaper_watch(struct bp_reaper *reaper, struct bp_error *err)
{
    reaper->pid_watch =
        (struct bp_watch){.fd = reaper->launched.pidfd, .ready = pid_ready, .context = reaper};
    reaper->deadline = (struct bp_timer){.expired = deadline_expired, .context = reaper};
    reaper->retry = (struct bp_timer){.expired = try_bury, .context = reaper};
    if (bp_loop_watch(reaper->loop, &reaper->pid_watch, EPOLLIN, err) == 0)
        return 0;
    start_timer(reaper, &reaper->retry, WAIT_RETRY_NS); /* then the timer asks for its end */
    return -1;
}

void bp_reaper_kill(struct bp_reaper *reaper)
{
    if (reaper->waited)
        return;
    bp_launch_kill(&reaper->launched);
    reaper->killed_ns = bp_clock_ns();
    start_timer(reaper, &reaper->deadline, REAP_TIMEOUT_NS);
}

int bp_reaper_report(const struct bp_reaper *reaper, struct rusage *usage)
{
    struct bp_exit_report report;
    struct bp_error err;
    if (bp_io_set_nonblocking(reaper->status_fd, &err) == 0 &&
        read(reaper->status_fd, &report, sizeof report) == (ssize_t)sizeof report) {
        *usage = report.usage;
        return report.wait_status;
    }
    if (reaper->launched.pid_namespace)
        return -1;
    *usage = reaper->usage;
    return reaper->status;
}

void bp_reaper_free(struct bp_reaper *reaper)
{
    bp_loop_unwatch(reaper->loop, &reaper->pid_watch);
    bp_loop_stop_timer(reaper->loop, &reaper->deadline);
    bp_loop_stop_timer(reaper->loop, &reaper->retry);
    bp_close_fd(&reaper->status_fd);
}
