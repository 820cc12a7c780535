#include "harness/supervise/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/random.h"
#include "base/weaken.h"
#include "evaluator/channel.h"
#include "harness/supervise/memory_kills.h"
#include "harness/supervise/pipes.h"
#include "harness/supervise/sabotage.h"
#include "sandbox/confine.h"

#define READY_TIMEOUT_MS 10000.0
#define REAP_TIMEOUT_NS 1000000000u
#define RELEASE_RETRY_NS 2000000u
#define WAIT_RETRY_NS 20000000u
#define CONTROL_ROOM (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))

/* Which answer a request allows; `failure` is always allowed beside it. */
static const enum bp_message_type answer_of[BP_MESSAGE_COUNT] = {
    [BP_MESSAGE_compile_request] = BP_MESSAGE_compile_result,
    [BP_MESSAGE_arenas_request] = BP_MESSAGE_arenas_result,
    [BP_MESSAGE_make_request] = BP_MESSAGE_make_result,
    [BP_MESSAGE_fill_request] = BP_MESSAGE_fill_result,
    [BP_MESSAGE_run_request] = BP_MESSAGE_plan_result,
    [BP_MESSAGE_cases_request] = BP_MESSAGE_cases_result,
    [BP_MESSAGE_upload_request] = BP_MESSAGE_upload_result,
    [BP_MESSAGE_batch_request] = BP_MESSAGE_batch_result,
    [BP_MESSAGE_fetch_request] = BP_MESSAGE_fetch_result,
    [BP_MESSAGE_judge_request] = BP_MESSAGE_judge_result,
    [BP_MESSAGE_sample_request] = BP_MESSAGE_sample_result,
    [BP_MESSAGE_device_request] = BP_MESSAGE_device_result,
    [BP_MESSAGE_probe_request] = BP_MESSAGE_probe_result,
    [BP_MESSAGE_gate_request] = BP_MESSAGE_gate_result,
    [BP_MESSAGE_lines_request] = BP_MESSAGE_lines_result,
    [BP_MESSAGE_canary_request] = BP_MESSAGE_canary_result,
};

struct bp_child {
    struct bp_loop *loop;
    const struct bp_child_handlers *handlers; /* null once released */
    void *context;
    char stage[BP_TEXT_SHORT];
    struct bp_launched launched;

    int requests_fd, answers_fd, control_fd, log_fd, status_fd, listener_fd, stage_pidfd;
    struct bp_watch requests_watch, answers_watch, control_watch, log_watch, listener_watch,
        pid_watch;
    struct bp_timer deadline, reap_deadline, bury_retry;

    struct bp_buffer out, in, log, frames;
    uint32_t sent, received;
    struct bp_key nonce_key;
    uint64_t nonce;                /* secret: an answer cannot be sent before its request */
    bool awaiting;                 /* an answer is owed */
    enum bp_message_type expected; /* that answer */
    uint64_t started_ns, requested_ns, busy_ns;

    uint64_t killed_ns;
    bool dying;      /* cause decided, SIGKILL sent unless it was dead already */
    bool waited;     /* its status was taken: it must not be signalled any more */
    int init_status; /* then */
    struct rusage init_usage;
    bool ended;  /* `ended` delivered */
    bool reaped; /* nothing more will happen to it: release may free */
    bool candidate_ran;
    struct bp_child_end end;
};

static void control_ready(void *context, uint32_t events);

static void watch_init(struct bp_watch *watch, int fd, void (*ready)(void *, uint32_t), void *child)
{
    *watch = (struct bp_watch){.fd = fd, .ready = ready, .context = child};
}

static void die(struct bp_child *child, enum bp_child_cause cause, const char *text)
{
    if (child->dying)
        return;
    child->dying = true;
    child->end.cause = cause;
    snprintf(child->end.text, sizeof child->end.text, "%s", text);
    bp_loop_stop_timer(child->loop, &child->deadline);
    if (child->waited)
        return;
    bp_launch_kill(&child->launched);
    child->killed_ns = bp_clock_ns();
    struct bp_error err;
    if (bp_loop_start_timer(child->loop, &child->reap_deadline, bp_clock_ns() + REAP_TIMEOUT_NS,
                            &err) < 0)
        bp_log(BP_LOG_ERROR, "child", "%s", err.msg);
}

