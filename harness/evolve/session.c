#include "harness/evolve/session.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/supervise/canary.h"
#include "harness/supervise/compile_job.h"

#define PREPARE_TIMEOUT_MS 120000.0
#define CLOSE_TIMEOUT_NS 2000000000u
#define WAIT_POLL_MS 1.0

/* ---- running the loop until something holds ---- */

static int check_stop(struct bp_session *session, struct bp_error *err)
{
    if (session->loop.stop_signal == 0)
        return 0;
    return bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s",
                   sigabbrev_np(session->loop.stop_signal));
}

static int step(struct bp_session *session, struct bp_error *err)
{
    return bp_loop_step(&session->loop, err) < 0 ? -1 : check_stop(session, err);
}

struct wait {
    uint32_t left;
    bool failed;
    struct bp_error err;
};

static void order_done(void *context, const struct bp_error *err)
{
    struct wait *wait = context;
    wait->left--;
    if (err && !wait->failed) {
        wait->failed = true;
        wait->err = *err;
    }
}

static int wait_for(struct bp_session *session, struct wait *wait, struct bp_error *err)
{
    while (wait->left > 0 && !wait->failed)
        if (step(session, err) < 0)
            return -1;
    if (wait->failed)
        *err = wait->err;
    return wait->failed ? -1 : 0;
}

static void wake(void *context)
{
    struct wait *wait = context;
    wait->left = 0;
}

/* Serves events for a while. */
static int pause_for(struct bp_session *session, double ms, struct bp_error *err)
{
    struct wait wait = {.left = 1};
    struct bp_timer timer = {.expired = wake, .context = &wait};
    if (bp_loop_start_timer(&session->loop, &timer, bp_clock_ns() + (uint64_t)(ms * 1e6), err) < 0)
        return -1;
    int result = wait_for(session, &wait, err);
    bp_loop_stop_timer(&session->loop, &timer);
    return result;
}

int bp_session_wait(struct bp_session *session, bool (*ready)(void *context), void *context,
                    struct bp_error *err)
{
    while (!ready(context))
        if (pause_for(session, WAIT_POLL_MS, err) < 0)
            return -1;
    return 0;
}

/* ---- opening ---- */

static int resolve_device(struct bp_session *session, struct bp_error *err)
{
    const char *device = session->config->device;
    if (strcmp(device, "auto") != 0 && strcmp(device, "cpu") != 0)
        return bp_fail(err, BP_ERR_USAGE,
                       "device '%s' cannot be used by this build (valid: auto, cpu)", device);
    snprintf(session->device, sizeof session->device, "cpu");
    snprintf(session->arch, sizeof session->arch, "native");
    return bp_host_check_compiler(err);
}

static int resolve_suite(struct bp_session *session, struct bp_error *err)
{
    if (bp_suite_find(session->config->suite, BP_DEVICE_CLASS_CPU, &session->suite, err) < 0)
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
        .prepare_ms = PREPARE_TIMEOUT_MS,
        .memory_bytes = (uint64_t)config->limits.memory_mb << 20,
        .workspace_max_bytes = (uint64_t)config->limits.workspace_mb << 20,
        .log_max_bytes = (size_t)config->limits.log_kb << 10,
    };
    session->ring_bytes = config->timing.ring_mb ? (uint64_t)config->timing.ring_mb << 20
                                                 : 2 * session->host.cache_bytes;
    session->timing = (struct bp_timing_options){.batch_ms = config->timing.batch_ms,
                                                 .warmup_batches = config->timing.warmup_batches,
                                                 .batches = config->timing.batches};
}

static int open_bench(struct bp_session *session, const struct bp_key *run_key,
                      struct bp_error *err)
{
    struct bp_bench_options options = {
        .children = session->children,
        .suite = &session->suite,
        .dtype = session->dtype,
        .threads = session->threads,
        .lanes = session->parallel,
        .ring_bytes = session->ring_bytes,
        .run_key = *run_key,
    };
    memcpy(options.device, session->device, sizeof options.device);
    memcpy(options.arch, session->arch, sizeof options.arch);
    return bp_bench_open(&options, &session->bench, err);
}

