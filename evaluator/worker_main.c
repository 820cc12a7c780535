/* bulletproof-worker STAGE …: one stage of one evaluation, confined before it reads anything. Started
 * by sandbox/launch.c only; `look` (look.h) by doctor. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/weaken.h"
#include "evaluator/gpu_open.h"
#include "evaluator/lines.h"
#include "evaluator/look.h"
#include "evaluator/stage.h"
#include "sandbox/confine.h"

#define CANARY "canary"

static const struct stage {
    const char *name;
    int (*serve)(struct bp_channel *channel);
    int (*open)(struct bp_error *err); /* before it is confined; may be null */
} stages[] = {
    {"prepare", bp_stage_prepare, NULL},
    {"compile", bp_stage_compile, NULL},
    {"compile_amd", bp_stage_compile, bp_stage_compile_amd_open},
    {"compile_nvidia", bp_stage_compile, bp_stage_compile_nvidia_open},
    {"run", bp_stage_run, NULL},
    {"judge", bp_stage_judge, NULL},
    {"probe", bp_stage_probe, NULL},
    {"gate", bp_stage_gate, NULL},
    {"lines", bp_stage_lines, bp_lines_open},
};

static int confine(const struct stage *stage, enum bp_policy_id policy,
                   const struct bp_policy_limits *limits, char *layers, size_t size,
                   struct bp_error *err)
{
    if (strcmp(stage->name, CANARY) == 0)
        return bp_confine_layers(policy, limits, BP_FD_CONTROL, layers, size, err);
    return bp_confine_stage(policy, limits, BP_FD_CONTROL, layers, size, err);
}

/* Confines the process as the stage wants it, and says so. */
static int begin(struct bp_channel *channel, const struct stage *stage, enum bp_policy_id policy,
                 const struct bp_policy_limits *limits)
{
    struct bp_error err;
    struct bp_msg_ready ready = {0};
    bp_channel_open(channel);
    channel->nonce = 0;
    channel->policy = policy;
    bool works = stage->serve != NULL; /* or is it the canary? */
    if ((stage->open && stage->open(&err) < 0) ||
        (works && bp_gpu_preload(policy, bp_confine_sees_one(limits), &err) < 0) ||
        confine(stage, policy, limits, ready.sandbox, sizeof ready.sandbox, &err) < 0) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        return -1;
    }
    snprintf(ready.stage, sizeof ready.stage, "%s", stage->name);
    if (bp_channel_send(channel, BP_MESSAGE_ready, &ready, &err) < 0) {
        fprintf(stderr, "bulletproof-worker: %s\n", err.msg);
        return -1;
    }
    return 0;
}

static int serve(const char *name, enum bp_policy_id policy, const struct bp_policy_limits *limits)
{
    static const struct stage canary = {.name = CANARY};
    struct bp_channel channel;
    size_t stage = 0;
    if (strcmp(name, CANARY) == 0)
        return begin(&channel, &canary, policy, limits) < 0 ? 20
                                                            : bp_stage_canary(&channel, policy);
    while (stage < sizeof stages / sizeof *stages && strcmp(stages[stage].name, name) != 0)
        stage++;
    if (stage == sizeof stages / sizeof *stages) {
        fprintf(stderr, "bulletproof-worker: no stage '%s'\n", name);
        return 2;
    }
    if (begin(&channel, &stages[stage], policy, limits) < 0)
        return 20;
    return stages[stage].serve(&channel);
}

int main(int argc, char **argv)
{
    struct bp_error err;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    if (argc == 3 && strcmp(argv[1], "look") == 0)
        return bp_look(argv[2]);
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
