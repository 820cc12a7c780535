#include "harness/evolve/flight.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

void bp_flight_open(struct bp_flight *flight, struct bp_candidate *candidate)
{
    *flight = (struct bp_flight){.candidate = candidate, .job.object_fd = -1};
}

void bp_flight_close(struct bp_session *session, struct bp_flight *flight)
{
    bp_bench_forget(session->bench, &flight->fills);
    bp_compile_free(&flight->job);
    bp_trial_free(&flight->trial);
}

static bool is_well(const struct bp_flight *flight)
{
    return flight->outcome.verdict == BP_VERDICT_PASS;
}

/* The first failure of an attempt is its outcome. */
static void fail(struct bp_flight *flight, enum bp_stage stage, const struct bp_error *why)
{
    if (!is_well(flight))
        return;
    flight->stage = stage;
    bp_outcome_of_error(why, &flight->outcome);
}

/* ---- rings ---- */

/* What the last candidate left in a ring of outputs is gone before the next one maps it. */
static void order_scrub(struct bp_session *session, enum bp_ring_side side)
{
    struct bp_orders *orders = &session->scrubs[side];
    struct bp_error err;
    *orders = (struct bp_orders){0};
    if (!session->written[side])
        return;
    orders->left = 1;
    if (bp_bench_scrub_ring(session->bench, side, bp_orders_done, orders, &err) < 0)
        bp_orders_done(orders, &err);
}

static int finish_scrub(struct bp_session *session, enum bp_ring_side side, struct bp_error *err)
{
    if (bp_waiting_orders(session, &session->scrubs[side], err) < 0)
        return -1;
    if (!session->scrubs[side].failed)
        session->written[side] = false;
    return 0;
}

int bp_flight_take_ring(struct bp_session *session, enum bp_ring_side side,
                        struct bp_outcome *outcome, struct bp_error *err)
{
    *outcome = (struct bp_outcome){.verdict = BP_VERDICT_PASS};
    order_scrub(session, side);
    if (finish_scrub(session, side, err) < 0)
        return -1;
    if (session->written[side])
        bp_outcome_of_error(&session->scrubs[side].err, outcome);
    session->written[side] = true;
    return 0;
}

/* ---- the compile, and what is done beside it ---- */

void bp_flight_describe_compile(const struct bp_session *session,
                                const struct bp_candidate *candidate,
                                struct bp_compile_options *options)
{
    const struct bp_evaluation *evaluation = candidate->evaluation;
    *options = (struct bp_compile_options){
        .children = session->children,
        .dtype = session->dtype,
        .spills_below = session->config->limits.spills + 1,
        .source = evaluation->source,
        .source_bytes = evaluation->source_bytes,
        .define_count = evaluation->knob_count,
        .defines = evaluation->knobs,
    };
    const struct bp_session_device *device = bp_session_device(session);
    memcpy(options->device, device->name, sizeof options->device);
    memcpy(options->arch, device->arch, sizeof options->arch);
}

static void start_compile(struct bp_session *session, struct bp_flight *flight, uint32_t lane)
{
    struct bp_error err;
    struct bp_compile_options options;
    bp_flight_describe_compile(session, flight->candidate, &options);
    options.spare = &session->spares[lane];
    options.cache = &session->objects;
    flight->outcome = (struct bp_outcome){.verdict = BP_VERDICT_PASS};
    flight->stage = BP_STAGE_compile;
    flight->unreaped = false;
    bp_session_position(session, &flight->position);
    flight->secret = ++session->evaluations;
    flight->compiling = bp_compile_start(&flight->job, &options, &err) == 0;
    if (!flight->compiling)
        fail(flight, BP_STAGE_compile, &err);
}

static void open_trial(struct bp_session *session, struct bp_flight *flight, uint32_t lane)
{
    struct bp_error err;
    struct bp_trial_options options = {
        .bench = session->bench,
        .lane = lane,
        .evaluation = flight->secret,
        .timing = session->timing,
        .draws = &session->draws,
        .held = session->held,
        .held_context = session->held_context,
    };
    if (bp_trial_open(&options, &flight->trial, &err) < 0)
        fail(flight, BP_STAGE_run, &err);
}

