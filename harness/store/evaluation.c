#include "harness/store/evaluation.h"

#include <stdlib.h>
#include <string.h>

struct bp_evaluation *bp_evaluation_new(void)
{
    return calloc(1, sizeof(struct bp_evaluation));
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
    void *copy = malloc(bytes ? bytes : 1);
    if (copy)
        memcpy(copy, *slot, bytes);
    *slot = copy;
    return copy != NULL;
}

struct bp_evaluation *bp_evaluation_copy(const struct bp_evaluation *evaluation)
{
    struct bp_evaluation *copy = malloc(sizeof *copy);
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

const char *bp_origin_name(enum bp_origin origin)
{
    static const char *const names[] = {
        [BP_ORIGIN_EVAL] = "eval",
        [BP_ORIGIN_EAGER] = "eager",
        [BP_ORIGIN_BASELINE] = "baseline",
        [BP_ORIGIN_SEARCH] = "search",
    };
    return names[origin];
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
    enum bp_verdict last = evaluation->verdict;
    for (uint32_t i = 0; i < evaluation->attempt_count; i++) {
        last = evaluation->attempts[i].outcome;
        cost += count_outcome(&safety, last);
    }
    if (evaluation->attempt_count == 0)
        cost = count_outcome(&safety, last);
    else
        safety.retries = evaluation->attempt_count - 1;
    safety.fallbacks = bp_verdict_retry(last) != BP_RETRY_NEVER;
    safety.total_errors = safety.command_errors + safety.memory_violations +
                          safety.compilation_errors + safety.resource_errors;
    safety.safety_score = cost < 100 ? 100 - cost : 0;
    evaluation->safety = safety;
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
