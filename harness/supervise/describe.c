#include "harness/supervise/describe.h"

#include <stdio.h>
#include <string.h>

#include "harness/supervise/child.h"
#include "harness/supervise/policies.h"
#include "harness/supervise/sabotage.h"

struct description {
    const char *device;
    double timeout_ms;
    struct bp_child *child;
    bool answered, ended;
    struct bp_msg_device_result *result;
    struct bp_error why_not;
};

static void request(struct description *description)
{
    struct bp_msg_device_request message = {0};
    snprintf(message.device, sizeof message.device, "%s", description->device);
    bp_sabotage_description(description->device, message.faults);
    if (bp_child_request(description->child, BP_MESSAGE_device_request, &message, NULL, 0,
                         description->timeout_ms, &description->why_not) < 0)
        bp_child_stop(description->child);
}

static void describe_answer(void *context, struct bp_child *child, enum bp_message_type type,
                            const void *message)
{
    struct description *description = context;
    if (type == BP_MESSAGE_ready) {
        request(description);
        return;
    }
    if (type == BP_MESSAGE_failure) {
        bp_fail(&description->why_not, BP_ERR_UNAVAILABLE, "%s",
                ((const struct bp_msg_failure *)message)->message);
    } else {
        memcpy(description->result, message, sizeof *description->result);
        description->answered = true;
    }
    bp_child_stop(child);
}

static void describe_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct description *description = context;
    description->ended = true;
    if (!description->answered && description->why_not.code == BP_ERR_NONE)
        bp_fail(&description->why_not, BP_ERR_UNAVAILABLE,
                "device %s: the child that asked it ended without an answer: %.60s %.100s",
                description->device, end->text, bp_child_log(child));
    bp_child_release(&description->child);
}

static const struct bp_child_handlers handlers = {.answer = describe_answer,
                                                  .ended = describe_ended};

int bp_device_describe(const struct bp_child_settings *settings, const char *device,
                       enum bp_device_kind kind, double timeout_ms,
                       struct bp_msg_device_result *result, struct bp_error *err)
{
    struct description description = {.device = device, .timeout_ms = timeout_ms, .result = result};
    struct bp_child_options options = {
        .loop = settings->loop,
        .worker_path = settings->worker_path,
        .stage = "probe",
        .policy = bp_policies_of(kind)->probe,
        .limits = {.device = settings->device_node},
        .log_max_bytes = settings->log_max_bytes,
        .handlers = &handlers,
        .context = &description,
    };
    if (bp_child_start(&options, &description.child, err) < 0)
        return -1;
    int status = 0;
    while (!description.ended && status == 0) {
        status = bp_loop_step(settings->loop, err);
        if (status == 0 && settings->loop->stop_signal)
            status = bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s",
                             sigabbrev_np(settings->loop->stop_signal));
    }
    bp_child_release(&description.child);
    if (status == 0 && !description.answered) {
        *err = description.why_not;
        return -1;
    }
    return status;
}
