/* loop.h: the supervisor's one epoll loop: descriptors, a timer heap, and signals as events.
 *
 * Callbacks run on the only thread and must not block. A watch or timer is embedded in its owner and
 * must be stopped before the owner is freed; stopping it inside any callback is safe, also when its
 * event is already in the batch being delivered. */
#ifndef BP_HARNESS_SUPERVISE_LOOP_H
#define BP_HARNESS_SUPERVISE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/error.h"

struct bp_watch {
    int fd; /* borrowed */
    void (*ready)(void *context, uint32_t events);
    void *context;
    bool active;
    uint32_t fault_scope; /* base/fault.h: that of whoever watches */
};

struct bp_timer {
    uint64_t deadline_ns; /* bp_clock_ns() */
    void (*expired)(void *context);
    void *context;
    uint32_t heap_index;  /* 1-based position, 0 = not running */
    uint32_t fault_scope; /* that of whoever started it */
};

#define BP_LOOP_BATCH 64

/* What a signal asks for beside a stop. */
enum bp_notice { BP_NOTICE_ROTATE, BP_NOTICE_STATUS };

struct bp_loop {
    int epoll_fd, signal_fd; /* owned */
    struct bp_watch signal_watch;
    bool had_terminal, outlives_terminal; /* a controlling one; started as by nohup */
    int stop_signal;                      /* that asked to stop, once one did, else 0 */
    uint32_t stop_count;
    /* SIGUSR1: status. SIGHUP: rotate; but it is a stop when the controlling terminal is gone or
     * there is no notice, unless SIGHUP was ignored from the start (nohup). May be null; set after
     * bp_loop_open. */
    void (*notice)(void *context, enum bp_notice notice);
    void *notice_context;
    struct bp_timer **heap; /* owned; heap[1..timer_count] */
    uint32_t timer_count, timer_capacity;
    struct epoll_event batch[BP_LOOP_BATCH];
    int batch_size;
    uint32_t child_count;  /* children not yet reaped (child.c) */
    uint64_t memory_kills; /* bp_memory_kills(), when last looked at */
    uint64_t served_ns;    /* when the last step ended; 0 before the first */
};

/* Keeps SIGHUP and SIGUSR1, which would end the process, for the loop that is opened later. */
void bp_loop_expect_notices(void);
/* Blocks SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGCHLD and ignores SIGPIPE for the process. */
int bp_loop_open(struct bp_loop *loop, struct bp_error *err) BP_MUST_CHECK;
void bp_loop_close(struct bp_loop *loop);

int bp_loop_watch(struct bp_loop *loop, struct bp_watch *watch, uint32_t events,
                  struct bp_error *err) BP_MUST_CHECK;
void bp_loop_unwatch(struct bp_loop *loop, struct bp_watch *watch);

/* (Re)starts a timer. */
int bp_loop_start_timer(struct bp_loop *loop, struct bp_timer *timer, uint64_t deadline_ns,
                        struct bp_error *err) BP_MUST_CHECK;
void bp_loop_stop_timer(struct bp_loop *loop, struct bp_timer *timer);

/* Waits for the next event or timer, delivers everything that is due, returns. A time in which this
 * process did not run (it was stopped, the machine suspended) counts for no timer. */
int bp_loop_step(struct bp_loop *loop, struct bp_error *err) BP_MUST_CHECK;

#endif
