#include "harness/supervise/stopwatch.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/weaken.h"

#define ROW_MAX_BYTES (BP_MAX_HEAD_DIM * sizeof(float))
#define MAX_UNDERCUTS 3

int bp_sample_arena(struct bp_error *err)
{
    return bp_io_memfd("sample", ROW_MAX_BYTES, err);
}

void bp_stopwatch_open(struct bp_stopwatch *watch)
{
    const struct bp_bench_options *bench = bp_bench_options(watch->bench);
    for (uint32_t i = 0; i < bench->suite->timed_count; i++) {
        watch->calls[i] = 1;
        watch->floor_ms[i] =
            bp_ceilings_floor_ms(&bench->ceilings, &bench->suite->timed[i], bench->dtype);
    }
}

enum bp_floor bp_stopwatch_check_floor(struct bp_stopwatch *watch, double per_call_ms,
                                       struct bp_outcome *outcome)
{
    double floor_ms = watch->floor_ms[watch->timed];
    if (per_call_ms >= floor_ms || bp_weakened(BP_DEFENCE_floor)) {
        watch->undercuts = 0;
        return BP_FLOOR_KEPT;
    }
    if (++watch->undercuts < MAX_UNDERCUTS)
        return BP_FLOOR_AGAIN;
    outcome->verdict = BP_VERDICT_TAMPER;
    snprintf(outcome->message, sizeof outcome->message,
             "impossible time: %.3g ms a call, the floor of this machine is %.3g ms", per_call_ms,
             floor_ms);
    return BP_FLOOR_IMPOSSIBLE;
}

void bp_stopwatch_set_calls(struct bp_stopwatch *watch, uint32_t timed, double per_call_ms)
{
    double calls = ceil(watch->batch_ms / fmax(per_call_ms, 1e-6));
    double slots = bp_bench_timed(watch->bench, timed)->slots;
    watch->calls[timed] = (uint32_t)fmin(fmax(calls, 1), slots);
}

static int ask(struct bp_stopwatch *watch, struct bp_error *err)
{
    uint32_t timed = watch->timed;
    struct bp_msg_batch_request request = {
        .timed = timed, .calls = watch->calls[timed], .first_slot = watch->next_slot[timed]};
    if (bp_child_is_ending(watch->child))
        return 0; /* killed for something it did before it was frozen: `ended` has the verdict */
    if (bp_child_thaw(watch->child, err) < 0)
        return -1;
    watch->timeout_ms = fmin(bp_bench_options(watch->bench)->children.run_ms,
                             fmax(watch->limit_ms - watch->spent_ms, 1));
    return bp_child_request(watch->child, BP_MESSAGE_batch_request, &request, NULL, 0,
                            watch->timeout_ms, err);
}

static void filled(void *context, const struct bp_error *why)
{
    struct bp_stopwatch *watch = context;
    struct bp_error err;
    watch->prepared_ms += bp_bench_prepare_ms(watch->bench) - watch->prepared_before_ms;
    if (why)
        watch->failed(watch->context, why);
    else if (ask(watch, &err) < 0)
        watch->failed(watch->context, &err);
}

bool bp_stopwatch_is_used_up(const struct bp_stopwatch *watch, bool at_deadline,
                             struct bp_outcome *outcome)
{
    double spent_ms = watch->spent_ms + (at_deadline ? watch->timeout_ms : 0);
    if (spent_ms == 0 || spent_ms < watch->limit_ms)
        return false;
    outcome->verdict = BP_VERDICT_RUN_TIMEOUT;
    snprintf(outcome->message, sizeof outcome->message,
             "timed calls took longer than %.3g s in all", watch->limit_ms / 1e3);
    return true;
}

int bp_stopwatch_start(struct bp_stopwatch *watch, uint32_t timed, struct bp_error *err)
{
    watch->timed = timed;
    watch->prepared_before_ms = bp_bench_prepare_ms(watch->bench);
    if (bp_child_freeze(watch->child, err) < 0)
        return -1;
    return bp_bench_fill_batch(watch->bench, timed, watch->side, watch->next_slot[timed],
                               watch->calls[timed], filled, watch, err);
}

int bp_stopwatch_stop(struct bp_stopwatch *watch, double *per_call_ms,
                      struct bp_msg_sample_request *sample, struct bp_error *err)
{
    char row[ROW_MAX_BYTES];
    uint32_t timed = watch->timed;
    uint32_t calls = watch->calls[timed], first = watch->next_slot[timed];
    if (bp_bench_sample(watch->bench, timed, watch->side, first, calls, (*watch->draws)++, row,
                        sample, err) < 0)
        return -1;
    uint64_t stopped = bp_clock_ns();
    if (bp_child_freeze(watch->child, err) < 0)
        return -1;
    double batch_ms = bp_ns_to_ms(stopped - bp_child_requested_ns(watch->child));
    *per_call_ms = batch_ms / calls;
    watch->spent_ms += batch_ms;
    watch->next_slot[timed] = (first + calls) % bp_bench_timed(watch->bench, timed)->slots;
    size_t row_bytes = sample->shape.head_dim * bp_dtype_size((enum bp_dtype)sample->dtype);
    if (pwrite(watch->sample_fd, row, row_bytes, 0) != (ssize_t)row_bytes)
        return bp_fail_errno(err, "cannot keep a sample");
    return 0;
}

void bp_stopwatch_close(struct bp_stopwatch *watch)
{
    if (watch->bench)
        bp_bench_forget(watch->bench, watch);
}