static int prepare_masters(struct bp_session *session, struct bp_error *err)
{
    for (uint32_t i = 0; i < session->suite.case_count; i++) {
        struct wait wait = {.left = 1};
        if (bp_bench_make(session->bench, i, order_done, &wait, err) < 0 ||
            wait_for(session, &wait, err) < 0)
            return -1;
        if (session->callbacks.prepared)
            session->callbacks.prepared(session->callbacks.context, i + 1,
                                        session->suite.case_count);
    }
    return 0;
}

int bp_session_init(struct bp_session *session, const struct bp_config *config,
                    const struct bp_session_callbacks *callbacks, struct bp_error *err)
{
    memset(session, 0, sizeof *session);
    session->loop.epoll_fd = session->loop.signal_fd = -1;
    session->config = config;
    session->callbacks = *callbacks;
    bp_host_describe(&session->host);
    if (!bp_dtype_parse(config->dtype, &session->dtype))
        return bp_fail(err, BP_ERR_USAGE, "unknown dtype '%s' (valid: f16, bf16, f32)",
                       config->dtype);
    if (config->source && !config->head.dtypes[session->dtype])
        return bp_fail(err, BP_ERR_USAGE, "kernel %s does not declare dtype %s", config->head.name,
                       config->dtype);
    if (resolve_device(session, err) < 0 || resolve_suite(session, err) < 0 ||
        bp_launch_find_worker(session->worker_path, sizeof session->worker_path, err) < 0)
        return -1;
    apply_limits(session);
    return 0;
}

/* Fails closed: with a hole in it nothing is evaluated, unless the user takes that upon himself. */
static int check_sandbox(struct bp_session *session, struct bp_error *err)
{
    struct bp_canary_report report;
    if (bp_canary_run(&session->children, &report, err) < 0)
        return -1;
    bp_log(BP_LOG_INFO, "session", "canary: %u children in %.0f ms", report.children,
           report.spent_ms);
    if (bp_canary_require(&report, err) == 0)
        return 0;
    if (!session->config->allow_degraded)
        return bp_fail_within(err, "refusing to start (--allow-degraded does all the same)");
    bp_log(BP_LOG_ERROR, "session", "DEGRADED: %s; kernels may escape", err->msg);
    return 0;
}

int bp_session_open(struct bp_session *session, const struct bp_key *run_key, struct bp_error *err)
{
    char layers[BP_TEXT_LINE];
    if (bp_launch_prepare_supervisor(layers, sizeof layers, err) < 0)
        return -1;
    bp_log(BP_LOG_INFO, "session", "namespaces for children: %s", layers);
    if (bp_loop_open(&session->loop, err) < 0 || check_sandbox(session, err) < 0 ||
        open_bench(session, run_key, err) < 0 || prepare_masters(session, err) < 0) {
        bp_session_close(session);
        return -1;
    }
    return 0;
}

void bp_session_close(struct bp_session *session)
{
    struct bp_error err;
    bp_bench_close(&session->bench);
    uint64_t give_up = bp_clock_ns() + CLOSE_TIMEOUT_NS;
    while (session->loop.epoll_fd >= 0 && session->loop.child_count > 0 && bp_clock_ns() < give_up)
        if (bp_loop_step(&session->loop, &err) < 0)
            break;
    bp_loop_close(&session->loop);
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

void bp_session_describe(const struct bp_session *session, struct bp_evaluation *evaluation)
{
    evaluation->dtype = session->dtype;
    memcpy(evaluation->device_name, session->host.cpu_name, sizeof evaluation->device_name);
    memcpy(evaluation->device_kind, session->device, sizeof evaluation->device_kind);
    memcpy(evaluation->device_arch, session->arch, sizeof evaluation->device_arch);
    memcpy(evaluation->suite, session->suite.name, sizeof evaluation->suite);
}

/* ---- evaluation ---- */

struct flight {
    struct bp_candidate *candidate;
    struct bp_compile_job job;
    struct bp_trial *trial; /* opened with the compiler, so that its children are ready after it */
    uint64_t secret;        /* number that keys its permutation and canaries */
    struct bp_secret_position position;
    struct bp_attempt attempt;
};

static void note(struct flight *flight, enum bp_stage stage, const struct bp_outcome *outcome)
{
    flight->attempt.stage = stage;
    flight->attempt.outcome = outcome->verdict;
    memcpy(flight->attempt.message, outcome->message, sizeof flight->attempt.message);
}

static int start_compile(struct bp_session *session, struct flight *flight, struct bp_error *err)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    struct bp_compile_options options = {
        .children = session->children,
        .dtype = session->dtype,
        .source = evaluation->source,
        .source_bytes = evaluation->source_bytes,
        .define_count = evaluation->knob_count,
        .defines = evaluation->knobs,
    };
    memcpy(options.device, session->device, sizeof options.device);
    memcpy(options.arch, session->arch, sizeof options.arch);
    return bp_compile_start(&flight->job, &options, err);
}

