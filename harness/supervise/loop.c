#include "harness/supervise/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "harness/supervise/memory_kills.h"

#define LOST_NS 1000000000u /* later than expected by this much: it did not run */

/* More than 64 lanes with three children of three timers each: starting a timer then never fails for
 * want of memory, when it matters most. */
#define TIMERS_AT_START 1024

/* ---- signals ---- */

static void stop(struct bp_loop *loop, int number)
{
    loop->stop_signal = number;
    loop->stop_count++;
}

static bool has_terminal(void)
{
    BP_AUTO_FD int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd >= 0;
}

/* The kernel takes the terminal from the whole session before anyone hears of the hang-up, so that a
 * SIGHUP which a shell hands on means the same as the kernel's own. */
static void hang_up_or_rotate(struct bp_loop *loop, int number)
{
    bool gone = loop->had_terminal && !has_terminal();
    if (!loop->outlives_terminal && (gone || !loop->notice))
        stop(loop, number);
    else if (loop->notice)
        loop->notice(loop->notice_context, BP_NOTICE_ROTATE);
}

static void show_status(struct bp_loop *loop, int number)
{
    (void)number;
    if (loop->notice)
        loop->notice(loop->notice_context, BP_NOTICE_STATUS);
}

/* Pidfds tell which child ended; SIGCHLD is only blocked so that it kills no call. */
static void pass_over(struct bp_loop *loop, int number)
{
    (void)loop;
    (void)number;
}

static const struct {
    int number;
    void (*act)(struct bp_loop *loop, int number);
} signals[] = {
    {SIGINT, stop},         {SIGTERM, stop},      {SIGHUP, hang_up_or_rotate},
    {SIGUSR1, show_status}, {SIGCHLD, pass_over},
};
#define SIGNAL_COUNT (sizeof signals / sizeof *signals)

static void signal_ready(void *context, uint32_t events)
{
    struct bp_loop *loop = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        for (size_t i = 0; i < SIGNAL_COUNT; i++)
            if (signals[i].number == (int)info.ssi_signo)
                signals[i].act(loop, signals[i].number);
}

/* nohup and its like: who ignores SIGHUP from the start wants to outlive the terminal. A blocked
 * signal is delivered to a signalfd all the same. */
