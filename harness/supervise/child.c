#include "harness/supervise/child_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/weaken.h"
#include "harness/supervise/freeze.h"
#include "harness/supervise/memory_kills.h"
#include "harness/supervise/pipes.h"
#include "harness/supervise/sabotage.h"

#define READY_TIMEOUT_MS 10000.0
#define READS_AT_ONCE 64 /* then the loop looks after its other children */

static void watch_init(struct bp_watch *watch, int fd, void (*ready)(void *, uint32_t), void *child)
{
    *watch = (struct bp_watch){.fd = fd, .ready = ready, .context = child};
}

static void die(struct bp_child *child, enum bp_child_cause cause, const char *text)
{
    if (child->dying)
        return;
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(child->fault_scope);
    child->dying = true;
    child->end.cause = cause;
    snprintf(child->end.text, sizeof child->end.text, "%s", text);
    bp_loop_stop_timer(child->loop, &child->deadline);
    bp_reaper_kill(&child->reaper);
}

static struct bp_sabotage as_target(const struct bp_child *child)
{
    return (struct bp_sabotage){.stage = child->stage,
                                .launched = &child->reaper.launched,
                                .stage_pidfd = child->stage_pidfd,
                                .candidate_ran = child->candidate_ran};
}

/* ---- output to the child ---- */

static void requests_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    (void)events;
    if (bp_conversation_write(&child->conversation))
        bp_loop_unwatch(child->loop, &child->requests_watch);
    else if (!child->requests_watch.active &&
             bp_loop_watch(child->loop, &child->requests_watch, EPOLLOUT, &err) < 0)
        die(child, BP_CHILD_BROKEN, err.msg);
}

int bp_child_request(struct bp_child *child, enum bp_message_type type, const void *message,
                     const int *fds, uint32_t fd_count, double timeout_ms, struct bp_error *err)
{
    struct bp_conversation *conversation = &child->conversation;
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(child->fault_scope);
    if (conversation->awaiting || child->dying || child->ended || conversation->requests_fd < 0)
        return bp_fail(err, BP_ERR_STATE, "%s child cannot take a request now", child->stage);
    if (bp_loop_start_timer(child->loop, &child->deadline,
                            bp_clock_ns() + (uint64_t)(timeout_ms * 1e6), err) < 0)
        return -1;
    if (bp_conversation_ask(conversation, type, message, fds, fd_count, err) < 0) {
        bp_loop_stop_timer(child->loop, &child->deadline);
        return -1;
    }
    struct bp_sabotage target = as_target(child);
    bp_sabotage_request(&target, type);
    requests_ready(child, EPOLLOUT);
    return 0;
}

/* Only what it sent is its doing. */
static enum bp_child_cause cause_of(const struct bp_error *err)
{
    return err->code == BP_ERR_PROTOCOL ? BP_CHILD_PROTOCOL : BP_CHILD_BROKEN;
}

/* ---- the control socket brings the seccomp listener, with the sender's credentials ---- */

static void listener_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    if (events & EPOLLIN) {
        int got = bp_weakened(BP_DEFENCE_listener)
                      ? 1
                      : bp_denial_read(child->listener_fd, &child->end.denial, &err);
        if (got == 1)
            die(child, BP_CHILD_DENIED, "");
        else if (got < 0)
            die(child, BP_CHILD_BROKEN, err.msg);
        else
            return;
    }
    bp_loop_unwatch(child->loop, &child->listener_watch);
}

static int take_listener(struct bp_child *child, int fd, pid_t pid, struct bp_error *err)
{
    if (child->listener_fd >= 0) {
        close(fd);
        return bp_fail(err, BP_ERR_PROTOCOL, "a second listener");
    }
    child->listener_fd = fd;
    if (child->stage_pidfd < 0) {
        child->stage_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        child->stage_pid = pid;
    }
    child->candidate_ran = strcmp(child->stage, "run") == 0 || strcmp(child->stage, "gate") == 0;
    watch_init(&child->listener_watch, fd, listener_ready, child);
    if (bp_loop_watch(child->loop, &child->listener_watch, EPOLLIN, err) < 0)
        return -1;
    if (child->candidate_ran && child->handlers && child->handlers->confined)
        child->handlers->confined(child->context, child, pid);
    return 0;
}

