/* bulletproof-worker STAGE …: one stage of one evaluation, confined before it reads anything. Started
 * by sandbox/launch.c only. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/weaken.h"
#include "evaluator/gpu_open.h"
#include "evaluator/stage.h"
#include "sandbox/confine.h"

#define CANARY "canary"

static const struct {
    const char *name;
    int (*serve)(struct bp_channel *channel);
} stages[] = {
    {"prepare", bp_stage_prepare}, {"compile", bp_stage_compile}, {"run", bp_stage_run},
    {"judge", bp_stage_judge},     {"probe", bp_stage_probe},     {"gate", bp_stage_gate},
    {"lines", bp_stage_lines},
};

/* Confines the process as the stage wants it, and says so. */
static int begin(struct bp_channel *channel, const char *name, enum bp_policy_id policy,
                 const struct bp_policy_limits *limits)
{
    struct bp_error err;
    struct bp_msg_ready ready = {0};
    bp_channel_open(channel);
    if (strcmp(name, CANARY) != 0 && bp_gpu_preload(policy, &err) < 0) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        return -1;
    }
    channel->nonce = 0;
    channel->policy = policy;
    int confined = strcmp(name, CANARY) == 0
                       ? bp_confine_layers(policy, limits, BP_FD_CONTROL, ready.sandbox,
                                           sizeof ready.sandbox, &err)
                       : bp_confine_stage(policy, limits, BP_FD_CONTROL, ready.sandbox,
                                          sizeof ready.sandbox, &err);
    if (confined < 0) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        return -1;
    }
    snprintf(ready.stage, sizeof ready.stage, "%s", name);
    if (bp_channel_send(channel, BP_MESSAGE_ready, &ready, &err) < 0) {
        fprintf(stderr, "bulletproof-worker: %s\n", err.msg);
        return -1;
    }
    return 0;
}

static int serve(const char *name, enum bp_policy_id policy, const struct bp_policy_limits *limits)
{
    struct bp_channel channel;
    size_t stage = 0;
    if (strcmp(name, CANARY) == 0)
        return begin(&channel, name, policy, limits) < 0 ? 20 : bp_stage_canary(&channel, policy);
    while (stage < sizeof stages / sizeof *stages && strcmp(stages[stage].name, name) != 0)
        stage++;
    if (stage == sizeof stages / sizeof *stages) {
        fprintf(stderr, "bulletproof-worker: no stage '%s'\n", name);
        return 2;
    }
    if (begin(&channel, name, policy, limits) < 0)
        return 20;
    return stages[stage].serve(&channel);
}

int main(int argc, char **argv)
{
    struct bp_error err;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    if (bp_policy_limits_parse(argc, argv, &policy, &limits, &err) < 0 ||
        bp_weaken_start(&err) < 0) {
        fprintf(stderr, "bulletproof-worker: %s (it is started by bulletproof, not by hand)\n",
                err.msg);
        return 2;
    }
    if (bp_confine_enter(BP_FD_STATUS, &err) < 0) {
        fprintf(stderr, "bulletproof-worker: %s\n", err.msg);
        return 20;
    }
    return serve(argv[1], policy, &limits);
}