static void order_fill(struct bp_session *session, struct bp_flight *flight, uint32_t lane)
{
    struct bp_error err;
    flight->fills = (struct bp_orders){.left = 1};
    if (bp_bench_fill_cases(session->bench, lane, flight->secret, bp_orders_done, &flight->fills,
                            &err) < 0)
        bp_orders_done(&flight->fills, &err);
}

static int wait_for_compilers(struct bp_session *session, struct bp_flight *flights, uint32_t count,
                              bool until_working, struct bp_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct bp_compile_job *job = &flights[i].job;
        while (flights[i].compiling && !job->done && !(until_working && job->working))
            if (bp_waiting_step(session, err) < 0)
                return -1;
    }
    return 0;
}

static int wait_for_fills(struct bp_session *session, struct bp_flight *flights, uint32_t count,
                          struct bp_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bp_waiting_orders(session, &flights[i].fills, err) < 0)
            return -1;
        if (flights[i].fills.failed)
            fail(&flights[i], BP_STAGE_prepare, &flights[i].fills.err);
    }
    return 0;
}

/* Time of a flight in which neither compiler, kernel nor judge works for it. */
static void add_overhead(struct bp_flight *flight, double spent_ms)
{
    flight->candidate->evaluation->duration.total_ms += spent_ms;
    flight->candidate->evaluation->duration.overhead_ms += spent_ms;
}

static void take_compile(struct bp_flight *flight)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    struct bp_compile_job *job = &flight->job;
    bp_evidence_free(evaluation->evidence);
    evaluation->evidence = bp_steal_pointer(&job->evidence);
    if (!flight->compiling)
        return;
    evaluation->duration.compile_ms += job->compiler_ms;
    evaluation->duration.total_ms += job->total_ms;
    evaluation->duration.overhead_ms += job->total_ms - job->compiler_ms;
    memcpy(evaluation->device_driver, job->compiler, sizeof evaluation->device_driver);
    memcpy(evaluation->object_hash, job->object_hash, sizeof evaluation->object_hash);
    evaluation->profile = job->profile;
    free(evaluation->diagnostics);
    evaluation->diagnostics = bp_steal_pointer(&job->diagnostics);
    bp_close_fd(&flight->candidate->object_fd);
    flight->candidate->object_fd = bp_steal_fd(&job->object_fd);
    flight->candidate->object_bytes = job->object_bytes;
    if (job->outcome.verdict == BP_VERDICT_PASS)
        return;
    flight->outcome = job->outcome; /* a verdict on the source counts, whatever failed beside it */
    flight->stage = BP_STAGE_compile;
}

/* What the prepare child and the stages of the trial do while compilers work. */
static int prepare_beside(struct bp_session *session, struct bp_flight *flights, uint32_t count,
                          struct bp_error *err)
{
    /* Earlier it would only delay the compilers' start: all of it fits into their time. */
    if (wait_for_compilers(session, flights, count, true, err) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++)
        order_fill(session, &flights[i], i);
    order_scrub(session, BP_RING_A);
    order_scrub(session, BP_RING_B);
    if (session->evaluations == count)
        bp_bench_touch_ring(session->bench, BP_RING_A);
    for (uint32_t i = 0; i < count; i++)
        open_trial(session, &flights[i], i);
    for (uint32_t i = 0; session->more_to_come && i < session->parallel; i++)
        bp_spare_fill(&session->spares[i], &session->children, bp_session_device(session)->arch);
    return 0;
}

/* Idle children disturb no clock, but starting ones would. */
static int wait_for_spares(struct bp_session *session, struct bp_error *err)
{
    for (uint32_t i = 0; i < session->parallel; i++)
        while (bp_spare_is_starting(&session->spares[i]))
            if (bp_waiting_step(session, err) < 0)
                return -1;
    return 0;
}

