/* prepare.h: the prepare child, which makes inputs and references and never sees a candidate, and the
 * queue of what it is to do. One order at a time, in the order they came. */
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

int bp_prepare_start(const struct bp_child_settings *settings, struct bp_prepare **prepare,
                     struct bp_error *err) BP_MUST_CHECK;
/* Kills the child and forgets every order; no `done` is called. *prepare becomes null. */
void bp_prepare_stop(struct bp_prepare **prepare);

/* Queues an order. Once the child has failed every order fails with its error. */
int bp_prepare_add(struct bp_prepare *prepare, const struct bp_prepare_order *order,
                   struct bp_error *err) BP_MUST_CHECK;

/* Calls no `done` with this context any more; the orders themselves are still carried out. */
void bp_prepare_forget(struct bp_prepare *prepare, const void *context);

/* Milliseconds spent on orders so far. */
double bp_prepare_busy_ms(const struct bp_prepare *prepare);

#endif