static struct bp_sabotage as_target(const struct bp_child *child)
{
    return (struct bp_sabotage){.stage = child->stage,
                                .launched = &child->launched,
                                .stage_pidfd = child->stage_pidfd,
                                .candidate_ran = child->candidate_ran};
}

/* ---- output to the child ---- */

static void requests_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    (void)events;
    while (child->out.size > 0) {
        size_t size = bp_fault(BP_FAULT_short_write) ? 1 : child->out.size;
        ssize_t put = write(child->requests_fd, child->out.data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN) {
            if (!child->requests_watch.active &&
                bp_loop_watch(child->loop, &child->requests_watch, EPOLLOUT, &err) < 0)
                die(child, BP_CHILD_BROKEN, err.msg);
            return;
        }
        if (put < 0) { /* EPIPE: it is ending; the exit status tells the story */
            bp_buffer_clear(&child->out);
            break;
        }
        bp_buffer_consume(&child->out, (size_t)put);
    }
    bp_loop_unwatch(child->loop, &child->requests_watch);
}

/* Not from a stream of bp_random: whoever has seen four numbers of one knows the fifth. */
static void set_nonce(struct bp_child *child)
{
    struct bp_key key;
    bp_key_derive(&child->nonce_key, "nonce", child->sent, &key);
    memcpy(&child->nonce, key.bytes, sizeof child->nonce);
}

int bp_child_request(struct bp_child *child, enum bp_message_type type, const void *message,
                     const int *fds, uint32_t fd_count, double timeout_ms, struct bp_error *err)
{
    if (child->awaiting || child->dying || child->ended || child->requests_fd < 0)
        return bp_fail(err, BP_ERR_STATE, "%s child cannot take a request now", child->stage);
    if (fd_count > 0 && bp_fds_send(child->control_fd, fds, fd_count, err) < 0)
        return -1;
    set_nonce(child);
    size_t before = child->out.size;
    if (bp_message_encode(type, message, child->sent++, child->nonce, &child->out, err) < 0)
        return -1;
    if (child->out.size - before <= child->frames.max - child->frames.size)
        bp_buffer_add_capped(&child->frames, child->out.data + before, child->out.size - before);
    uint64_t now = bp_clock_ns();
    if (bp_loop_start_timer(child->loop, &child->deadline, now + (uint64_t)(timeout_ms * 1e6),
                            err) < 0)
        return -1;
    child->awaiting = true;
    child->expected = answer_of[type];
    child->requested_ns = bp_clock_ns();
    struct bp_sabotage target = as_target(child);
    bp_sabotage_request(&target, type);
    requests_ready(child, EPOLLOUT);
    return 0;
}

/* ---- input from the child ---- */

/* Only what it sent is its doing. */
static enum bp_child_cause cause_of(const struct bp_error *err)
{
    return err->code == BP_ERR_PROTOCOL ? BP_CHILD_PROTOCOL : BP_CHILD_BROKEN;
}

static void deliver(struct bp_child *child, enum bp_message_type type, const void *message)
{
    bp_loop_stop_timer(child->loop, &child->deadline);
    child->awaiting = false;
    if (type == BP_MESSAGE_ready)
        bp_log(BP_LOG_DEBUG, "child", "%s child ready after %.2f ms", child->stage,
               bp_ns_to_ms(bp_clock_ns() - child->started_ns));
    if (child->requested_ns)
        child->busy_ns += bp_clock_ns() - child->requested_ns;
    if (child->handlers)
        child->handlers->answer(child->context, child, type, message);
}

/* Checks one frame against the conversation and delivers it. */
static int take_frame(struct bp_child *child, const struct bp_frame *frame, struct bp_error *err)
{
    if (frame->sequence != child->received++ && !bp_weakened(BP_DEFENCE_sequence))
        return bp_fail(err, BP_ERR_PROTOCOL, "frame %u out of sequence", frame->sequence);
    if (!child->awaiting && !bp_weakened(BP_DEFENCE_one_result))
        return bp_fail(err, BP_ERR_PROTOCOL, "a frame nobody asked for");
    if (frame->nonce != child->nonce && !bp_weakened(BP_DEFENCE_nonce))
        return bp_fail(err, BP_ERR_PROTOCOL, "answer to another request");
    if (frame->type != child->expected && frame->type != BP_MESSAGE_failure &&
        !bp_weakened(BP_DEFENCE_answer_table))
        return bp_fail(err, BP_ERR_PROTOCOL, "type %u where %s was due", frame->type,
                       bp_message_name(child->expected));
    return 0;
}

