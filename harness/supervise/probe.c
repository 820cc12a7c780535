#include "harness/supervise/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "harness/supervise/policies.h"
#include "harness/supervise/sabotage.h"

static int send_request(struct bp_probe *probe, struct bp_error *err)
{
    const struct bp_probe_options *options = &probe->options;
    struct bp_msg_probe_request request = {
        .dtype = options->dtype,
        .threads = options->threads,
        .object_bytes = options->object_bytes,
    };
    memcpy(request.device, options->device, sizeof request.device);
    bp_sabotage_device(options->kind, options->device, request.faults);
    return bp_child_request(probe->child, BP_MESSAGE_probe_request, &request, &options->object_fd,
                            1, options->timeout_ms, err);
}

static void conclude(struct bp_probe *probe, enum bp_verdict verdict, const char *message)
{
    probe->answered = true;
    probe->outcome.verdict = verdict;
    snprintf(probe->outcome.message, sizeof probe->outcome.message, "%s", message);
    bp_child_stop(probe->child);
}

static void probe_answer(void *context, struct bp_child *child, enum bp_message_type type,
                         const void *message)
{
    struct bp_probe *probe = context;
    struct bp_error err;
    (void)child;
    if (type == BP_MESSAGE_ready) {
        if (send_request(probe, &err) < 0)
            conclude(probe, BP_VERDICT_INFRA, err.msg);
    } else if (type == BP_MESSAGE_failure) {
        conclude(probe, BP_VERDICT_INFRA, ((const struct bp_msg_failure *)message)->message);
    } else {
        const struct bp_msg_probe_result *result = message;
        probe->launch_ms = result->launch_ms;
        conclude(probe, (enum bp_verdict)result->verdict, result->message);
    }
}

static void probe_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_probe *probe = context;
    (void)child;
    if (!probe->answered)
        bp_outcome_of_end(BP_STAGE_probe, end, probe->options.timeout_ms, &probe->outcome);
    probe->total_ms = bp_ns_to_ms(bp_clock_ns() - probe->started_ns);
    probe->done = true;
    bp_child_release(&probe->child);
}

static const struct bp_child_handlers handlers = {probe_answer, probe_ended};

int bp_probe_start(struct bp_probe *probe, const struct bp_probe_options *options,
                   struct bp_error *err)
{
    *probe = (struct bp_probe){.options = *options, .started_ns = bp_clock_ns()};
    struct bp_child_options child_options = {
        .loop = options->children.loop,
        .worker_path = options->children.worker_path,
        .stage = "probe",
        .policy = bp_policies_of(options->kind)->probe,
        .limits = {.device = options->children.device_node},
        .log_max_bytes = options->children.log_max_bytes,
        .handlers = &handlers,
        .context = probe,
    };
    return bp_child_start(&child_options, &probe->child, err);
}

void bp_probe_free(struct bp_probe *probe)
{
    bp_child_release(&probe->child);
}