static int open_trial(struct bp_session *session, struct flight *flight, uint32_t lane,
                      struct bp_error *err)
{
    struct bp_trial_options options = {
        .bench = session->bench,
        .lane = lane,
        .evaluation = flight->secret,
        .timing = session->timing,
        .draws = &session->draws,
        .held = session->held,
        .held_context = session->held_context,
    };
    return bp_trial_open(&options, &flight->trial, err);
}

/* What the last candidate left in a ring of outputs is gone before the next one maps it. */
static int order_scrub(struct bp_session *session, enum bp_ring_side side, struct wait *wait,
                       struct bp_error *err)
{
    if (!session->written[side])
        return 0;
    wait->left++;
    session->written[side] = false;
    return bp_bench_scrub_ring(session->bench, side, order_done, wait, err);
}

/* What the prepare child does while compilers work: the case arenas of every flight, and the rings. */
static int order_fills(struct bp_session *session, struct flight *flights, uint32_t count,
                       struct wait *wait, struct bp_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        wait->left++;
        if (bp_bench_fill_cases(session->bench, i, flights[i].secret, order_done, wait, err) < 0)
            return -1;
    }
    if (order_scrub(session, BP_RING_A, wait, err) < 0)
        return -1;
    return order_scrub(session, BP_RING_B, wait, err);
}

/* Time of a flight in which neither compiler, kernel nor judge works for it. */
static void add_overhead(struct flight *flight, double spent_ms)
{
    flight->candidate->evaluation->duration.total_ms += spent_ms;
    flight->candidate->evaluation->duration.overhead_ms += spent_ms;
}

/* Compiles every flight, and meanwhile prepares all that its trial needs beside the object. */
static int compile_all(struct bp_session *session, struct flight *flights, uint32_t count,
                       struct bp_error *err)
{
    struct wait wait = {0};
    double prepared_ms = bp_bench_prepare_ms(session->bench);
    for (uint32_t i = 0; i < count; i++) {
        bp_session_position(session, &flights[i].position);
        flights[i].secret = ++session->evaluations;
        if (start_compile(session, &flights[i], err) < 0)
            return -1;
    }
    /* The rest would only delay the compilers' start: all of it fits into their time. */
    for (uint32_t i = 0; i < count; i++)
        while (!flights[i].job.working && !flights[i].job.done)
            if (step(session, err) < 0)
                return -1;
    if (order_fills(session, flights, count, &wait, err) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++)
        if (open_trial(session, &flights[i], i, err) < 0)
            return -1;
    for (uint32_t i = 0; i < count; i++)
        while (!flights[i].job.done)
            if (step(session, err) < 0)
                return -1;
    uint64_t compiled_ns = bp_clock_ns();
    if (wait_for(session, &wait, err) < 0)
        return -1;
    double waited_ms = bp_ns_to_ms(bp_clock_ns() - compiled_ns);
    bp_log(BP_LOG_DEBUG, "session", "batch waited %.2f ms for fills", waited_ms);
    add_overhead(&flights[0], waited_ms);
    prepared_ms = bp_bench_prepare_ms(session->bench) - prepared_ms;
    for (uint32_t i = 0; i < count; i++)
        flights[i].candidate->evaluation->duration.prepare_ms += prepared_ms / count;
    return 0;
}

static void take_compile(struct flight *flight)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    struct bp_compile_job *job = &flight->job;
    evaluation->duration.compile_ms += job->compiler_ms;
    evaluation->duration.total_ms += job->total_ms;
    evaluation->duration.overhead_ms += job->total_ms - job->compiler_ms;
    memcpy(evaluation->device_driver, job->compiler, sizeof evaluation->device_driver);
    memcpy(evaluation->object_hash, job->object_hash, sizeof evaluation->object_hash);
    free(evaluation->diagnostics);
    evaluation->diagnostics = bp_steal_pointer(&job->diagnostics);
    bp_evidence_free(evaluation->evidence);
    evaluation->evidence = bp_steal_pointer(&job->evidence);
    bp_close_fd(&flight->candidate->object_fd);
    flight->candidate->object_fd = bp_steal_fd(&job->object_fd);
    flight->candidate->object_bytes = job->object_bytes;
    note(flight, BP_STAGE_compile, &job->outcome);
}