int bp_flight_compile(struct bp_session *session, struct bp_flight *flights, uint32_t count,
                      struct bp_error *err)
{
    double prepared_ms = bp_bench_prepare_ms(session->bench);
    bp_session_now(session, "compiling #%u to #%u", flights[0].candidate->evaluation->number,
                   flights[count - 1].candidate->evaluation->number);
    for (uint32_t i = 0; i < count; i++)
        start_compile(session, &flights[i], i);
    if (prepare_beside(session, flights, count, err) < 0 ||
        wait_for_compilers(session, flights, count, false, err) < 0)
        return -1;
    uint64_t compiled_ns = bp_clock_ns();
    if (wait_for_fills(session, flights, count, err) < 0 || wait_for_spares(session, err) < 0 ||
        finish_scrub(session, BP_RING_A, err) < 0 || finish_scrub(session, BP_RING_B, err) < 0)
        return -1;
    double waited_ms = bp_ns_to_ms(bp_clock_ns() - compiled_ns);
    bp_log(BP_LOG_DEBUG, "session", "batch waited %.2f ms for fills", waited_ms);
    add_overhead(&flights[0], waited_ms);
    prepared_ms = bp_bench_prepare_ms(session->bench) - prepared_ms;
    for (uint32_t i = 0; i < count; i++) {
        flights[i].candidate->evaluation->duration.prepare_ms += prepared_ms / count;
        take_compile(&flights[i]);
    }
    return 0;
}

/* ---- the trial ---- */

static int run_trial(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    struct bp_trial_object object = {.fd = flight->candidate->object_fd,
                                     .bytes = flight->candidate->object_bytes};
    struct bp_error why;
    bp_session_position(session, &flight->position);
    bp_session_now(session, "trying #%u", flight->candidate->evaluation->number);
    if (bp_trial_start(flight->trial, &object, &why) < 0) {
        fail(flight, BP_STAGE_run, &why);
        return 0;
    }
    while (!bp_trial_done(flight->trial))
        if (bp_waiting_step(session, err) < 0)
            return -1;
    flight->unreaped = bp_trial_left_unreaped(flight->trial);
    bp_trial_finish(flight->trial, &flight->outcome, &flight->stage, flight->candidate->evaluation);
    return 0;
}

int bp_flight_try(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    struct bp_outcome ring;
    if (bp_guard_take(session, BP_TURN_TRIAL, err) < 0)
        return -1;
    bp_session_name_device(session, flight->candidate->evaluation);
    uint64_t asked_ns = bp_clock_ns();
    if (bp_flight_take_ring(session, BP_RING_A, &ring, err) < 0)
        return -1;
    add_overhead(flight, bp_ns_to_ms(bp_clock_ns() - asked_ns));
    if (ring.verdict == BP_VERDICT_PASS)
        return run_trial(session, flight, err);
    flight->outcome = ring;
    flight->stage = BP_STAGE_prepare;
    return 0;
}

void bp_flight_add_evidence(struct bp_flight *flight)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    if (!evaluation->evidence)
        evaluation->evidence = bp_evidence_new();
    struct bp_evidence *evidence = evaluation->evidence;
    if (!evidence)
        return;
    memcpy(evidence->compile_command, flight->job.command, sizeof evidence->compile_command);
    evidence->position = flight->position;
    evidence->position.evaluation = flight->secret;
    if (flight->candidate->object_fd >= 0)
        evidence->object_fd = fcntl(flight->candidate->object_fd, F_DUPFD_CLOEXEC, 3);
}

void bp_flight_replace_evidence(struct bp_evaluation *evaluation, struct bp_evidence *evidence)
{
    struct bp_evidence *earlier = evaluation->evidence;
    if (earlier) {
        evidence->position = earlier->position;
        memcpy(evidence->compile_command, earlier->compile_command,
               sizeof evidence->compile_command);
        evidence->object_fd = bp_steal_fd(&earlier->object_fd);
        evaluation->evidence = bp_steal_pointer(&evidence);
    }
    bp_evidence_free(earlier ? earlier : evidence);
}
