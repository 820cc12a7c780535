#include "harness/supervise/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

/* After so much of the processor's time no further shape is begun. */
#define BUDGET_MS 2000.0
/* Of address space, for shadow memory: 48 bytes for each byte of o, workspace and LDS. */
#define SHADOW_BYTES (16ull << 30)

enum step { STEP_COMPILE, STEP_GATE, STEP_LINES, STEP_DONE };

struct bp_gate_job {
    struct bp_gate_options options;
    enum step step;
    struct bp_compile_job compile;
    struct bp_child *child; /* of the step, null between steps */
    bool child_ended;
    bool answered; /* result is there */
    struct bp_msg_gate_result result;
    struct bp_msg_lines_result lines;
    struct bp_outcome outcome;
    struct bp_gate_note note;
};

static void finish(struct bp_gate_job *job)
{
    job->step = STEP_DONE;
    bp_child_release(&job->child);
}

/* because is cleaned of what a candidate may have written into it. */
static void skip(struct bp_gate_job *job, const char *what, const char *because)
{
    struct bp_outcome cleaned;
    bp_outcome_of_claim(BP_STAGE_gate, BP_VERDICT_PASS, because, &cleaned);
    snprintf(job->note.skipped_because, sizeof job->note.skipped_because, "%s%.400s", what,
             cleaned.message);
    job->outcome.verdict = BP_VERDICT_PASS;
    finish(job);
}

/* ---- the finding in words ---- */

static void add_site(const struct bp_gate_site *site, const char *line, char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s%s%s", site->text, *line ? " (" : "", line,
             *line ? ")" : "");
}