/* A side of the ring for a new candidate. */
static int take_ring(struct bp_session *session, enum bp_ring_side side, struct bp_error *err)
{
    struct wait wait = {0};
    if (order_scrub(session, side, &wait, err) < 0 || wait_for(session, &wait, err) < 0)
        return -1;
    session->written[side] = true;
    return 0;
}

static int run_trial(struct bp_session *session, struct flight *flight, struct bp_error *err)
{
    struct bp_trial_object object = {.fd = flight->candidate->object_fd,
                                     .bytes = flight->candidate->object_bytes};
    uint64_t asked_ns = bp_clock_ns();
    if (take_ring(session, BP_RING_A, err) < 0)
        return -1;
    bp_session_position(session, &flight->position);
    add_overhead(flight, bp_ns_to_ms(bp_clock_ns() - asked_ns));
    if (bp_trial_start(flight->trial, &object, err) < 0)
        return -1;
    while (!bp_trial_done(flight->trial))
        if (step(session, err) < 0)
            return -1;
    struct bp_outcome outcome;
    enum bp_stage stage;
    bp_trial_finish(flight->trial, &outcome, &stage, flight->candidate->evaluation);
    note(flight, stage, &outcome);
    return 0;
}

/* Waits as `retry` says before attempt number `attempt` (from 1 on): exponential, full jitter. */
static int back_off(struct bp_session *session, uint32_t attempt, struct bp_error *err)
{
    const struct bp_config *config = session->config;
    double ceiling =
        fmin(config->retry.cap_ms, config->retry.base_ms * pow(config->retry.factor, attempt - 1));
    struct bp_key key;
    struct bp_random random;
    bp_key_random(&key);
    bp_random_start(&random, &key);
    return pause_for(session, ceiling * bp_random_unit(&random), err);
}

/* What only the session knows: the object, and where the secrets stood. */
static void add_evidence(struct flight *flight)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    if (!evaluation->evidence)
        evaluation->evidence = bp_evidence_new(); /* no child got as far as leaving any */
    struct bp_evidence *evidence = evaluation->evidence;
    if (!evidence)
        return;
    memcpy(evidence->compile_command, flight->job.command, sizeof evidence->compile_command);
    evidence->position = flight->position;
    evidence->position.evaluation = flight->secret;
    if (flight->candidate->object_fd >= 0)
        evidence->object_fd = fcntl(flight->candidate->object_fd, F_DUPFD_CLOEXEC, 3);
}

static void add_attempt(struct flight *flight, double before_ms)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    flight->attempt.duration_ms = evaluation->duration.total_ms - before_ms;
    if (evaluation->attempt_count < BP_MAX_ATTEMPTS)
        evaluation->attempts[evaluation->attempt_count++] = flight->attempt;
    evaluation->verdict = flight->attempt.outcome;
    evaluation->stage = flight->attempt.stage;
    memcpy(evaluation->message, flight->attempt.message, sizeof evaluation->message);
    add_evidence(flight);
}

/* A harness fault says nothing of the candidate: the whole way again, alone, after a pause. */
static int retry(struct bp_session *session, struct flight *flight, struct bp_error *err)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    while (bp_verdict_retry(evaluation->verdict) == BP_RETRY_BACKOFF &&
           evaluation->attempt_count < session->config->retry.attempts) {
        bp_log(BP_LOG_WARNING, "session", "evaluation %u, attempt %u: %s; trying again",
               evaluation->number, evaluation->attempt_count, evaluation->message);
        if (back_off(session, evaluation->attempt_count, err) < 0)
            return -1;
        double before_ms = evaluation->duration.total_ms;
        bp_compile_free(&flight->job);
        bp_trial_free(&flight->trial);
        if (compile_all(session, flight, 1, err) < 0)
            return -1;
        take_compile(flight);
        if (flight->attempt.outcome == BP_VERDICT_PASS && run_trial(session, flight, err) < 0)
            return -1;
        add_attempt(flight, before_ms);
    }
    return 0;
}

