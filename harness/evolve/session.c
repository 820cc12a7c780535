#include "harness/evolve/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/persist.h"
#include "harness/evolve/retry.h"
#include "harness/evolve/roll_call.h"
#include "harness/evolve/waiting.h"
#include "harness/supervise/canary.h"
#include "harness/supervise/policies.h"

#define CLOSE_TIMEOUT_NS 2000000000u

void bp_session_now(struct bp_session *session, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(session->activity, sizeof session->activity, fmt, args);
    va_end(args);
}

/* ---- opening ---- */

const struct bp_session_device *bp_session_device(const struct bp_session *session)
{
    return &session->slots.list[session->slots.current].device;
}

static enum bp_device_class class_of(const struct bp_session *session)
{
    return bp_device_kind_class(bp_session_device(session)->parsed.kind);
}

/* Beyond the last cache of any GPU there is. What an emulator needs for a call is in no cache, and every
 * byte of it is made for each batch. */
static uint64_t ring_bytes_for(const struct bp_session *session)
{
    switch (class_of(session)) {
    case BP_DEVICE_CLASS_GPU:
        return (uint64_t)512 << 20;
    case BP_DEVICE_CLASS_EMULATED:
        return (uint64_t)1 << 18;
    case BP_DEVICE_CLASS_CPU:
        break;
    }
    return 2 * session->host.cache_bytes;
}

static int resolve_suite(struct bp_session *session, struct bp_error *err)
{
    if (bp_suite_find(session->config->suite, class_of(session), &session->suite, err) < 0)
        return -1;
    for (uint32_t i = 0; i < session->suite.case_count; i++) {
        const struct bp_shape *shape = &session->suite.cases[i].shape;
        if (session->config->source && !bp_kernel_head_supports(&session->config->head, shape))
            return bp_fail(err, BP_ERR_USAGE,
                           "kernel %s does not support shape %s of suite %s (its 'supports': %s)",
                           session->config->head.name, shape->name, session->suite.name,
                           bp_expression_text(session->config->head.supports));
    }
    return 0;
}

static void apply_limits(struct bp_session *session)
{
    const struct bp_config *config = session->config;
    session->threads = config->threads ? config->threads : session->host.processors;
    session->parallel = config->parallel ? config->parallel : session->host.processors;
    if (session->parallel > BP_MAX_LANES)
        session->parallel = BP_MAX_LANES;
    session->children = (struct bp_child_settings){
        .loop = &session->loop,
        .worker_path = session->worker_path,
        .compile_ms = config->limits.compile_s * 1e3,
        .run_ms = config->limits.run_s * 1e3,
        .judge_ms = config->limits.judge_s * 1e3,
        .prepare_ms = config->limits.prepare_s * 1e3,
        .memory_bytes = (uint64_t)config->limits.memory_mb << 20,
        .workspace_max_bytes = (uint64_t)config->limits.workspace_mb << 20,
        .log_max_bytes = (size_t)config->limits.log_kb << 10,
    };
    session->ring_bytes =
        config->timing.ring_mb ? (uint64_t)config->timing.ring_mb << 20 : ring_bytes_for(session);
    session->timing = (struct bp_timing_options){.batch_ms = config->timing.batch_ms,
                                                 .warmup_batches = config->timing.warmup_batches,
                                                 .batches = config->timing.batches,
                                                 .limit_ms = config->limits.time_s * 1e3};
}

/* A part of the opening. */
struct opening {
    struct bp_session *session;
    const struct bp_key *run_key;
    uint32_t index; /* of the case whose masters are made */
};

/* Does a part again while it fails for what may pass, as candidates are tried again. */
static int insist(struct opening *opening,
                  int (*part)(struct opening *opening, struct bp_error *err), struct bp_error *err)
{
    uint32_t attempts = opening->session->config->retry.attempts;
    for (uint32_t retry = 1; part(opening, err) < 0; retry++) {
        if (!bp_persist_is_worth(err) || retry >= attempts)
            return -1;
        bp_log(BP_LOG_WARNING, "session", "%s; trying again", err->msg);
        if (bp_retry_back_off(opening->session, retry, err) < 0)
            return -1;
    }
    return 0;
}

static int open_bench(struct opening *opening, struct bp_error *err)
{
    struct bp_session *session = opening->session;
    struct bp_bench_options options = {
        .children = session->children,
        .suite = &session->suite,
        .dtype = session->dtype,
        .threads = session->threads,
        .lanes = session->parallel,
        .ring_bytes = session->ring_bytes,
        .ceilings = session->ceilings,
        .run_key = *opening->run_key,
    };
    const struct bp_session_device *device = bp_session_device(session);
    options.kind = device->parsed.kind;
    memcpy(options.device, device->name, sizeof options.device);
    memcpy(options.arch, device->arch, sizeof options.arch);
    return bp_bench_open(&options, &session->bench, err);
}

static int make_masters(struct opening *opening, struct bp_error *err)
{
    struct bp_session *session = opening->session;
    struct bp_orders orders = {.left = 1};
    if (bp_bench_make(session->bench, opening->index, bp_orders_done, &orders, err) < 0 ||
        bp_waiting_orders(session, &orders, err) < 0)
        return -1;
    if (!orders.failed)
        return 0;
    *err = orders.err;
    return -1;
}

