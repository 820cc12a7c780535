#include "harness/store/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

struct bp_evaluation *bp_evaluation_new(void)
{
    return bp_fault_calloc(1, sizeof(struct bp_evaluation));
}

void bp_evaluation_free(struct bp_evaluation *evaluation)
{
    if (!evaluation)
        return;
    free(evaluation->source);
    free(evaluation->plans);
    free(evaluation->cases);
    free(evaluation->diagnostics);
    bp_evidence_free(evaluation->evidence);
    free(evaluation);
}

/* Replaces *field by a copy of its bytes; null stays null. */
static bool own(void *field, size_t bytes)
{
    void **slot = field;
    if (!*slot)
        return true;
    void *copy = bp_fault_malloc(bytes ? bytes : 1);
    if (copy)
        memcpy(copy, *slot, bytes);
    *slot = copy;
    return copy != NULL;
}

struct bp_evaluation *bp_evaluation_copy(const struct bp_evaluation *evaluation)
{
    struct bp_evaluation *copy = bp_fault_malloc(sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *evaluation;
    bool whole = own(&copy->source, copy->source_bytes + 1);
    whole &= own(&copy->plans, copy->plan_count * sizeof *copy->plans);
    whole &= own(&copy->cases, copy->case_count * sizeof *copy->cases);
    whole &= own(&copy->diagnostics, copy->diagnostics ? strlen(copy->diagnostics) + 1 : 0);
    copy->evidence = bp_evidence_copy(evaluation->evidence);
    whole &= !evaluation->evidence || copy->evidence;
    if (whole)
        return copy;
    bp_evaluation_free(copy);
    return NULL;
}

void bp_evaluation_short(const struct bp_evaluation *evaluation, struct bp_recorded *recorded)
{
    const struct bp_evaluation *e = evaluation;
    *recorded = (struct bp_recorded){
        .number = e->number,
        .parent = e->parent,
        .origin = e->origin,
        .verdict = e->verdict,
        .stage = e->stage,
        .has_score = e->has_score,
        .score = e->score,
        .promoted = e->promoted,
        .duplicate = e->duplicate,
        .duplicate_of = e->duplicate_of,
        .strategy = e->strategy,
        .source_hash = e->source_hash,
        .object_hash = e->object_hash,
        .device_driver = e->device_driver,
        .knob_count = e->knob_count,
        .knobs = e->knobs,
        .safety = e->safety,
        .total_ms = e->duration.total_ms,
        .finished_wall_ms = e->finished_wall_ms,
    };
}

static const char *const origins[BP_ORIGIN_COUNT] = {
    [BP_ORIGIN_EVAL] = "eval",
    [BP_ORIGIN_EAGER] = "eager",
    [BP_ORIGIN_BASELINE] = "baseline",
    [BP_ORIGIN_SEARCH] = "search",
};

const char *bp_origin_name(enum bp_origin origin)
{
    return origins[origin];
}

bool bp_origin_parse(const char *name, enum bp_origin *origin)
{
    for (int i = 0; i < BP_ORIGIN_COUNT; i++) {
        if (strcmp(name, origins[i]) == 0) {
            *origin = (enum bp_origin)i;
            return true;
        }
    }
    return false;
}

static enum bp_blame blame_of(const struct bp_evaluation *evaluation, enum bp_verdict verdict)
{
    uint32_t suspected = 0;
    for (uint32_t i = 0; i < evaluation->attempt_count; i++)
        suspected += bp_verdict_retry(evaluation->attempts[i].outcome) == BP_RETRY_AFTER_PROBE;
    if (suspected > 1 && bp_verdict_retry(verdict) == BP_RETRY_AFTER_PROBE)
        return BP_BLAME_CANDIDATE;
    return bp_verdict_blame(verdict);
}

enum bp_blame bp_evaluation_blame(const struct bp_evaluation *evaluation)
{
    return blame_of(evaluation, evaluation->verdict);
}

const struct bp_unseen_shape *bp_unseen_failure(const struct bp_unseen *unseen)
{
    if (unseen->count == 0)
        return NULL;
    const struct bp_unseen_shape *last = &unseen->shapes[unseen->count - 1];
    return last->verdict == BP_VERDICT_PASS ? NULL : last;
}

/* Counts one outcome in its class and returns what it costs of the 100 points. A switch without a
 * default, so that the compiler names a verdict that was forgotten here. */
static double count_outcome(struct bp_safety *safety, enum bp_verdict outcome)
{
    switch (outcome) {
    case BP_VERDICT_PASS:
    case BP_VERDICT_INVALID_CONFIG:
    case BP_VERDICT_UNSUPPORTED:
    case BP_VERDICT_WRONG_RESULT:
    case BP_VERDICT_NONFINITE:
    case BP_VERDICT_NONDETERMINISTIC:
    case BP_VERDICT_INFRA:
    case BP_VERDICT_COUNT:
        return 0;
    case BP_VERDICT_INVALID_SOURCE:
    case BP_VERDICT_COMPILE_ERROR:
    case BP_VERDICT_COMPILE_TIMEOUT:
    case BP_VERDICT_COMPILE_LIMIT:
    case BP_VERDICT_COMPILER_CRASH:
        safety->compilation_errors++;
        return 10;
    case BP_VERDICT_RESOURCE_LIMIT:
    case BP_VERDICT_OOM_HOST:
    case BP_VERDICT_OOM_DEVICE:
        safety->resource_errors++;
        return 25;
    case BP_VERDICT_LAUNCH_ERROR:
    case BP_VERDICT_RUN_TIMEOUT:
    case BP_VERDICT_GPU_HANG:
    case BP_VERDICT_POLICY:
    case BP_VERDICT_PROTOCOL:
        safety->command_errors++;
        return 50;
    case BP_VERDICT_GPU_FAULT:
    case BP_VERDICT_CRASH:
    case BP_VERDICT_TAMPER:
    case BP_VERDICT_RACE:
        safety->memory_violations++;
        return 75;
    }
    return 0;
}

void bp_evaluation_safety(struct bp_evaluation *evaluation)
{
    struct bp_safety safety = {0};
    double cost = 0;
    enum bp_verdict last = BP_VERDICT_COUNT;
    for (uint32_t i = 0; i < evaluation->attempt_count; i++) {
        last = evaluation->attempts[i].outcome;
        cost += count_outcome(&safety, last);
    }
    if (evaluation->verdict != last)
        cost += count_outcome(&safety, evaluation->verdict);
    safety.retries = evaluation->attempt_count > 0 ? evaluation->attempt_count - 1 : 0;
    enum bp_blame blame = blame_of(evaluation, evaluation->verdict);
    safety.fallbacks = blame == BP_BLAME_DEVICE || blame == BP_BLAME_HARNESS;
    safety.total_errors = safety.command_errors + safety.memory_violations +
                          safety.compilation_errors + safety.resource_errors;
    safety.safety_score = cost < 100 ? 100 - cost : 0;
    evaluation->safety = safety;
}

void bp_evaluation_fail(struct bp_evaluation *evaluation, enum bp_verdict verdict,
                        enum bp_stage stage, const char *message)
{
    evaluation->verdict = verdict;
    evaluation->stage = stage;
    evaluation->score = 0;
    snprintf(evaluation->message, sizeof evaluation->message, "%s", message);
    bp_evaluation_safety(evaluation);
}

void bp_safety_add(struct bp_safety *sums, const struct bp_safety *one, uint32_t before)
{
    sums->command_errors += one->command_errors;
    sums->memory_violations += one->memory_violations;
    sums->compilation_errors += one->compilation_errors;
    sums->resource_errors += one->resource_errors;
    sums->total_errors += one->total_errors;
    sums->retries += one->retries;
    sums->fallbacks += one->fallbacks;
    sums->safety_score += (one->safety_score - sums->safety_score) / ((double)before + 1);
}
