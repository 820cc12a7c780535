#include "harness/evolve/waiting.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"

#define WAIT_POLL_MS 1.0

static int check_stop(struct bp_session *session, struct bp_error *err)
{
    if (session->loop.stop_signal == 0)
        return 0;
    return bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s",
                   sigabbrev_np(session->loop.stop_signal));
}

int bp_waiting_step(struct bp_session *session, struct bp_error *err)
{
    return bp_loop_step(&session->loop, err) < 0 ? -1 : check_stop(session, err);
}

static void wake(void *context)
{
    *(bool *)context = true;
}

int bp_waiting_pause(struct bp_session *session, double ms, struct bp_error *err)
{
    bool over = false;
    struct bp_timer timer = {.expired = wake, .context = &over};
    if (bp_loop_start_timer(&session->loop, &timer, bp_clock_ns() + (uint64_t)(ms * 1e6), err) < 0)
        return -1;
    int result = 0;
    while (!over && result == 0)
        result = bp_waiting_step(session, err);
    bp_loop_stop_timer(&session->loop, &timer);
    return result;
}

int bp_session_wait(struct bp_session *session, bool (*ready)(void *context), void *context,
                    struct bp_error *err)
{
    while (!ready(context))
        if (bp_waiting_pause(session, WAIT_POLL_MS, err) < 0)
            return -1;
    return 0;
}

void bp_orders_done(void *context, const struct bp_error *err)
{
    struct bp_orders *orders = context;
    orders->left--;
    if (!err || orders->failed)
        return;
    orders->failed = true;
    orders->err = *err;
}

int bp_waiting_orders(struct bp_session *session, struct bp_orders *orders, struct bp_error *err)
{
    while (orders->left > 0) {
        if (bp_waiting_step(session, err) == 0)
            continue;
        bp_bench_forget(session->bench, orders);
        return -1;
    }
    return 0;
}
