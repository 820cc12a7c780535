#include "harness/supervise/prepare.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#define ORDER_TRIES 3
#define FIRST_PAUSE_MS 50.0
#define LONGEST_PAUSE_MS 5000.0

struct order {
    struct bp_prepare_order what; /* `done` null: nobody wants to know */
    void *message;                /* owned; what.message */
    uint32_t tries;               /* children it has cost */
    struct order *next;
};

struct bp_prepare {
    struct bp_prepare_options options;
    struct bp_child *child; /* null between a child and the next */
    bool ready;             /* it has its arenas */
    bool sent;              /* the first order is being worked on */
    struct bp_timer restart;
    double pause_ms; /* before the next restart; 0: the last order went well */
    struct order *first, *last;
    uint64_t sent_ns;
    double busy_ms;
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

/* Those that are there now: `done` may add more. */
static void fail_all(struct bp_prepare *prepare, const struct bp_error *why)
{
    uint32_t count = 0;
    for (struct order *order = prepare->first; order; order = order->next)
        count++;
    while (count-- > 0)
        end_first(prepare, why);
}

static void start_later(struct bp_prepare *prepare, const struct bp_error *why)
{
    struct bp_error err;
    double pause_ms = 2 * prepare->pause_ms;
    if (pause_ms < FIRST_PAUSE_MS)
        pause_ms = FIRST_PAUSE_MS;
    prepare->pause_ms = pause_ms < LONGEST_PAUSE_MS ? pause_ms : LONGEST_PAUSE_MS;
    bp_log(BP_LOG_WARNING, "prepare", "%s; another child in %.0f ms", why->msg, prepare->pause_ms);
    if (bp_loop_start_timer(prepare->options.children.loop, &prepare->restart,
                            bp_clock_ns() + (uint64_t)(prepare->pause_ms * 1e6), &err) < 0)
        fail_all(prepare, &err); /* the next order tries to start one */
}

/* The child is of no use any more. */
static void give_up_child(struct bp_prepare *prepare, const struct bp_error *why)
{
    bp_child_release(&prepare->child);
    prepare->busy_ms = bp_prepare_busy_ms(prepare);
    prepare->ready = prepare->sent = false;
    start_later(prepare, why);
    if (prepare->first && ++prepare->first->tries >= ORDER_TRIES)
        fail_all(prepare, why);
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
                         prepare->options.children.prepare_ms, &err) < 0)
        give_up_child(prepare, &err);
}

static int tell_arenas(struct bp_prepare *prepare, struct bp_error *err)
{
    const struct bp_prepare_options *options = &prepare->options;
    struct bp_msg_arenas_request request = {options->masters_bytes, options->references_bytes};
    int fds[2] = {options->masters_fd, options->references_fd};
    return bp_child_request(prepare->child, BP_MESSAGE_arenas_request, &request, fds, 2,
                            options->children.prepare_ms, err);
}

static void take_result(struct bp_prepare *prepare)
{
    prepare->busy_ms = bp_prepare_busy_ms(prepare);
    prepare->sent = false;
    prepare->pause_ms = 0;
    end_first(prepare, NULL);
}

static void prepare_answer(void *context, struct bp_child *child, enum bp_message_type type,
                           const void *message)
{
    struct bp_prepare *prepare = context;
    struct bp_error err;
    (void)child;
    switch (type) {
    case BP_MESSAGE_failure:
        bp_fail(&err, BP_ERR_UNAVAILABLE, "prepare child: %.400s",
                ((const struct bp_msg_failure *)message)->message);
        give_up_child(prepare, &err);
        return;
    case BP_MESSAGE_ready:
        if (tell_arenas(prepare, &err) < 0)
            give_up_child(prepare, &err);
        return;
    case BP_MESSAGE_arenas_result:
        prepare->ready = true;
        break;
    default:
        take_result(prepare);
    }
    work(prepare);
}

static void prepare_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_prepare *prepare = context;
    struct bp_error err;
    bp_fail(&err, BP_ERR_UNAVAILABLE, "the prepare child ended (%.100s, status %d): %.200s",
            end->text[0] ? end->text : "by itself", end->wait_status, bp_child_log(child));
    give_up_child(prepare, &err);
}

static const struct bp_child_handlers handlers = {prepare_answer, prepare_ended};

static void start_child(void *context)
{
    struct bp_prepare *prepare = context;
    struct bp_error err;
    const struct bp_child_settings *settings = &prepare->options.children;
    struct bp_child_options options = {
        .loop = settings->loop,
        .worker_path = settings->worker_path,
        .stage = "prepare",
        .policy = BP_POLICY_PREPARE,
        .limits = {.cpu_s = UINT32_MAX}, /* it serves the whole run; each order has its deadline */
        .log_max_bytes = settings->log_max_bytes,
        .handlers = &handlers,
        .context = prepare,
    };
    if (bp_child_start(&options, &prepare->child, &err) < 0)
        give_up_child(prepare, &err);
}

int bp_prepare_start(const struct bp_prepare_options *options, struct bp_prepare **slot,
                     struct bp_error *err)
{
    struct bp_prepare *prepare = calloc(1, sizeof *prepare);
    if (!prepare)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the queue of prepare");
    prepare->options = *options;
    prepare->restart = (struct bp_timer){.expired = start_child, .context = prepare};
    start_child(prepare);
    *slot = prepare;
    return 0;
}

void bp_prepare_stop(struct bp_prepare **slot)
{
    struct bp_prepare *prepare = *slot;
    if (!prepare)
        return;
    bp_loop_stop_timer(prepare->options.children.loop, &prepare->restart);
    bp_child_release(&prepare->child);
    while (prepare->first)
        free_order(take_first(prepare));
    free(prepare);
    *slot = NULL;
}

int bp_prepare_add(struct bp_prepare *prepare, const struct bp_prepare_order *what,
                   struct bp_error *err)
{
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
    if (!prepare->child && prepare->restart.heap_index == 0)
        start_child(prepare);
    else
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
    double begun_ms = prepare->sent ? bp_ns_to_ms(bp_clock_ns() - prepare->sent_ns) : 0;
    return prepare->busy_ms + begun_ms;
}