static int take_frames(struct bp_child *child, struct bp_error *err)
{
    while (!child->dying) {
        struct bp_frame frame;
        int got = bp_frame_decode(&child->in, &frame, err);
        if (got <= 0)
            return got;
        BP_AUTO_FREE void *message = NULL;
        int result = take_frame(child, &frame, err);
        if (result == 0 && !(message = bp_fault_malloc(bp_message_size(frame.type))))
            result = bp_fail(err, BP_ERR_MEMORY, "no memory for an answer");
        if (result == 0)
            result = bp_message_decode(&frame, message, err);
        enum bp_message_type type = (enum bp_message_type)frame.type;
        bp_frame_release(&frame, &child->in);
        if (result < 0)
            return -1;
        deliver(child, type, message);
    }
    return 0;
}

/* Reads what is there; 0 more may come, 1 end of file, -1 error. */
static int read_answers(struct bp_child *child, struct bp_error *err)
{
    char chunk[65536];
    for (int rounds = 0; rounds < 64; rounds++) {
        size_t size = bp_fault(BP_FAULT_short_read) ? 1 : sizeof chunk;
        ssize_t got = bp_fault(BP_FAULT_read_error) ? -1 : read(child->answers_fd, chunk, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? 0 : bp_fail_errno(err, "read of answers");
        if (got == 0)
            return 1;
        struct bp_sabotage target = as_target(child);
        got = bp_sabotage_answer(&target, chunk, got, sizeof chunk);
        if (bp_buffer_add(&child->in, chunk, (size_t)got, err) < 0)
            return bp_fail(err, BP_ERR_PROTOCOL, "frame flood");
        if (take_frames(child, err) < 0)
            return -1;
        if (got < (ssize_t)sizeof chunk)
            return 0;
    }
    return 0;
}

static void answers_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    (void)events;
    /* What lies in the other socket was sent before: the listener, and with it the stage's pid. */
    if (child->control_watch.active)
        control_ready(child, EPOLLIN);
    int result = read_answers(child, &err);
    if (result != 0)
        bp_loop_unwatch(child->loop, &child->answers_watch);
    if (result < 0)
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
    if (child->stage_pidfd < 0)
        child->stage_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    child->candidate_ran = strcmp(child->stage, "run") == 0 || strcmp(child->stage, "gate") == 0;
    watch_init(&child->listener_watch, fd, listener_ready, child);
    if (bp_loop_watch(child->loop, &child->listener_watch, EPOLLIN, err) < 0)
        return -1;
    if (child->candidate_ran && child->handlers && child->handlers->confined)
        child->handlers->confined(child->context, child, pid);
    return 0;
}

/* Alignment leaves room for more descriptors than one: those that nobody wanted are ours to close. */
static int only_descriptor(const struct cmsghdr *item)
{
    int fds[CONTROL_ROOM / sizeof(int)];
    size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(item), count * sizeof *fds);
    if (count == 1)
        return fds[0];
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return -1;
}

static void control_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    struct bp_error err;
    char byte;
    struct iovec part = {&byte, 1};
    char space[CONTROL_ROOM];
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    (void)events;
    ssize_t got = recvmsg(child->control_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            bp_loop_unwatch(child->loop, &child->control_watch);
        return;
    }
    int fd = -1;
    pid_t pid = -1;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_type == SCM_RIGHTS)
            fd = only_descriptor(item);
        if (item->cmsg_type == SCM_CREDENTIALS)
            pid = ((struct ucred *)(void *)CMSG_DATA(item))->pid;
    }
    if (fd < 0)
        die(child, BP_CHILD_PROTOCOL, "control message without a descriptor");
    else if (take_listener(child, fd, pid, &err) < 0)
        die(child, cause_of(&err), err.msg);
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
    bp_loop_unwatch(child->loop, &child->pid_watch);
    bp_loop_stop_timer(child->loop, &child->reap_deadline);
    bp_loop_stop_timer(child->loop, &child->bury_retry);
    bp_close_fd(&child->requests_fd);
    bp_close_fd(&child->answers_fd);
    bp_close_fd(&child->control_fd);
    bp_close_fd(&child->log_fd);
    bp_close_fd(&child->status_fd);
    bp_close_fd(&child->listener_fd);
    bp_close_fd(&child->stage_pidfd);
    bp_buffer_free(&child->out);
    bp_buffer_free(&child->in);
    bp_buffer_free(&child->log);
    bp_buffer_free(&child->frames);
    free(child);
}

