/* child.h: the life of one worker process, from its start to its end.
 *
 * A child answers one request at a time (conversation.h); whatever else it says kills it (PROTOCOL).
 * Every request has a deadline. After the end (exit, signal, deadline, denial, protocol), pipes are
 * drained, then `ended` is called, once; no callback follows it.
 *
 * Nothing here blocks, but for freezing. A child that cannot be reaped within a second of its SIGKILL
 * (state D) ends all the same, marked `unreaped`; the loop goes on reaping it in the background. */
#ifndef BP_HARNESS_SUPERVISE_CHILD_H
#define BP_HARNESS_SUPERVISE_CHILD_H

#include <sys/resource.h>

#include "evaluator/messages.h"
#include "harness/supervise/loop.h"
#include "sandbox/denial.h"
#include "sandbox/launch.h"

struct bp_child;

enum bp_child_cause {
    BP_CHILD_EXITED,   /* by itself; wait_status says how, signals included */
    BP_CHILD_DEADLINE, /* killed at its deadline */
    BP_CHILD_DENIED,   /* stopped in a forbidden system call, killed */
    BP_CHILD_PROTOCOL, /* killed for what it sent; text says what */
    BP_CHILD_STOPPED,  /* killed by bp_child_stop */
    BP_CHILD_BROKEN,   /* the supervisor could not serve it; text says why */
};

struct bp_child_end {
    enum bp_child_cause cause;
    int wait_status; /* of the stage process itself, not of its init; -1 when unknown */
    struct rusage usage;
    struct bp_denial denial; /* with BP_CHILD_DENIED */
    bool unreaped;
    bool out_of_memory; /* a SIGKILL, and the kernel has killed for want of memory meanwhile */
    bool asked;         /* it had got a request: what came before is not the candidate's */
    bool candidate_ran; /* the stage had installed the candidate's filter */
    char text[BP_TEXT_LINE];
};

struct bp_child_handlers {
    /* message is the decoded struct of type, valid during the call. */
    void (*answer)(void *context, struct bp_child *child, enum bp_message_type type,
                   const void *message);
    void (*ended)(void *context, struct bp_child *child, const struct bp_child_end *end);
    /* The candidate's filter stands in a run child and none of its code has been asked for; pid is
     * the stage process's in our namespace. May be null. */
    void (*confined)(void *context, struct bp_child *child, pid_t pid);
};

struct bp_child_options {
    struct bp_loop *loop;
    const char *worker_path;
    const char *stage;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    size_t log_max_bytes;
    size_t frames_max_bytes; /* of requests kept as sent, bp_child_frames; 0: none */
    const struct bp_child_handlers *handlers;
    void *context;
};

/* Starts the worker; its first answer is BP_MESSAGE_ready. */
int bp_child_start(const struct bp_child_options *options, struct bp_child **child,
                   struct bp_error *err) BP_MUST_CHECK;

/* Sends descriptors (borrowed, may be none), then the request, and starts the deadline. */
int bp_child_request(struct bp_child *child, enum bp_message_type type, const void *message,
                     const int *fds, uint32_t fd_count, double timeout_ms, struct bp_error *err)
    BP_MUST_CHECK;

/* From now on others are told what it answers and that it ended. Only while no answer but "ready" was
 * due. */
void bp_child_hand_over(struct bp_child *child, const struct bp_child_handlers *handlers,
                        void *context);

/* Kills the whole tree; `ended` follows. */
void bp_child_stop(struct bp_child *child);

/* Freezes and thaws the stage process (SIGSTOP, SIGCONT); known once its filter's listener or its
 * descriptors came with credentials. After freeze no thread of it runs: that takes some microseconds.
 * One that cannot be stopped in about a second is killed (PROTOCOL, or BROKEN where it waits for the
 * kernel), and `ended` follows. */
int bp_child_freeze(struct bp_child *child, struct bp_error *err) BP_MUST_CHECK;
int bp_child_thaw(struct bp_child *child, struct bp_error *err) BP_MUST_CHECK;

/* Forgets the child: kills it if it still lives and calls no handler any more. Always safe; *child
 * becomes null. */
void bp_child_release(struct bp_child **child);

/* What it wrote to standard output and error, capped; never null, valid until release. */
const char *bp_child_log(const struct bp_child *child);
size_t bp_child_log_bytes(const struct bp_child *child);

/* The requests it was sent, whole frames one behind the other, byte for byte; those that would go
 * over frames_max_bytes are left out. Valid until the next request. */
const void *bp_child_frames(const struct bp_child *child, size_t *bytes);

/* Whether candidate code may have run in it (its last filter is installed). */
bool bp_child_candidate_ran(const struct bp_child *child);

/* bp_clock_ns() at which the last request was written. */
uint64_t bp_child_requested_ns(const struct bp_child *child);

/* Its end is decided or has come: no request reaches it any more, `ended` tells why. */
bool bp_child_is_ending(const struct bp_child *child);

/* Milliseconds it has spent between requests and their answers: the stage's own work, without the
 * start and end of the process. */
double bp_child_busy_ms(const struct bp_child *child);

/* Where faults that concern it are counted (base/fault.h). */
uint32_t bp_child_fault_scope(const struct bp_child *child);

#endif