static int prepare_masters(struct bp_session *session, struct bp_error *err)
{
    bp_session_now(session, "preparing inputs and references");
    for (uint32_t i = 0; i < session->suite.case_count; i++) {
        struct opening opening = {.session = session, .index = i};
        if (insist(&opening, make_masters, err) < 0)
            return -1;
        if (session->callbacks.prepared)
            session->callbacks.prepared(session->callbacks.context, i + 1,
                                        session->suite.case_count);
    }
    return 0;
}

int bp_session_dtype(const struct bp_config *config, enum bp_dtype *dtype, struct bp_error *err)
{
    if (!bp_dtype_parse(config->dtype, dtype))
        return bp_fail(err, BP_ERR_USAGE, "unknown dtype '%s' (valid: f16, bf16, f32)",
                       config->dtype);
    if (config->source && !config->head.dtypes[*dtype])
        return bp_fail(err, BP_ERR_USAGE, "kernel %s does not declare dtype %s", config->head.name,
                       config->dtype);
    return 0;
}

int bp_session_init(struct bp_session *session, const struct bp_config *config,
                    const struct bp_session_callbacks *callbacks, struct bp_error *err)
{
    memset(session, 0, sizeof *session);
    session->loop.epoll_fd = session->loop.signal_fd = -1;
    bp_guard_open(session);
    session->config = config;
    session->callbacks = *callbacks;
    bp_host_describe(&session->host);
    if (bp_session_dtype(config, &session->dtype, err) < 0)
        return -1;
    struct bp_device_asker asker = {bp_device_ask, session->worker_path};
    if (bp_launch_find_worker(session->worker_path, sizeof session->worker_path, err) < 0 ||
        bp_session_devices_choose(config, &session->host, &asker, &session->slots, err) < 0 ||
        resolve_suite(session, err) < 0)
        return -1;
    apply_limits(session);
    return 0;
}

/* Fails closed: with a hole in it nothing is evaluated, unless the user takes that upon himself. */
static int check_sandbox(struct bp_session *session, struct bp_error *err)
{
    struct bp_canary_report report;
    if (bp_canary_run(&session->children, bp_policies_used(bp_session_device(session)->parsed.kind),
                      &report, err) < 0)
        return -1;
    return bp_canary_insist(&report, session->config->sandbox_require,
                            session->config->allow_degraded, err);
}

static int open_loop(void *loop, struct bp_error *err)
{
    return bp_loop_open(loop, err);
}

int bp_session_open(struct bp_session *session, const struct bp_key *run_key, struct bp_error *err)
{
    char layers[BP_TEXT_LINE];
    if (bp_launch_prepare_supervisor(layers, sizeof layers, err) < 0)
        return -1;
    bp_log(BP_LOG_INFO, "session", "namespaces for children: %s", layers);
    if (class_of(session) == BP_DEVICE_CLASS_CPU)
        bp_ceilings_obtain(&session->host, session->threads, &session->ceilings);
    const struct bp_session_callbacks *callbacks = &session->callbacks;
    struct opening opening = {.session = session, .run_key = run_key};
    if (bp_persist("session", open_loop, &session->loop, err) < 0 ||
        (callbacks->opened && callbacks->opened(callbacks->context, err) < 0) ||
        check_sandbox(session, err) < 0 || bp_roll_call(session, err) < 0 ||
        insist(&opening, open_bench, err) < 0 || prepare_masters(session, err) < 0) {
        bp_session_close(session);
        return -1;
    }
    return 0;
}

void bp_session_close(struct bp_session *session)
{
    struct bp_error err;
    for (uint32_t i = 0; i < BP_MAX_LANES; i++)
        bp_spare_release(&session->spares[i]);
    bp_object_cache_empty(&session->objects);
    bp_bench_close(&session->bench);
    uint64_t give_up = bp_clock_ns() + CLOSE_TIMEOUT_NS;
    while (session->loop.epoll_fd >= 0 && session->loop.child_count > 0 && bp_clock_ns() < give_up)
        if (bp_loop_step(&session->loop, &err) < 0)
            break;
    bp_loop_close(&session->loop);
    bp_launch_close_supervisor();
    bp_guard_close(session);
}

void bp_session_position(const struct bp_session *session, struct bp_secret_position *position)
{
    bp_bench_position(session->bench, position);
    position->evaluation = session->evaluations + 1;
    position->draws = session->draws;
    position->matches = session->matches;
}

void bp_session_seek(struct bp_session *session, const struct bp_secret_position *position)
{
    bp_bench_seek(session->bench, position);
    session->evaluations = position->evaluation - 1;
    session->draws = position->draws;
    session->matches = position->matches;
}

void bp_session_name_device(const struct bp_session *session, struct bp_evaluation *evaluation)
{
    const struct bp_session_device *device = bp_session_device(session);
    memcpy(evaluation->device_name, device->title, sizeof evaluation->device_name);
    memcpy(evaluation->device_kind, device->name, sizeof evaluation->device_kind);
    memcpy(evaluation->device_arch, device->arch, sizeof evaluation->device_arch);
}

void bp_session_describe(const struct bp_session *session, struct bp_evaluation *evaluation)
{
    evaluation->dtype = session->dtype;
    bp_session_name_device(session, evaluation);
    memcpy(evaluation->suite, session->suite.name, sizeof evaluation->suite);
}