static void add_text(const char *more, char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void conclude(struct bp_gate_job *job)
{
    const struct bp_msg_gate_result *result = &job->result;
    char text[BP_TEXT_LINE];
    snprintf(text, sizeof text, "%s: ", result->cause);
    for (uint32_t i = 0; i < result->site_count; i++) {
        add_text(i == 0 ? "" : " and ", text, sizeof text);
        add_site(&result->sites[i], i < job->lines.line_count ? job->lines.lines[i].text : "", text,
                 sizeof text);
    }
    add_text(*result->tail ? ", " : "", text, sizeof text);
    add_text(result->tail, text, sizeof text);
    bp_outcome_of_claim(BP_STAGE_gate, result->verdict, text, &job->outcome);
    finish(job);
}

/* ---- children ---- */

static void take_answer(void *context, struct bp_child *child, enum bp_message_type type,
                        const void *message);

static void take_end(void *context, struct bp_child *child, const struct bp_child_end *end);

static const struct bp_child_handlers handlers = {take_answer, take_end};

static int start_child(struct bp_gate_job *job, const char *stage, enum bp_policy_id policy,
                       struct bp_error *err)
{
    const struct bp_child_settings *settings = &job->options.compile.children;
    struct bp_child_options options = {
        .loop = settings->loop,
        .worker_path = settings->worker_path,
        .stage = stage,
        .policy = policy,
        .limits = {.memory_bytes =
                       settings->memory_bytes + settings->workspace_max_bytes + SHADOW_BYTES},
        .log_max_bytes = settings->log_max_bytes,
        .handlers = &handlers,
        .context = job,
    };
    job->child_ended = false;
    return bp_child_start(&options, &job->child, err);
}

static int request_gate(struct bp_gate_job *job, struct bp_error *err)
{
    const struct bp_gate_options *options = &job->options;
    BP_AUTO_FREE struct bp_msg_gate_request *request = calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a gate request");
    request->dtype = options->compile.dtype;
    request->gates = options->compile.gates;
    request->object_bytes = job->compile.object_bytes;
    request->workspace_max_bytes = options->compile.children.workspace_max_bytes;
    request->budget_ms = BUDGET_MS;
    request->shape_count = options->shape_count;
    memcpy(request->shapes, options->shapes, sizeof request->shapes);
    return bp_child_request(job->child, BP_MESSAGE_gate_request, request, &job->compile.object_fd,
                            1, options->run_ms, err);
}

static int request_lines(struct bp_gate_job *job, struct bp_error *err)
{
    struct bp_msg_lines_request request = {.object_bytes = job->compile.object_bytes,
                                           .code_count = job->result.site_count};
    for (uint32_t i = 0; i < request.code_count; i++)
        request.codes[i].address = job->result.sites[i].code;
    return bp_child_request(job->child, BP_MESSAGE_lines_request, &request, &job->compile.object_fd,
                            1, job->options.run_ms, err);
}

static void take_answer(void *context, struct bp_child *child, enum bp_message_type type,
                        const void *message)
{
    struct bp_gate_job *job = context;
    struct bp_error err;
    if (type == BP_MESSAGE_ready) {
        if ((job->step == STEP_GATE ? request_gate(job, &err) : request_lines(job, &err)) == 0)
            return;
        skip(job, "", err.msg);
    } else if (type == BP_MESSAGE_failure) {
        const struct bp_msg_failure *failure = message;
        /* Lines are welcome, not needed. */
        if (job->step == STEP_GATE)
            skip(job, "", failure->message);
        else
            bp_child_stop(child);
    } else if (type == BP_MESSAGE_gate_result) {
        job->result = *(const struct bp_msg_gate_result *)message;
        job->answered = true;
        bp_child_stop(child);
    } else {
        job->lines = *(const struct bp_msg_lines_result *)message;
        bp_child_stop(child);
    }
}

/* Without an answer the child's end counts only where it can be nothing but the candidate's will. */
static void take_silence(struct bp_gate_job *job, const struct bp_child_end *end)
{
    struct bp_outcome outcome;
    bp_outcome_of_end(BP_STAGE_gate, end, job->options.run_ms, &outcome);
    bool is_will = end->cause == BP_CHILD_DENIED || end->cause == BP_CHILD_PROTOCOL;
    if (is_will && end->candidate_ran) {
        job->outcome = outcome;
        finish(job);
    } else {
        skip(job, "the instrumented kernel: ", outcome.message);
    }
}

static void take_end(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_gate_job *job = context;
    job->child_ended = true;
    if (job->step != STEP_GATE) {
        struct bp_outcome outcome;
        bp_outcome_of_end(BP_STAGE_judge, end, job->options.run_ms, &outcome);
        if (job->lines.line_count == 0)
            bp_log(BP_LOG_WARNING, "gate", "no source lines: %s", outcome.message);
        return;
    }
    job->note.run_ms = bp_child_busy_ms(child);
    if (!job->answered)
        take_silence(job, end);
}

/* ---- steps ---- */

static void after_compile(struct bp_gate_job *job)
{
    struct bp_error err;
    job->note.compile_ms = job->compile.compiler_ms;
    if (job->compile.outcome.verdict != BP_VERDICT_PASS) {
        skip(job, "compiled for the gates: ", job->compile.outcome.message);
        return;
    }
    job->step = STEP_GATE;
    if (start_child(job, "gate", BP_POLICY_RUN_CPU, &err) < 0)
        skip(job, "", err.msg);
}

static void after_gate(struct bp_gate_job *job)
{
    struct bp_error err;
    const struct bp_msg_gate_result *result = &job->result;
    bp_child_release(&job->child);
    job->note.shapes = result->shapes;
    if (result->verdict == BP_VERDICT_PASS) {
        if (result->shapes == 0)
            skip(job, "the kernel supports none of the gates' shapes: ",
                 *result->refusal ? result->refusal : "by its declaration");
        else
            finish(job);
        return;
    }
    job->step = STEP_LINES;
    if (start_child(job, "lines", BP_POLICY_JUDGE, &err) < 0)
        conclude(job);
}

bool bp_gate_job_advance(struct bp_gate_job *job)
{
    if (job->step == STEP_COMPILE && job->compile.done)
        after_compile(job);
    else if (job->step == STEP_GATE && job->child_ended)
        after_gate(job);
    else if (job->step == STEP_LINES && job->child_ended)
        conclude(job);
    return job->step == STEP_DONE;
}

/* ---- life cycle ---- */

int bp_gate_job_start(const struct bp_gate_options *options, struct bp_gate_job **slot,
                      struct bp_error *err)
{
    struct bp_gate_job *job = calloc(1, sizeof *job);
    if (!job)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a gate job");
    job->options = *options;
    job->note.gates = options->compile.gates;
    if (bp_compile_start(&job->compile, &options->compile, err) < 0) {
        free(job);
        return -1;
    }
    *slot = job;
    return 0;
}

void bp_gate_job_finish(const struct bp_gate_job *job, struct bp_outcome *outcome,
                        struct bp_gate_note *note)
{
    *outcome = job->outcome;
    *note = job->note;
}

void bp_gate_job_free(struct bp_gate_job **slot)
{
    struct bp_gate_job *job = *slot;
    if (!job)
        return;
    bp_compile_free(&job->compile);
    bp_child_release(&job->child);
    free(job);
    *slot = NULL;
}

uint32_t bp_gate_shapes(uint32_t head_dim, struct bp_shape shapes[BP_GATE_MAX_SHAPES])
{
    static const char *const names[] = {"tiny_prefill", "tiny_decode", "tiny_causal", "tiny_ragged",
                                        "tiny_window"};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct bp_shape *shape = bp_suite_shape(names[i]);
        if (!shape)
            continue;
        shapes[count] = *shape;
        shapes[count++].head_dim = head_dim;
    }
    return count;
}