/* Everything it wrote before it died is still in the pipes. */
static void drain(struct bp_child *child)
{
    struct bp_error err;
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
    struct bp_exit_report report;
    child->end.wait_status = -1;
    if (bp_io_set_nonblocking(child->status_fd, &err) == 0 &&
        read(child->status_fd, &report, sizeof report) == (ssize_t)sizeof report) {
        child->end.wait_status = report.wait_status;
        child->end.usage = report.usage;
    }
}

/* By a SIGKILL that nobody here sent. */
static bool was_killed(const struct bp_child *child)
{
    int status = child->end.wait_status;
    return child->end.cause == BP_CHILD_EXITED && status != -1 && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

static void ask_who_killed(struct bp_child *child)
{
    uint64_t kills = bp_memory_kills();
    child->end.out_of_memory = kills > child->loop->memory_kills;
    child->loop->memory_kills = kills;
}

static void finish(struct bp_child *child)
{
    if (child->ended)
        return;
    child->ended = true;
    if (child->awaiting && child->requested_ns) /* it died at work */
        child->busy_ns += bp_clock_ns() - child->requested_ns;
    child->end.candidate_ran = child->candidate_ran;
    if (was_killed(child))
        ask_who_killed(child);
    unwatch_all(child);
    if (child->handlers)
        child->handlers->ended(child->context, child, &child->end);
}

/* The tree is gone and reaped; what is left is ours. */
static void bury(struct bp_child *child)
{
    child->loop->child_count--;
    if (child->killed_ns)
        bp_log(BP_LOG_DEBUG, "child", "%s child gone %.2f ms after SIGKILL", child->stage,
               bp_ns_to_ms(bp_clock_ns() - child->killed_ns));
    bp_loop_stop_timer(child->loop, &child->reap_deadline);
    if (!child->ended) {
        drain(child);
        if (child->end.wait_status == -1 && !child->launched.pid_namespace) {
            child->end.wait_status = child->init_status;
            child->end.usage = child->init_usage;
        }
        finish(child);
    }
    /* The owner may have released the child in a callback of drain or finish. */
    if (child->handlers)
        child->reaped = true;
    else
        destroy(child);
}

static void try_later(struct bp_child *child, uint64_t pause_ns)
{
    struct bp_error err;
    if (bp_loop_start_timer(child->loop, &child->bury_retry, bp_clock_ns() + pause_ns, &err) < 0)
        bp_log(BP_LOG_ERROR, "child", "%s", err.msg);
}

/* False: it is dead but cannot be waited for yet, because another process traces it. */
static bool take_status(struct bp_child *child)
{
    if (!child->waited)
        child->waited = wait4(child->launched.pid, &child->init_status, WNOHANG,
                              &child->init_usage) == child->launched.pid;
    return child->waited;
}

static void try_bury(void *context)
{
    struct bp_child *child = context;
    if (!take_status(child))
        try_later(child, WAIT_RETRY_NS);
    else if (!bp_launch_release(&child->launched))
        try_later(child, RELEASE_RETRY_NS);
    else
        bury(child);
}

static void pid_ready(void *context, uint32_t events)
{
    struct bp_child *child = context;
    (void)events;
    bp_launch_kill(&child->launched); /* whatever it left behind */
    bp_loop_unwatch(child->loop, &child->pid_watch);
    try_bury(child);
}

static void deadline_expired(void *context)
{
    struct bp_child *child = context;
    if (bp_weakened(BP_DEFENCE_deadlines))
        return;
    die(child, BP_CHILD_DEADLINE, "deadline");
}

static void reap_expired(void *context)
{
    struct bp_child *child = context;
    child->end.unreaped = true;
    child->end.wait_status = -1;
    bp_log(BP_LOG_WARNING, "child", "%s child %d is not reaped a second after SIGKILL",
           child->stage, child->launched.pid);
    finish(child);
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
    watch_init(&child->requests_watch, child->requests_fd, requests_ready, child);
    watch_init(&child->answers_watch, child->answers_fd, answers_ready, child);
    watch_init(&child->control_watch, child->control_fd, control_ready, child);
    watch_init(&child->log_watch, child->log_fd, log_ready, child);
    watch_init(&child->pid_watch, child->launched.pidfd, pid_ready, child);
    child->deadline = (struct bp_timer){.expired = deadline_expired, .context = child};
    child->reap_deadline = (struct bp_timer){.expired = reap_expired, .context = child};
    child->bury_retry = (struct bp_timer){.expired = try_bury, .context = child};
    if (bp_loop_watch(child->loop, &child->pid_watch, EPOLLIN, err) < 0 ||
        bp_loop_watch(child->loop, &child->answers_watch, EPOLLIN, err) < 0 ||
        bp_loop_watch(child->loop, &child->control_watch, EPOLLIN, err) < 0 ||
        bp_loop_watch(child->loop, &child->log_watch, EPOLLIN, err) < 0)
        return -1;
    child->awaiting = true;
    child->expected = BP_MESSAGE_ready;
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
    snprintf(child->stage, sizeof child->stage, "%s", options->stage);
    bp_key_random(&child->nonce_key);
    child->requests_fd = child->answers_fd = child->control_fd = child->log_fd = -1;
    child->status_fd = child->listener_fd = child->stage_pidfd = -1;
    bp_buffer_init(&child->out, 2 * (BP_FRAME_HEADER + BP_FRAME_MAX));
    bp_buffer_init(&child->in, 2 * (BP_FRAME_HEADER + BP_FRAME_MAX));
    bp_buffer_init(&child->log,
                   bp_weakened(BP_DEFENCE_log_cap) ? SIZE_MAX : options->log_max_bytes);
    bp_buffer_init(&child->frames, options->frames_max_bytes);
    return child;
}

static void take_pipes(struct bp_child *child, struct bp_pipes *pipes)
{
    child->requests_fd = bp_steal_fd(&pipes->requests[1]);
    child->answers_fd = bp_steal_fd(&pipes->answers[0]);
    child->control_fd = bp_steal_fd(&pipes->control[0]);
    child->log_fd = bp_steal_fd(&pipes->log[0]);
    child->status_fd = bp_steal_fd(&pipes->status[0]);
    bp_pipes_close(pipes);
}

int bp_child_start(const struct bp_child_options *options, struct bp_child **slot,
                   struct bp_error *err)
{
    struct bp_pipes pipes;
    uint64_t started_ns = bp_clock_ns();
    struct bp_child *child = allocate(options);
    if (!child)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a child");
    if (bp_pipes_open(&pipes, err) < 0) {
        free(child);
        return -1;
    }
    if (launch(options, &pipes, &child->launched, err) < 0) {
        bp_pipes_close(&pipes);
        free(child);
        return -1;
    }
    take_pipes(child, &pipes);
    child->started_ns = started_ns;
    child->loop->child_count++;
    if (watch_child(child, err) < 0) {
        /* Where not even its end is watched, the timer asks for it. */
        bp_loop_unwatch(child->loop, &child->pid_watch);
        try_later(child, WAIT_RETRY_NS);
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

/* ---- small accessors ---- */

static int signal_stage(struct bp_child *child, int number, struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_freeze))
        return 0;
    if (child->stage_pidfd < 0)
        return bp_fail(err, BP_ERR_STATE, "%s child's pid is not known yet", child->stage);
    if (syscall(SYS_pidfd_send_signal, child->stage_pidfd, number, NULL, 0) < 0 && errno != ESRCH)
        return bp_fail_errno(err, "cannot signal the %s child", child->stage);
    return 0;
}

int bp_child_freeze(struct bp_child *child, struct bp_error *err)
{
    return signal_stage(child, SIGSTOP, err);
}

int bp_child_thaw(struct bp_child *child, struct bp_error *err)
{
    return signal_stage(child, SIGCONT, err);
}

const char *bp_child_log(const struct bp_child *child)
{
    return bp_buffer_text(&child->log);
}

size_t bp_child_log_bytes(const struct bp_child *child)
{
    return child->log.size;
}

const void *bp_child_frames(const struct bp_child *child, size_t *bytes)
{
    *bytes = child->frames.size;
    return child->frames.data;
}

bool bp_child_candidate_ran(const struct bp_child *child)
{
    return child->candidate_ran;
}

bool bp_child_is_ending(const struct bp_child *child)
{
    return child->dying || child->waited || child->ended;
}

double bp_child_busy_ms(const struct bp_child *child)
{
    return bp_ns_to_ms(child->busy_ns);
}

uint64_t bp_child_requested_ns(const struct bp_child *child)
{
    return child->requested_ns;
}
