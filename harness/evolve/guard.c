#include "harness/evolve/guard.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/evolve/flight.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/roll_call.h"
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

static void move(struct bp_session *session, struct bp_slot *slot, enum bp_health_event event,
                 const char *why)
{
    enum bp_health_state from = slot->health.state;
    if (why != slot->why)
        snprintf(slot->why, sizeof slot->why, "%s", why);
    if (!bp_health_step(&slot->health, event)) {
        bp_log(BP_LOG_ERROR, "guard", "%s while %s", bp_health_event_name(event),
               bp_health_state_name(from));
        return;
    }
    struct bp_device_change change = {.device = slot->device.name,
                                      .from = bp_health_state_name(from),
                                      .to = bp_health_state_name(slot->health.state),
                                      .why = slot->why};
    if (from == slot->health.state)
        return;
    bp_log(BP_LOG_DEBUG, "guard", "device %s: %s, then %s: %s", change.device, change.from,
           change.to, change.why);
    if (session->callbacks.device_changed)
        session->callbacks.device_changed(session->callbacks.context, &change);
}

void bp_guard_suspect(struct bp_session *session, enum bp_health_event event, const char *why)
{
    move(session, bp_slots_current(&session->slots), event, why);
}

BP_PRINTF(2, 3)
static void say(struct bp_session *session, const char *format, ...)
{
    char text[BP_TEXT_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bp_log(BP_LOG_WARNING, "guard", "%s", text);
    if (session->callbacks.waiting)
        session->callbacks.waiting(session->callbacks.context, text);
}

static void quarantine(struct bp_session *session, struct bp_slot *slot, const char *why)
{
    const struct bp_config *config = session->config;
    struct bp_health_pauses pauses = {config->health.pause_ms, config->health.factor,
                                      config->health.cap_ms};
    move(session, slot, BP_HEALTH_EVENT_probe_failed, why);
    double pause_ms = bp_health_pause_ms(&slot->health, &pauses);
    slot->probe_ns = bp_clock_ns() + (uint64_t)(pause_ms * 1e6);
    if (bp_slots_any_healthy(&session->slots))
        say(session, "device %s is quarantined (%.300s), the others go on; next probe after %.3g s",
            slot->device.name, slot->why, pause_ms / 1e3);
}

/* The question was the probe. */
void bp_guard_absent(struct bp_session *session, struct bp_slot *slot, const char *why)
{
    bp_log(BP_LOG_WARNING, "guard", "device %s does not answer: %s", slot->device.name, why);
    move(session, slot, BP_HEALTH_EVENT_fault, why);
    move(session, slot, BP_HEALTH_EVENT_probe_started, slot->why);
    quarantine(session, slot, why);
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

static int run_probe(struct bp_session *session, const struct bp_slot *slot, struct bp_probe *probe,
                     struct bp_error *err)
{
    struct bp_probe_options options = {
        .children = session->children,
        .kind = slot->device.parsed.kind,
        .dtype = session->dtype,
        .threads = session->threads,
        .object_fd = session->guard.object_fd,
        .object_bytes = session->guard.object_bytes,
        .timeout_ms = session->config->health.probe_s * 1e3,
    };
    memcpy(options.device, slot->device.name, sizeof options.device);
    options.children.device_node = slot->device.node;
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

/* One that was never asked what it is may not be what the others are. */
static int check_described(struct bp_session *session, struct bp_slot *slot,
                           struct bp_outcome *outcome, struct bp_error *err)
{
    struct bp_error why;
    if (bp_roll_call_ask(session, slot, &why) == 0)
        return 0;
    if (why.code == BP_ERR_INTERRUPTED) {
        *err = why;
        return -1;
    }
    bp_outcome_of_error(&why, outcome);
    return 0;
}

static int probe_once(struct bp_session *session, struct bp_slot *slot, struct bp_outcome *outcome,
                      struct bp_error *err)
{
    struct bp_probe probe = {.outcome = {.verdict = BP_VERDICT_PASS}};
    if (check_described(session, slot, &probe.outcome, err) < 0)
        return -1;
    if (probe.outcome.verdict == BP_VERDICT_PASS && session->guard.object_fd < 0 &&
        compile_known_good(session, &probe.outcome, err) < 0)
        return -1;
    if (probe.outcome.verdict == BP_VERDICT_PASS && run_probe(session, slot, &probe, err) < 0)
        return -1;
    *outcome = probe.outcome;
    struct bp_probe_record record = {.device = slot->device.name,
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

/* Of a suspect device. */
static int probe_suspect(struct bp_session *session, struct bp_slot *slot,
                         struct bp_outcome *outcome, struct bp_error *err)
{
    move(session, slot, BP_HEALTH_EVENT_probe_started, slot->why);
    if (probe_once(session, slot, outcome, err) < 0)
        return -1;
    if (outcome->verdict == BP_VERDICT_PASS)
        move(session, slot, BP_HEALTH_EVENT_probe_passed, "the probe passed");
    else
        quarantine(session, slot, outcome->message);
    return 0;
}

/* Of a quarantined device whose pause is over. */
static int probe_again(struct bp_session *session, struct bp_slot *slot, struct bp_error *err)
{
    struct bp_outcome outcome;
    move(session, slot, BP_HEALTH_EVENT_pause_over, slot->why);
    return probe_suspect(session, slot, &outcome, err);
}

/* ---- waiting for it ---- */

static int wait_in_quarantine(struct bp_session *session, const struct bp_slot *slot,
                              struct bp_error *err)
{
    uint64_t now = bp_clock_ns();
    double pause_ms = slot->probe_ns > now ? ceil(bp_ns_to_ms(slot->probe_ns - now)) : 0;
    say(session, "%sdevice %s is quarantined (%.300s); next probe in %.3g s",
        session->slots.count > 1 ? "no device is healthy; " : "", slot->device.name, slot->why,
        pause_ms / 1e3);
    bp_session_now(session, "waiting for device %s", slot->device.name);
    return bp_waiting_pause(session, pause_ms, err);
}

static int await_healthy(struct bp_session *session, struct bp_error *err)
{
    while (!bp_slots_any_healthy(&session->slots)) {
        struct bp_slot *slot = bp_slots_next_probe(&session->slots);
        if (wait_in_quarantine(session, slot, err) < 0 || probe_again(session, slot, err) < 0)
            return -1;
    }
    return 0;
}

int bp_guard_clear(struct bp_session *session, struct bp_outcome *first, struct bp_error *err)
{
    struct bp_slot *slot = bp_slots_current(&session->slots);
    *first = (struct bp_outcome){.verdict = BP_VERDICT_PASS};
    if (slot->health.state == BP_HEALTH_suspect && probe_suspect(session, slot, first, err) < 0)
        return -1;
    return await_healthy(session, err);
}

int bp_guard_take(struct bp_session *session, enum bp_turn turn, struct bp_error *err)
{
    struct bp_slots *slots = &session->slots;
    uint64_t now = bp_clock_ns();
    struct bp_slot *slot;
    while ((slot = bp_slots_next_probe(slots)) && slot->probe_ns <= now)
        if (probe_again(session, slot, err) < 0)
            return -1;
    if (await_healthy(session, err) < 0)
        return -1;
    bp_slots_next(slots, turn);
    const struct bp_session_device *device = &bp_slots_current(slots)->device;
    session->children.device_node = device->node;
    bp_bench_use_device(session->bench, device->name, device->node);
    return 0;
}