static void control_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    int fd;
    pid_t pid;
    (void)events;
    enum bp_heard heard = bp_conversation_descriptor(&child->conversation, &fd, &pid, &err);
    if (heard == BP_HEARD_END)
        bp_loop_unwatch(child->loop, &child->control_watch);
    else if (heard == BP_HEARD_ERROR ||
             (heard == BP_HEARD_MORE && take_listener(child, fd, pid, &err) < 0))
        die(child, cause_of(&err), err.msg);
}

/* ---- answers and log ---- */

static void deliver(struct bp_child *child, enum bp_message_type type, const void *message)
{
    bp_loop_stop_timer(child->loop, &child->deadline);
    if (type == BP_MESSAGE_ready)
        bp_log(BP_LOG_DEBUG, "child", "%s child ready after %.2f ms", child->stage,
               bp_ns_to_ms(bp_clock_ns() - child->started_ns));
    if (child->handlers)
        child->handlers->answer(child->context, child, type, message);
}

static int take_answers(struct bp_child *child, struct bp_error *err)
{
    while (!child->dying) {
        enum bp_message_type type;
        BP_AUTO_FREE void *message = NULL;
        int got = bp_conversation_next(&child->conversation, &type, &message, err);
        if (got <= 0)
            return got;
        deliver(child, type, message);
    }
    return 0;
}

static enum bp_heard read_answers(struct bp_child *child, struct bp_error *err)
{
    enum bp_heard heard = BP_HEARD_MORE;
    for (int reads = 0; reads < READS_AT_ONCE && heard == BP_HEARD_MORE; reads++) {
        struct bp_sabotage target = as_target(child);
        heard = bp_conversation_read(&child->conversation, &target, err);
        if (heard != BP_HEARD_ERROR && take_answers(child, err) < 0)
            return BP_HEARD_ERROR;
    }
    return heard;
}

static void answers_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    (void)events;
    /* What lies in the other socket was sent before: the listener, and with it the stage's pid. */
    if (child->control_watch.active)
        control_ready(child, EPOLLIN);
    enum bp_heard heard = read_answers(child, &err);
    if (heard == BP_HEARD_END || heard == BP_HEARD_ERROR)
        bp_loop_unwatch(child->loop, &child->answers_watch);
    if (heard == BP_HEARD_ERROR)
        die(child, cause_of(&err), err.msg);
}

static void log_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    char chunk[16384];
    (void)events;
    ssize_t got = read(child->log_fd, chunk, sizeof chunk);
    if (got > 0)
        bp_buffer_add_capped(&child->log, chunk, (size_t)got); /* the rest is read and dropped */
    else if (got == 0 || errno != EAGAIN)
        bp_loop_unwatch(child->loop, &child->log_watch);
}

/* ---- the end ---- */

static void unwatch_all(struct bp_child *child)
{
    bp_loop_unwatch(child->loop, &child->requests_watch);
    bp_loop_unwatch(child->loop, &child->answers_watch);
    bp_loop_unwatch(child->loop, &child->control_watch);
    bp_loop_unwatch(child->loop, &child->log_watch);
    bp_loop_unwatch(child->loop, &child->listener_watch);
    bp_loop_stop_timer(child->loop, &child->deadline);
}

static void destroy(struct bp_child *child)
{
    unwatch_all(child);
    bp_reaper_free(&child->reaper);
    bp_close_fd(&child->log_fd);
    bp_close_fd(&child->listener_fd);
    bp_close_fd(&child->stage_pidfd);
    bp_conversation_free(&child->conversation);
    bp_buffer_free(&child->log);
    free(child);
}