static bool ignores_hang_up(void)
{
    struct sigaction action;
    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int reserve_timers(struct bp_loop *loop, uint32_t capacity, struct bp_error *err)
{
    struct bp_timer **grown =
        bp_fault(BP_FAULT_timer) ? NULL : realloc(loop->heap, capacity * sizeof *grown);
    if (!grown)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for timers");
    loop->heap = grown;
    loop->timer_capacity = capacity;
    return 0;
}

void bp_loop_expect_notices(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int bp_loop_open(struct bp_loop *loop, struct bp_error *err)
{
    *loop = (struct bp_loop){.epoll_fd = -1, .signal_fd = -1, .memory_kills = bp_memory_kills()};
    loop->had_terminal = has_terminal();
    loop->outlives_terminal = ignores_hang_up();
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaddset(&set, signals[i].number);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return bp_fail_errno(err, "cannot set signals");
    if (reserve_timers(loop, TIMERS_AT_START, err) < 0)
        return -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->signal_fd < 0) {
        bp_fail_errno(err, "cannot make the event loop");
        bp_loop_close(loop);
        return -1;
    }
    loop->signal_watch =
        (struct bp_watch){.fd = loop->signal_fd, .ready = signal_ready, .context = loop};
    if (bp_loop_watch(loop, &loop->signal_watch, EPOLLIN, err) == 0)
        return 0;
    bp_loop_close(loop);
    return -1;
}

void bp_loop_close(struct bp_loop *loop)
{
    bp_close_fd(&loop->signal_fd);
    bp_close_fd(&loop->epoll_fd);
    free(loop->heap);
    loop->heap = NULL;
    loop->timer_count = loop->timer_capacity = 0;
}

int bp_loop_watch(struct bp_loop *loop, struct bp_watch *watch, uint32_t events,
                  struct bp_error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (bp_fault(BP_FAULT_epoll) || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return bp_fail_errno(err, "cannot watch descriptor %d", watch->fd);
    watch->active = true;
    watch->fault_scope = bp_fault_scope();
    return 0;
}

void bp_loop_unwatch(struct bp_loop *loop, struct bp_watch *watch)
{
    if (!watch->active)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->active = false;
    for (int i = 0; i < loop->batch_size; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
}

/* ---- binary heap of timers, earliest at 1 ---- */

static void place(struct bp_loop *loop, uint32_t index, struct bp_timer *timer)
{
    loop->heap[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct bp_loop *loop, uint32_t index, struct bp_timer *timer)
{
    while (index > 1 && loop->heap[index / 2]->deadline_ns > timer->deadline_ns) {
        place(loop, index, loop->heap[index / 2]);
        index /= 2;
    }
    place(loop, index, timer);
}

static void sift_down(struct bp_loop *loop, uint32_t index, struct bp_timer *timer)
{
    for (uint32_t child; (child = 2 * index) <= loop->timer_count; index = child) {
        if (child < loop->timer_count &&
            loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
            child++;
        if (loop->heap[child]->deadline_ns >= timer->deadline_ns)
            break;
        place(loop, index, loop->heap[child]);
    }
    place(loop, index, timer);
}

int bp_loop_start_timer(struct bp_loop *loop, struct bp_timer *timer, uint64_t deadline_ns,
                        struct bp_error *err)
{
    bp_loop_stop_timer(loop, timer);
    if (loop->timer_count + 2 > loop->timer_capacity &&
        reserve_timers(loop, 2 * loop->timer_capacity, err) < 0)
        return -1;
    timer->deadline_ns = deadline_ns;
    timer->fault_scope = bp_fault_scope();
    sift_up(loop, ++loop->timer_count, timer);
    return 0;
}

void bp_loop_stop_timer(struct bp_loop *loop, struct bp_timer *timer)
{
    uint32_t index = timer->heap_index;
    if (index == 0)
        return;
    timer->heap_index = 0;
    struct bp_timer *last = loop->heap[loop->timer_count--];
    if (last == timer)
        return;
    /* The last one takes the hole and moves whichever way it must. */
    if (index > 1 && loop->heap[index / 2]->deadline_ns > last->deadline_ns)
        sift_up(loop, index, last);
    else
        sift_down(loop, index, last);
}

static int wait_ms(const struct bp_loop *loop, uint64_t now)
{
    if (loop->timer_count == 0)
        return -1;
    uint64_t deadline = loop->heap[1]->deadline_ns;
    if (deadline <= now)
        return 0;
    uint64_t ms = (deadline - now + 999999) / 1000000;
    return ms > 1000000 ? 1000000 : (int)ms;
}

/* `now` is before the events were delivered: what they took puts no deadline forward. */
static void run_due_timers(struct bp_loop *loop, uint64_t now)
{
    while (loop->timer_count > 0 && loop->heap[1]->deadline_ns <= now) {
        struct bp_timer *timer = loop->heap[1];
        bp_loop_stop_timer(loop, timer);
        BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(timer->fault_scope);
        timer->expired(timer->context);
    }
}

/* A child may have stood still as long as the supervisor did, and nobody read its answer: every
 * deadline moves by the time since the supervisor was last seen to run, of which it may have lost all.
 * All by the same, so the heap stays one. */
static void make_up(struct bp_loop *loop, uint64_t ran_ns, uint64_t expected_ns, uint64_t now)
{
    if (now < expected_ns + LOST_NS)
        return;
    bp_log(BP_LOG_WARNING, "loop", "did not run for %.1f s: deadlines are put off",
           bp_ns_to_ms(now - ran_ns) * 1e-3);
    for (uint32_t i = 1; i <= loop->timer_count; i++)
        loop->heap[i]->deadline_ns += now - ran_ns;
}

static void deliver_events(struct bp_loop *loop)
{
    for (int i = 0; i < loop->batch_size; i++) {
        struct bp_watch *watch = loop->batch[i].data.ptr;
        if (!watch)
            continue;
        BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(watch->fault_scope);
        watch->ready(watch->context, loop->batch[i].events);
    }
    loop->batch_size = 0;
}

int bp_loop_step(struct bp_loop *loop, struct bp_error *err)
{
    uint64_t asked_ns = bp_clock_ns();
    if (loop->served_ns)
        make_up(loop, loop->served_ns, loop->served_ns, asked_ns);
    int timeout_ms = wait_ms(loop, asked_ns);
    int count = epoll_wait(loop->epoll_fd, loop->batch, BP_LOOP_BATCH, timeout_ms);
    if (count < 0 && errno != EINTR)
        return bp_fail_errno(err, "epoll_wait");
    uint64_t now = bp_clock_ns();
    if (timeout_ms >= 0)
        make_up(loop, asked_ns, asked_ns + (uint64_t)timeout_ms * 1000000, now);
    loop->served_ns = now;
    if (count < 0) /* stopped and continued: what is ready is not known, so nothing is late */
        return 0;
    loop->batch_size = count;
    deliver_events(loop);
    run_due_timers(loop, now);
    return 0;
}
