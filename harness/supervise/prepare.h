/* prepare.h: the prepare child, which makes inputs and references and never sees a candidate, and the
 * queue of what it is to do. One order at a time, in the order they came.
 *
 * A child that dies or fails is replaced, after a pause that grows from 50 ms to 5 s; what it made lies
 * in the arenas, and orders only write what their keys say, so the order it was at is given again. When
 * an order has cost three children, or three could not be started for it, it fails, and with it all
 * that were waiting behind it; the next order starts afresh. */
#ifndef BP_HARNESS_SUPERVISE_PREPARE_H
#define BP_HARNESS_SUPERVISE_PREPARE_H

#include "harness/supervise/child.h"
#include "harness/supervise/settings.h"

struct bp_prepare; /* opaque */

/* Called from the loop when an order is done; err is null on success. */
typedef void (*bp_prepare_done)(void *context, const struct bp_error *err);

struct bp_prepare_order {
    enum bp_message_type type; /* make_request or fill_request */
    const void *message;       /* copied */
    int fds[2];                /* borrowed until the order is done */
    uint32_t fd_count;
    bp_prepare_done done;
    void *context;
};

struct bp_prepare_options {
    struct bp_child_settings children;
    int masters_fd, references_fd; /* borrowed for the life of the queue */
    uint64_t masters_bytes, references_bytes;
};

/* Starts a first child, or arranges to try again. */
int bp_prepare_start(const struct bp_prepare_options *options, struct bp_prepare **prepare,
                     struct bp_error *err) BP_MUST_CHECK;
/* Kills the child and forgets every order; no `done` is called. *prepare becomes null. */
void bp_prepare_stop(struct bp_prepare **prepare);

/* Queues an order. */
int bp_prepare_add(struct bp_prepare *prepare, const struct bp_prepare_order *order,
                   struct bp_error *err) BP_MUST_CHECK;

/* Calls no `done` with this context any more; the orders themselves are still carried out. */
void bp_prepare_forget(struct bp_prepare *prepare, const void *context);

/* Milliseconds spent on orders so far, the one at work included. */
double bp_prepare_busy_ms(const struct bp_prepare *prepare);

#endif
