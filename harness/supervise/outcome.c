#include "harness/supervise/outcome.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"
#include "base/weaken.h"

#define BIT(name) (1u << BP_VERDICT_##name)

/* What each stage may say of a candidate by itself. */
static const uint32_t claims[BP_STAGE_COUNT] = {
    [BP_STAGE_prepare] = 0,
    [BP_STAGE_compile] = BIT(PASS) | BIT(COMPILE_ERROR) | BIT(COMPILE_LIMIT) | BIT(COMPILER_CRASH) |
                         BIT(RESOURCE_LIMIT),
    /* PASS: no objection. It counts for nothing but that the run may begin. */
    [BP_STAGE_gate] = BIT(PASS) | BIT(RACE) | BIT(CRASH),
    /* TAMPER: of memory that no other stage sees. */
    [BP_STAGE_run] = BIT(RESOURCE_LIMIT) | BIT(LAUNCH_ERROR) | BIT(UNSUPPORTED) | BIT(RACE) |
                     BIT(OOM_HOST) | BIT(OOM_DEVICE) | BIT(GPU_FAULT) | BIT(GPU_HANG) | BIT(CRASH) |
                     BIT(TAMPER),
    [BP_STAGE_judge] =
        BIT(PASS) | BIT(WRONG_RESULT) | BIT(NONFINITE) | BIT(NONDETERMINISTIC) | BIT(TAMPER),
    [BP_STAGE_time] = BIT(RESOURCE_LIMIT) | BIT(LAUNCH_ERROR) | BIT(UNSUPPORTED) | BIT(RACE) |
                      BIT(OOM_HOST) | BIT(OOM_DEVICE) | BIT(GPU_FAULT) | BIT(GPU_HANG) |
                      BIT(CRASH) | BIT(TAMPER),
};

static bool is_candidate_stage(enum bp_stage stage)
{
    return stage == BP_STAGE_compile || stage == BP_STAGE_gate || stage == BP_STAGE_run ||
           stage == BP_STAGE_time;
}

static void set(struct bp_outcome *outcome, enum bp_verdict verdict, const char *text)
{
    outcome->verdict = verdict;
    snprintf(outcome->message, sizeof outcome->message, "%s", text);
    bp_text_clean(outcome->message);
}

static void of_signal(enum bp_stage stage, int number, bool out_of_memory,
                      struct bp_outcome *outcome)
{
    bool compiling = stage == BP_STAGE_compile;
    char text[BP_TEXT_LINE];
    const char *name = sigabbrev_np(number);
    snprintf(text, sizeof text, "killed by SIG%s (%s)", name ? name : "?", strsignal(number));
    switch (number) {
    case SIGSYS:
        set(outcome, BP_VERDICT_POLICY, "killed by the seccomp filter (SIGSYS)");
        break;
    case SIGXCPU:
        set(outcome, compiling ? BP_VERDICT_COMPILE_TIMEOUT : BP_VERDICT_RUN_TIMEOUT, text);
        break;
    case SIGXFSZ:
        set(outcome, compiling ? BP_VERDICT_COMPILE_LIMIT : BP_VERDICT_CRASH, text);
        break;
    case SIGKILL: /* not ours: the kernel's, for want of memory, or another hand's */
        if (!out_of_memory)
            set(outcome, BP_VERDICT_INFRA, "killed by SIGKILL from outside");
        else
            set(outcome, compiling ? BP_VERDICT_COMPILE_LIMIT : BP_VERDICT_OOM_HOST,
                "killed by the kernel: out of memory");
        break;
    default:
        set(outcome, compiling ? BP_VERDICT_COMPILER_CRASH : BP_VERDICT_CRASH, text);
    }
}

