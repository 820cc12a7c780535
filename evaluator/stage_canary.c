/* stage_canary.c: a disposable child that tries what must not succeed, before anything is evaluated. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "evaluator/stage.h"
#include "sandbox/canary.h"
#include "sandbox/confine.h"
#include "sandbox/worker_fd.h"

static void check_layers(enum bp_policy_id policy, const struct bp_msg_canary_request *request,
                         struct bp_msg_canary_result *result)
{
    struct bp_canary_facts facts = {.namespaces = request->namespaces,
                                    .pid_ns = request->pid_ns,
                                    .mnt_ns = request->mnt_ns,
                                    .net_ns = request->net_ns,
                                    .ipc_ns = request->ipc_ns,
                                    .root = request->root};
    result->missing = bp_canary_check(policy, &facts, result->text, sizeof result->text);
}

static int commit(enum bp_policy_id policy, const struct bp_msg_canary_request *request,
                  struct bp_msg_canary_result *result, struct bp_error *err)
{
    if (bp_confine_filter(policy, BP_FD_CONTROL, err) < 0 ||
        (request->candidate && bp_confine_candidate(policy, BP_FD_CONTROL, err) < 0))
        return -1;
    result->error = (uint32_t)bp_canary_commit((enum bp_canary_act)request->act);
    return 0;
}

int bp_stage_canary(struct bp_channel *channel, enum bp_policy_id policy)
{
    struct bp_error err;
    struct bp_msg_canary_result result = {0};
    BP_AUTO_FREE void *message = NULL;
    int received = bp_channel_receive_only(channel, BP_MESSAGE_canary_request, &message, &err);
    if (received == 0)
        return 0;
    const struct bp_msg_canary_request *request = message;
    int tried = received;
    if (received > 0 && request->act < BP_CANARY_ACT_COUNT)
        tried = commit(policy, request, &result, &err);
    else if (received > 0)
        check_layers(policy, request, &result);
    if (tried < 0 || bp_channel_send(channel, BP_MESSAGE_canary_result, &result, &err) < 0) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        return 20;
    }
    return 0;
}
