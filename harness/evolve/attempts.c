#include "harness/evolve/attempts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double bp_attempts_longest_pause_ms(const struct bp_attempts_policy *policy, uint32_t retry)
{
    return fmin(policy->cap_ms, policy->base_ms * pow(policy->factor, retry - 1.0));
}

static uint32_t count_retry(const enum bp_verdict *outcomes, uint32_t count, enum bp_retry retry)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        found += bp_verdict_retry(outcomes[i]) == retry;
    return found;
}

enum bp_attempts_next bp_attempts_next(const struct bp_attempts_policy *policy,
                                       const enum bp_verdict *outcomes, uint32_t count)
{
    if (count >= policy->attempts)
        return BP_ATTEMPTS_STAND;
    switch (bp_verdict_retry(outcomes[count - 1])) {
    case BP_RETRY_NEVER:
        return BP_ATTEMPTS_STAND;
    case BP_RETRY_AFTER_PROBE:
        return count_retry(outcomes, count, BP_RETRY_AFTER_PROBE) == 1 ? BP_ATTEMPTS_AGAIN
                                                                       : BP_ATTEMPTS_STAND;
    case BP_RETRY_BACKOFF:
        return BP_ATTEMPTS_BACK_OFF;
    }
    return BP_ATTEMPTS_STAND;
}

bool bp_attempts_is_failure(enum bp_verdict outcome)
{
    return outcome != BP_VERDICT_PASS && bp_verdict_blame(outcome) != BP_BLAME_HARNESS;
}

bool bp_attempts_suspects(enum bp_stage stage, enum bp_verdict outcome, enum bp_health_event *event)
{
    static const struct {
        enum bp_verdict outcome;
        enum bp_health_event event;
    } suspicions[] = {
        {BP_VERDICT_CRASH, BP_HEALTH_EVENT_fault},
        {BP_VERDICT_GPU_FAULT, BP_HEALTH_EVENT_fault},
        {BP_VERDICT_OOM_HOST, BP_HEALTH_EVENT_fault},
        {BP_VERDICT_OOM_DEVICE, BP_HEALTH_EVENT_fault},
        {BP_VERDICT_RUN_TIMEOUT, BP_HEALTH_EVENT_hang},
        {BP_VERDICT_GPU_HANG, BP_HEALTH_EVENT_hang},
    };
    if (stage != BP_STAGE_run && stage != BP_STAGE_time)
        return false;
    for (size_t i = 0; i < sizeof suspicions / sizeof *suspicions; i++) {
        if (suspicions[i].outcome != outcome)
            continue;
        *event = suspicions[i].event;
        return true;
    }
    return false;
}

void bp_attempts_blame_device(struct bp_outcome *outcome, const char *probe_message)
{
    char text[BP_TEXT_LINE];
    snprintf(text, sizeof text, "%s, and the device failed its probe (%.160s): %.240s",
             bp_verdict_name(outcome->verdict), probe_message, outcome->message);
    outcome->verdict = BP_VERDICT_INFRA;
    memcpy(outcome->message, text, sizeof outcome->message);
}
