#include "harness/supervise/prepare.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"

struct order {
    struct bp_prepare_order what; /* `done` null: nobody wants to know */
    void *message;                /* owned; what.message */
    struct order *next;
};

struct bp_prepare {
    struct bp_child *child;
    double timeout_ms;
    bool ready;
    bool sent; /* the first order is being worked on */
    struct order *first, *last;
    uint64_t sent_ns;
    double busy_ms;
    struct bp_error failure;
    bool failed;
};

static void free_order(struct order *order)
{
    free(order->message);
    free(order);
}

static struct order *take_first(struct bp_prepare *prepare)
{
    struct order *order = prepare->first;
    prepare->first = order->next;
    if (!prepare->first)
        prepare->last = NULL;
    return order;
}

static void end_first(struct bp_prepare *prepare, const struct bp_error *err)
{
    struct order *order = take_first(prepare);
    if (order->what.done)
        order->what.done(order->what.context, err);
    free_order(order);
}

static void fail_all(struct bp_prepare *prepare, const struct bp_error *why)
{
    if (!prepare->failed)
        prepare->failure = *why;
    prepare->failed = true;
    prepare->sent = false;
    while (prepare->first)
        end_first(prepare, &prepare->failure);
}

static void work(struct bp_prepare *prepare)
{
    struct bp_error err;
    if (!prepare->ready || prepare->sent || !prepare->first)
        return;
    const struct bp_prepare_order *what = &prepare->first->what;
    prepare->sent = true;
    prepare->sent_ns = bp_clock_ns();
    if (bp_child_request(prepare->child, what->type, what->message, what->fds, what->fd_count,
                         prepare->timeout_ms, &err) < 0)
        fail_all(prepare, &err);
}

static void prepare_answer(void *context, struct bp_child *child, enum bp_message_type type,
                           const void *message)
{
    struct bp_prepare *prepare = context;
    struct bp_error err;
    (void)child;
    if (type == BP_MESSAGE_failure) {
        const struct bp_msg_failure *failure = message;
        bp_fail(&err, BP_ERR_UNAVAILABLE, "prepare child: %s", failure->message);
        fail_all(prepare, &err);
        return;
    }
    if (type == BP_MESSAGE_ready) {
        prepare->ready = true;
    } else {
        prepare->busy_ms += bp_ns_to_ms(bp_clock_ns() - prepare->sent_ns);
        prepare->sent = false;
        end_first(prepare, NULL);
    }
    work(prepare);
}

static void prepare_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_prepare *prepare = context;
    struct bp_error err;
    bp_fail(&err, BP_ERR_UNAVAILABLE, "the prepare child ended (%s, status %d): %.200s",
            end->text[0] ? end->text : "by itself", end->wait_status, bp_child_log(child));
    bp_child_release(&prepare->child);
    fail_all(prepare, &err);
}

static const struct bp_child_handlers handlers = {prepare_answer, prepare_ended};

int bp_prepare_start(const struct bp_child_settings *settings, struct bp_prepare **slot,
                     struct bp_error *err)
{
    struct bp_prepare *prepare = bp_fault_calloc(1, sizeof *prepare);
    if (!prepare)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the queue of prepare");
    prepare->timeout_ms = settings->prepare_ms;
    struct bp_child_options options = {
        .loop = settings->loop,
        .worker_path = settings->worker_path,
        .stage = "prepare",
        .policy = BP_POLICY_PREPARE,
        .log_max_bytes = settings->log_max_bytes,
        .handlers = &handlers,
        .context = prepare,
    };
    if (bp_child_start(&options, &prepare->child, err) < 0) {
        free(prepare);
        return -1;
    }
    *slot = prepare;
    return 0;
}

void bp_prepare_stop(struct bp_prepare **slot)
{
    struct bp_prepare *prepare = *slot;
    if (!prepare)
        return;
    bp_child_release(&prepare->child);
    while (prepare->first)
        free_order(take_first(prepare));
    free(prepare);
    *slot = NULL;
}

int bp_prepare_add(struct bp_prepare *prepare, const struct bp_prepare_order *what,
                   struct bp_error *err)
{
    if (prepare->failed) {
        *err = prepare->failure;
        return -1;
    }
    size_t size = bp_message_size(what->type);
    struct order *order = bp_fault_calloc(1, sizeof *order);
    void *message = bp_fault_malloc(size);
    if (!order || !message) {
        free(order);
        free(message);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an order");
    }
    memcpy(message, what->message, size);
    order->what = *what;
    order->what.message = order->message = message;
    if (prepare->last)
        prepare->last->next = order;
    else
        prepare->first = order;
    prepare->last = order;
    work(prepare);
    return 0;
}

void bp_prepare_forget(struct bp_prepare *prepare, const void *context)
{
    for (struct order *order = prepare->first; order; order = order->next)
        if (order->what.context == context)
            order->what.done = NULL;
}

double bp_prepare_busy_ms(const struct bp_prepare *prepare)
{
    return prepare->busy_ms;
}
