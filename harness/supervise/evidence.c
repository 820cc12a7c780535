#include "harness/supervise/evidence.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "harness/supervise/crash_report.h"

static const char *const cause_names[] = {
    [BP_CHILD_EXITED] = "exited",   [BP_CHILD_DEADLINE] = "deadline",
    [BP_CHILD_DENIED] = "denied",   [BP_CHILD_PROTOCOL] = "protocol",
    [BP_CHILD_STOPPED] = "stopped", [BP_CHILD_BROKEN] = "broken",
};

static char *copy_bytes(const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy) {
        if (size > 0)
            memcpy(copy, bytes, size);
        copy[size] = '\0';
    }
    return copy;
}

static void note_denial(const struct bp_denial *denial, struct bp_evidence *evidence)
{
    evidence->denied = true;
    evidence->call = denial->call;
    memcpy(evidence->call_args, denial->args, sizeof evidence->call_args);
    bp_denial_describe(denial, evidence->denial, sizeof evidence->denial);
}

static void note_crash(int number, struct bp_evidence *evidence)
{
    BP_AUTO_FREE struct bp_crash_report *report = malloc(sizeof *report);
    if (!report || !evidence->log ||
        !bp_crash_report_read(evidence->log, evidence->log_bytes, number, report))
        return;
    const char *name = sigabbrev_np(number);
    char address[BP_TEXT_SHORT + 16] = "";
    if (report->address[0] != '?')
        snprintf(address, sizeof address, " at address %s", report->address);
    snprintf(evidence->fault, sizeof evidence->fault, "SIG%s%s, %s", name ? name : "?", address,
             report->place);
    if (report->trace[0])
        evidence->backtrace = strdup(report->trace);
}

struct bp_evidence *bp_evidence_of_child(enum bp_stage stage, const struct bp_child *child,
                                         const struct bp_child_end *end)
{
    struct bp_evidence *evidence = bp_evidence_new();
    if (!evidence)
        return NULL;
    evidence->stage = stage;
    snprintf(evidence->cause, sizeof evidence->cause, "%s", cause_names[end->cause]);
    memcpy(evidence->reason, end->text, sizeof evidence->reason);
    evidence->wait_status = end->wait_status;
    evidence->unreaped = end->unreaped;
    evidence->candidate_ran = end->candidate_ran;
    evidence->usage = end->usage;
    evidence->log_bytes = bp_child_log_bytes(child);
    evidence->log = copy_bytes(bp_child_log(child), evidence->log_bytes);
    const void *frames = bp_child_frames(child, &evidence->frames_bytes);
    evidence->frames = copy_bytes(frames, evidence->frames_bytes);
    if (end->cause == BP_CHILD_DENIED)
        note_denial(&end->denial, evidence);
    if (end->cause == BP_CHILD_EXITED && end->candidate_ran && end->wait_status != -1 &&
        WIFSIGNALED(end->wait_status))
        note_crash(WTERMSIG(end->wait_status), evidence);
    if (evidence->log && evidence->frames)
        return evidence;
    bp_evidence_free(evidence);
    return NULL;
}

/* AMD's runtime ends the process when the device fails in a way that nobody takes care of, and says why
 * before. Kernels print to the same log, but then it is not the runtime that aborts. */
static void name_abort(const struct bp_evidence *evidence, struct bp_outcome *outcome)
{
    static const struct {
        const char *text;
        enum bp_verdict verdict;
    } lines[] = {
        {"Memory access fault by GPU", BP_VERDICT_GPU_FAULT},
        {"HW Exception by GPU", BP_VERDICT_GPU_HANG},
        {"HSA_STATUS_ERROR_OUT_OF_RESOURCES", BP_VERDICT_OOM_DEVICE},
        {"HSA_STATUS_ERROR", BP_VERDICT_GPU_FAULT},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *at = strstr(evidence->log, lines[i].text);
        if (!at)
            continue;
        outcome->verdict = lines[i].verdict;
        snprintf(outcome->message, sizeof outcome->message, "the runtime aborted (SIGABRT): %.*s",
                 (int)strcspn(at, "\n"), at);
        bp_text_clean(outcome->message);
        return;
    }
}

void bp_evidence_name_fault(const struct bp_evidence *evidence, enum bp_device_kind kind,
                            struct bp_outcome *outcome)
{
    if (!evidence || outcome->verdict != BP_VERDICT_CRASH)
        return;
    bool aborted = WIFSIGNALED(evidence->wait_status) && WTERMSIG(evidence->wait_status) == SIGABRT;
    if (evidence->fault[0])
        snprintf(outcome->message, sizeof outcome->message, "killed by %.480s", evidence->fault);
    else if (kind != BP_DEVICE_KIND_CPU && aborted)
        name_abort(evidence, outcome);
}