static int try_candidate(struct bp_session *session, struct flight *flight, struct bp_error *err)
{
    struct bp_candidate *candidate = flight->candidate;
    const struct bp_session_callbacks *callbacks = &session->callbacks;
    take_compile(flight);
    bool compiled = flight->attempt.outcome == BP_VERDICT_PASS;
    if (!compiled || !callbacks->known_object ||
        !callbacks->known_object(callbacks->context, candidate)) {
        if (compiled && run_trial(session, flight, err) < 0)
            return -1;
        add_attempt(flight, 0);
        if (retry(session, flight, err) < 0)
            return -1;
    }
    bp_trial_free(&flight->trial);
    bp_evaluation_safety(candidate->evaluation);
    candidate->evaluation->finished_wall_ms = bp_clock_wall_ms();
    return callbacks->evaluated ? callbacks->evaluated(callbacks->context, candidate, err) : 0;
}

int bp_session_evaluate(struct bp_session *session, struct bp_candidate *candidates, uint32_t count,
                        struct bp_error *err)
{
    if (count > session->parallel)
        return bp_fail(err, BP_ERR_STATE, "%u candidates for %u lanes", count, session->parallel);
    struct flight *flights = calloc(count, sizeof *flights);
    if (!flights)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %u candidates", count);
    for (uint32_t i = 0; i < count; i++) {
        flights[i].candidate = &candidates[i];
        flights[i].job.object_fd = -1;
    }
    int result = compile_all(session, flights, count, err);
    for (uint32_t i = 0; i < count && result == 0; i++)
        result = try_candidate(session, &flights[i], err);
    for (uint32_t i = 0; i < count; i++) {
        bp_compile_free(&flights[i].job);
        bp_trial_free(&flights[i].trial);
    }
    free(flights);
    return result;
}

/* ---- matches ---- */

static void fill_contender(const struct bp_candidate *candidate, struct bp_contender *contender)
{
    const struct bp_evaluation *evaluation = candidate->evaluation;
    contender->object_fd = candidate->object_fd;
    contender->object_bytes = candidate->object_bytes;
    for (uint32_t i = 0; i < evaluation->timing_count; i++)
        contender->per_call_ms[i] = evaluation->timings[i].median_ms;
}

/* A challenger that failed a match: the match's evidence takes the place of the trial's, but for the
 * object and where its evaluation began. */
static void keep_match_evidence(const struct bp_candidate *candidate, struct bp_match *match,
                                const struct bp_secret_position *began)
{
    struct bp_evidence *evidence = bp_match_take_evidence(match);
    struct bp_evaluation *evaluation = candidate->evaluation;
    if (evidence && evaluation->evidence) {
        evidence->position = evaluation->evidence->position;
        memcpy(evidence->compile_command, evaluation->evidence->compile_command,
               sizeof evidence->compile_command);
        evidence->object_fd = bp_steal_fd(&evaluation->evidence->object_fd);
        evidence->in_match = true;
        evidence->match = *began;
        bp_evidence_free(evaluation->evidence);
        evaluation->evidence = bp_steal_pointer(&evidence);
    }
    bp_evidence_free(evidence);
}

int bp_session_match(struct bp_session *session, const struct bp_candidate *a,
                     const struct bp_candidate *b, uint32_t rounds, bool stop_early,
                     struct bp_match_result *result, struct bp_error *err)
{
    struct bp_secret_position began;
    bp_session_position(session, &began);
    struct bp_match_options options = {
        .bench = session->bench,
        .batch_ms = session->timing.batch_ms,
        .rounds = rounds,
        .stop_early = stop_early,
        .number = ++session->matches,
        .draws = &session->draws,
    };
    fill_contender(a, &options.sides[BP_RING_A]);
    fill_contender(b, &options.sides[BP_RING_B]);
    struct bp_match *match;
    if (take_ring(session, BP_RING_A, err) < 0 || take_ring(session, BP_RING_B, err) < 0 ||
        bp_match_start(&options, &match, err) < 0)
        return -1;
    while (!bp_match_done(match)) {
        if (step(session, err) < 0) {
            bp_match_free(&match);
            return -1;
        }
    }
    bp_match_result(match, result);
    if (result->outcome.verdict != BP_VERDICT_PASS && result->failed_side == BP_RING_A)
        keep_match_evidence(a, match, &began);
    bp_match_free(&match);
    return 0;
}