/* Everything it wrote before it died is still in the pipes. */
static void drain(struct bp_child *child)
{
    if (child->control_watch.active)
        control_ready(child, EPOLLIN);
    if (child->answers_watch.active)
        answers_ready(child, EPOLLIN);
    while (child->log_watch.active) {
        int pending = 0;
        if (ioctl(child->log_fd, FIONREAD, &pending) < 0 || pending == 0)
            break;
        log_ready(child, EPOLLIN);
    }
}

/* By a SIGKILL that nobody here sent. */
static bool was_killed(const struct bp_child *child)
{
    int status = child->end.wait_status;
    return child->end.cause == BP_CHILD_EXITED && status != -1 && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

static void finish(struct bp_child *child)
{
    if (child->ended)
        return;
    child->ended = true;
    bp_conversation_end(&child->conversation);
    child->end.asked = child->conversation.requested_ns > 0;
    child->end.candidate_ran = child->candidate_ran;
    if (was_killed(child))
        child->end.out_of_memory = bp_memory_kills_grew(&child->loop->memory_kills);
    unwatch_all(child);
    if (child->handlers)
        child->handlers->ended(child->context, child, &child->end);
}

/* The tree is gone and reaped; what is left is ours. */
static void gone(void *context)
{
    struct bp_child *child = context;
    child->loop->child_count--;
    if (!child->ended) {
        drain(child);
        child->end.wait_status = bp_reaper_report(&child->reaper, &child->end.usage);
        finish(child);
    }
    /* The owner may have released the child in a callback of drain or finish. */
    if (child->handlers)
        child->reaped = true;
    else
        destroy(child);
}

static void overdue(void *context)
{
    struct bp_child *child = context;
    child->end.unreaped = true;
    child->end.wait_status = -1;
    finish(child);
}

static void deadline_expired(void *context)
{
    struct bp_child *child = context;
    if (bp_weakened(BP_DEFENCE_deadlines))
        return;
    die(child, BP_CHILD_DEADLINE, "deadline");
}

void bp_child_stop(struct bp_child *child)
{
    die(child, BP_CHILD_STOPPED, "stopped");
}

void bp_child_release(struct bp_child **slot)
{
    struct bp_child *child = *slot;
    if (!child)
        return;
    *slot = NULL;
    child->handlers = NULL;
    if (child->reaped)
        destroy(child);
    else
        die(child, BP_CHILD_STOPPED, "released");
}

/* ---- the start ---- */

static int launch(const struct bp_child_options *options, const struct bp_pipes *pipes,
                  struct bp_launched *launched, struct bp_error *err)
{
    struct bp_launch_options launch_options = {
        .worker_path = options->worker_path,
        .stage = options->stage,
        .policy = options->policy,
        .limits = options->limits,
        .requests_fd = pipes->requests[0],
        .answers_fd = pipes->answers[1],
        .control_fd = pipes->control[1],
        .log_fd = pipes->log[1],
        .status_fd = pipes->status[1],
    };
    return bp_launch(&launch_options, launched, err);
}

static int watch_child(struct bp_child *child, struct bp_error *err)
{
    watch_init(&child->requests_watch, child->conversation.requests_fd, requests_ready, child);
    watch_init(&child->answers_watch, child->conversation.answers_fd, answers_ready, child);
    watch_init(&child->control_watch, child->conversation.control_fd, control_ready, child);
    watch_init(&child->log_watch, child->log_fd, log_ready, child);
    child->deadline = (struct bp_timer){.expired = deadline_expired, .context = child};
    if (bp_reaper_watch(&child->reaper, err) < 0 ||
        bp_loop_watch(child->loop, &child->answers_watch, EPOLLIN, err) < 0 ||
        bp_loop_watch(child->loop, &child->control_watch, EPOLLIN, err) < 0 ||
        bp_loop_watch(child->loop, &child->log_watch, EPOLLIN, err) < 0)
        return -1;
    return bp_loop_start_timer(child->loop, &child->deadline,
                               bp_clock_ns() + (uint64_t)(READY_TIMEOUT_MS * 1e6), err);
}

static struct bp_child *allocate(const struct bp_child_options *options)
{
    struct bp_child *child = bp_fault_calloc(1, sizeof *child);
    if (!child)
        return NULL;
    child->loop = options->loop;
    child->handlers = options->handlers;
    child->context = options->context;
    child->fault_scope = bp_fault_scope();
    snprintf(child->stage, sizeof child->stage, "%s", options->stage);
    child->reaper = (struct bp_reaper){.loop = options->loop,
                                       .stage = child->stage,
                                       .status_fd = -1,
                                       .gone = gone,
                                       .overdue = overdue,
                                       .context = child};
    bp_conversation_init(&child->conversation, options->frames_max_bytes);
    child->log_fd = child->listener_fd = child->stage_pidfd = -1;
    bp_buffer_init(&child->log,
                   bp_weakened(BP_DEFENCE_log_cap) ? SIZE_MAX : options->log_max_bytes);
    return child;
}

static void take_pipes(struct bp_child *child, struct bp_pipes *pipes)
{
    child->conversation.requests_fd = bp_steal_fd(&pipes->requests[1]);
    child->conversation.answers_fd = bp_steal_fd(&pipes->answers[0]);
    child->conversation.control_fd = bp_steal_fd(&pipes->control[0]);
    child->log_fd = bp_steal_fd(&pipes->log[0]);
    child->reaper.status_fd = bp_steal_fd(&pipes->status[0]);
    bp_pipes_close(pipes);
}

int bp_child_start(const struct bp_child_options *options, struct bp_child **slot,
                   struct bp_error *err)
{
    struct bp_pipes pipes;
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(bp_fault_new_scope(options->stage));
    uint64_t started_ns = bp_clock_ns();
    struct bp_child *child = allocate(options);
    if (!child)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a child");
    if (bp_pipes_open(&pipes, err) < 0) {
        free(child);
        return -1;
    }
    if (launch(options, &pipes, &child->reaper.launched, err) < 0) {
        bp_pipes_close(&pipes);
        free(child);
        return -1;
    }
    take_pipes(child, &pipes);
    child->started_ns = started_ns;
    child->loop->child_count++;
    if (watch_child(child, err) < 0) {
        bp_child_release(&child);
        return -1;
    }
    struct bp_sabotage target = as_target(child);
    bp_sabotage_request(&target, BP_MESSAGE_ready);
    *slot = child;
    return 0;
}

void bp_child_hand_over(struct bp_child *child, const struct bp_child_handlers *handlers,
                        void *context)
{
    child->handlers = handlers;
    child->context = context;
}

/* ---- pauses ---- */

int bp_child_freeze(struct bp_child *child, struct bp_error *err)
{
    enum bp_freeze state;
    if (bp_weakened(BP_DEFENCE_freeze))
        return 0;
    if (child->stage_pidfd < 0)
        return bp_fail(err, BP_ERR_STATE, "%s child's pid is not known yet", child->stage);
    if (bp_freeze(child->stage_pidfd, child->stage_pid, &state, err) < 0)
        return -1;
    if (state == BP_FREEZE_RUNS_ON)
        die(child, BP_CHILD_PROTOCOL, "a thread runs on after the answer and cannot be stopped");
    else if (state == BP_FREEZE_IS_STUCK)
        die(child, BP_CHILD_BROKEN, "the child waits in the kernel and cannot be stopped");
    return 0;
}

int bp_child_thaw(struct bp_child *child, struct bp_error *err)
{
    return bp_weakened(BP_DEFENCE_freeze) ? 0 : bp_thaw(child->stage_pidfd, err);
}
