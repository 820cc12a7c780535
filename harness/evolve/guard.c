#include "harness/evolve/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "harness/evolve/flight.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/waiting.h"
#include "harness/supervise/compile_job.h"
#include "harness/supervise/probe.h"
#include "kernels/embedded.h"

void bp_guard_open(struct bp_session *session)
{
    session->guard = (struct bp_guard){.object_fd = -1};
}

void bp_guard_close(struct bp_session *session)
{
    bp_close_fd(&session->guard.object_fd);
}

/* ---- state ---- */

static void move(struct bp_session *session, enum bp_health_event event, const char *why)
{
    struct bp_guard *guard = &session->guard;
    enum bp_health_state from = guard->health.state;
    if (why != guard->why)
        snprintf(guard->why, sizeof guard->why, "%s", why);
    if (!bp_health_step(&guard->health, event)) {
        bp_log(BP_LOG_ERROR, "guard", "%s while %s", bp_health_event_name(event),
               bp_health_state_name(from));
        return;
    }
    struct bp_device_change change = {.device = session->device.name,
                                      .from = bp_health_state_name(from),
                                      .to = bp_health_state_name(guard->health.state),
                                      .why = guard->why};
    if (from == guard->health.state)
        return;
    bp_log(BP_LOG_DEBUG, "guard", "device %s: %s, then %s: %s", change.device, change.from,
           change.to, change.why);
    if (session->callbacks.device_changed)
        session->callbacks.device_changed(session->callbacks.context, &change);
}

void bp_guard_suspect(struct bp_session *session, enum bp_health_event event, const char *why)
{
    move(session, event, why);
}

/* ---- the probe ---- */

static int compile(struct bp_session *session, struct bp_evaluation *known,
                   struct bp_outcome *outcome, struct bp_error *err)
{
    struct bp_compile_job job = {.object_fd = -1};
    struct bp_compile_options options;
    const struct bp_candidate candidate = {.evaluation = known, .object_fd = -1};
    bp_flight_describe_compile(session, &candidate, &options);
    if (bp_compile_start(&job, &options, err) < 0) {
        bp_outcome_of_error(err, outcome);
        return 0;
    }
    int result = 0;
    while (!job.done && result == 0)
        result = bp_waiting_step(session, err);
    if (result == 0)
        *outcome = job.outcome;
    session->guard.object_fd = bp_steal_fd(&job.object_fd);
    session->guard.object_bytes = job.object_bytes;
    bp_compile_free(&job);
    return result;
}

/* The embedded eager kernel with its default knobs; PASS when there is an object. */
static int compile_known_good(struct bp_session *session, struct bp_outcome *outcome,
                              struct bp_error *err)
{
    const struct bp_embedded_file *file = &bp_embedded_eager[0];
    struct bp_kernel_head head;
    struct bp_error why;
    struct bp_evaluation *known = bp_evaluation_new();
    int result = 0;
    if (!known) {
        bp_fail(&why, BP_ERR_MEMORY, "no memory for the known-good kernel");
        bp_outcome_of_error(&why, outcome);
        return 0;
    }
    if (bp_kernel_head_parse(file->name, file->text, file->size, &head, &why) < 0) {
        bp_outcome_of_error(&why, outcome);
    } else {
        if (bp_identity_set(known, file->text, file->size, &head.space, &head.default_point,
                            session->dtype, &why) < 0)
            bp_outcome_of_error(&why, outcome);
        else
            result = compile(session, known, outcome, err);
        bp_kernel_head_free(&head);
    }
    bp_evaluation_free(known);
    return result;
}

static int run_probe(struct bp_session *session, struct bp_probe *probe, struct bp_error *err)
{
    struct bp_probe_options options = {
        .children = session->children,
        .dtype = session->dtype,
        .threads = session->threads,
        .object_fd = session->guard.object_fd,
        .object_bytes = session->guard.object_bytes,
        .timeout_ms = session->config->health.probe_s * 1e3,
    };
    options.kind = session->device.parsed.kind;
    memcpy(options.device, session->device.name, sizeof options.device);
    if (bp_probe_start(probe, &options, err) < 0) {
        bp_outcome_of_error(err, &probe->outcome);
        return 0;
    }
    int result = 0;
    while (!probe->done && result == 0)
        result = bp_waiting_step(session, err);
    bp_probe_free(probe);
    return result;
}

static int probe_once(struct bp_session *session, struct bp_outcome *outcome, struct bp_error *err)
{
    struct bp_probe probe = {.outcome = {.verdict = BP_VERDICT_PASS}};
    if (session->guard.object_fd < 0 && compile_known_good(session, &probe.outcome, err) < 0)
        return -1;
    if (probe.outcome.verdict == BP_VERDICT_PASS && run_probe(session, &probe, err) < 0)
        return -1;
    *outcome = probe.outcome;
    struct bp_probe_record record = {.device = session->device.name,
                                     .passed = outcome->verdict == BP_VERDICT_PASS,
                                     .ms = probe.total_ms,
                                     .message = outcome->message};
    bp_log(BP_LOG_DEBUG, "guard", "probe of device %s %s after %.2f ms, kernel %.2f ms%s%s",
           record.device, record.passed ? "passed" : "failed", probe.total_ms, probe.launch_ms,
           outcome->message[0] ? ": " : "", outcome->message);
    if (session->callbacks.probed)
        session->callbacks.probed(session->callbacks.context, &record);
    return 0;
}

/* ---- waiting for it ---- */

static int wait_in_quarantine(struct bp_session *session, struct bp_error *err)
{
    struct bp_guard *guard = &session->guard;
    const struct bp_config *config = session->config;
    struct bp_health_pauses pauses = {config->health.pause_ms, config->health.factor,
                                      config->health.cap_ms};
    double pause_ms = bp_health_pause_ms(&guard->health, &pauses);
    char text[BP_TEXT_LINE];
    snprintf(text, sizeof text, "device %s is quarantined (%.300s); next probe in %.3g s",
             session->device.name, guard->why, pause_ms / 1e3);
    bp_log(BP_LOG_WARNING, "guard", "%s", text);
    if (session->callbacks.waiting)
        session->callbacks.waiting(session->callbacks.context, text);
    bp_session_now(session, "waiting for device %s", session->device.name);
    if (bp_waiting_pause(session, pause_ms, err) < 0)
        return -1;
    move(session, BP_HEALTH_EVENT_pause_over, guard->why);
    return 0;
}

int bp_guard_clear(struct bp_session *session, struct bp_outcome *first, struct bp_error *err)
{
    struct bp_guard *guard = &session->guard;
    *first = (struct bp_outcome){.verdict = BP_VERDICT_PASS};
    for (uint32_t probes = 0; guard->health.state != BP_HEALTH_healthy; probes++) {
        struct bp_outcome outcome;
        if (guard->health.state == BP_HEALTH_quarantined && wait_in_quarantine(session, err) < 0)
            return -1;
        move(session, BP_HEALTH_EVENT_probe_started, guard->why);
        if (probe_once(session, &outcome, err) < 0)
            return -1;
        bool passed = outcome.verdict == BP_VERDICT_PASS;
        move(session, passed ? BP_HEALTH_EVENT_probe_passed : BP_HEALTH_EVENT_probe_failed,
             passed ? "the probe passed" : outcome.message);
        if (probes == 0)
            *first = outcome;
    }
    return 0;
}