static void of_exit(enum bp_stage stage, const struct bp_child_end *end, struct bp_outcome *outcome)
{
    if (end->wait_status == -1) {
        set(outcome, BP_VERDICT_INFRA, "the child ended and its status is not known");
    } else if (WIFSIGNALED(end->wait_status)) {
        of_signal(stage, WTERMSIG(end->wait_status), end->out_of_memory, outcome);
    } else {
        set(outcome, stage == BP_STAGE_compile ? BP_VERDICT_COMPILER_CRASH : BP_VERDICT_PROTOCOL,
            "");
        snprintf(outcome->message, sizeof outcome->message,
                 "exited with status %d without an answer", WEXITSTATUS(end->wait_status));
    }
}

static void of_deadline(enum bp_stage stage, double timeout_ms, struct bp_outcome *outcome)
{
    set(outcome, stage == BP_STAGE_compile ? BP_VERDICT_COMPILE_TIMEOUT : BP_VERDICT_RUN_TIMEOUT,
        "");
    snprintf(outcome->message, sizeof outcome->message, "no answer within %.3g s",
             timeout_ms / 1e3);
}

static void of_cause(enum bp_stage stage, const struct bp_child_end *end, double timeout_ms,
                     struct bp_outcome *outcome)
{
    switch (end->cause) {
    case BP_CHILD_DEADLINE:
        of_deadline(stage, timeout_ms, outcome);
        break;
    case BP_CHILD_DENIED:
        outcome->verdict = BP_VERDICT_POLICY;
        bp_denial_describe(&end->denial, outcome->message, sizeof outcome->message);
        break;
    case BP_CHILD_PROTOCOL:
        set(outcome, BP_VERDICT_PROTOCOL, end->text);
        break;
    case BP_CHILD_EXITED:
        of_exit(stage, end, outcome);
        break;
    case BP_CHILD_STOPPED:
    case BP_CHILD_BROKEN:
        set(outcome, BP_VERDICT_INFRA, end->text);
        break;
    }
}

void bp_outcome_of_end(enum bp_stage stage, const struct bp_child_end *end, double timeout_ms,
                       struct bp_outcome *outcome)
{
    of_cause(stage, end, timeout_ms, outcome);
    bool saw_candidate = stage == BP_STAGE_compile ? end->asked : end->candidate_ran;
    if (outcome->verdict == BP_VERDICT_INFRA || (is_candidate_stage(stage) && saw_candidate))
        return;
    char text[BP_TEXT_LINE];
    snprintf(text, sizeof text, "%s child: %.400s", bp_stage_name(stage), outcome->message);
    set(outcome, BP_VERDICT_INFRA, text);
}

void bp_outcome_of_claim(enum bp_stage stage, uint32_t verdict, const char *message,
                         struct bp_outcome *outcome)
{
    if ((claims[stage] & 1u << verdict) || bp_weakened(BP_DEFENCE_claims)) {
        set(outcome, (enum bp_verdict)verdict, message);
        return;
    }
    char text[BP_TEXT_LINE];
    snprintf(text, sizeof text, "the %s child claimed %s: %.400s", bp_stage_name(stage),
             bp_verdict_name((enum bp_verdict)verdict), message);
    set(outcome, is_candidate_stage(stage) ? BP_VERDICT_PROTOCOL : BP_VERDICT_INFRA, text);
}

void bp_outcome_of_failure(enum bp_stage stage, const struct bp_msg_failure *failure,
                           bool candidate_ran, struct bp_outcome *outcome)
{
    if (failure->verdict == BP_VERDICT_INFRA && !candidate_ran) {
        set(outcome, BP_VERDICT_INFRA, failure->message);
        return;
    }
    uint32_t verdict = failure->verdict;
    if (verdict == BP_VERDICT_PASS)
        verdict = BP_VERDICT_INFRA; /* no failure is a PASS: let the claim be refused below */
    bp_outcome_of_claim(stage, verdict, failure->message, outcome);
}

void bp_outcome_of_error(const struct bp_error *err, struct bp_outcome *outcome)
{
    set(outcome, BP_VERDICT_INFRA, err->msg);
}
