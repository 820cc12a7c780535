#include "evaluator/verdict.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

/* json_pack's "o" takes the reference it is given and fails on null, so that one failed part makes
 * the whole null and nothing leaks. */

static const char *blame_name(enum bp_blame blame)
{
    static const char *const names[] = {
        [BP_BLAME_NONE] = "none",
        [BP_BLAME_CANDIDATE] = "candidate",
        [BP_BLAME_DEVICE] = "device",
        [BP_BLAME_HARNESS] = "harness",
    };
    return names[blame];
}

/* An array of one object an element; make sees the index. */
static json_t *array_of(uint32_t count, json_t *(*make)(const struct bp_evaluation *, uint32_t),
                        const struct bp_evaluation *evaluation)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        if (json_array_append_new(array, make(evaluation, i)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *attempt_json(const struct bp_evaluation *evaluation, uint32_t i)
{
    const struct bp_attempt *attempt = &evaluation->attempts[i];
    return json_pack("{s:s, s:s, s:o, s:o}", "outcome", bp_verdict_name(attempt->outcome), "stage",
                     bp_stage_name(attempt->stage), "message", bp_json_text(attempt->message),
                     "duration_ms", bp_json_real(attempt->duration_ms));
}

static json_t *timing_json(const struct bp_evaluation *evaluation, uint32_t i)
{
    const struct bp_timing *timing = &evaluation->timings[i];
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "shape", bp_json_text(timing->shape),
        "median_ms", bp_json_real(timing->median_ms), "ci_low_ms", bp_json_real(timing->ci_low_ms),
        "ci_high_ms", bp_json_real(timing->ci_high_ms), "gflops", bp_json_real(timing->gflops),
        "gflops_full", bp_json_real(timing->gflops_full), "gbps", bp_json_real(timing->gbps),
        "roofline", timing->roofline > 0 ? bp_json_real(timing->roofline) : json_null(), "batches",
        (json_int_t)timing->batches, "calls_per_batch", (json_int_t)timing->calls_per_batch);
}

static json_t *case_json(const struct bp_evaluation *evaluation, uint32_t i)
{
    const struct bp_case_result *result = &evaluation->cases[i];
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "shape",
                     bp_json_text(result->shape), "family", bp_family_name(result->family),
                     "verdict", bp_verdict_name(result->verdict), "max_ratio",
                     bp_json_real(result->max_ratio), "rms_ratio", bp_json_real(result->rms_ratio),
                     "pooled", bp_json_real(result->pooled), "alpha", bp_json_real(result->alpha),
                     "rows", bp_json_unsigned(result->rows));
}

static json_t *unseen_json(const struct bp_evaluation *evaluation, uint32_t i)
{
    const struct bp_unseen_shape *one = &evaluation->unseen.shapes[i];
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o}", "shape", bp_json_text(one->shape), "verdict",
                     bp_verdict_name(one->verdict), "stage", bp_stage_name(one->stage), "message",
                     bp_json_text(one->message), "rows", bp_json_unsigned(one->rows), "max_ratio",
                     bp_json_real(one->max_ratio));
}

static json_t *device_json(const struct bp_evaluation *e)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "name", bp_json_text(e->device_name), "kind",
                     bp_json_text(e->device_kind), "arch", bp_json_text(e->device_arch), "driver",
                     bp_json_text(e->device_driver));
}

static json_t *percent(uint32_t part, uint32_t total)
{
    return total ? json_real(100.0 * part / total) : json_null();
}

json_t *bp_safety_json(const struct bp_safety *safety)
{
    uint32_t total = safety->total_errors;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:{s:o, s:o, s:o, s:o}, s:I, s:I, s:o}",
                     "command_errors", (json_int_t)safety->command_errors, "memory_violations",
                     (json_int_t)safety->memory_violations, "compilation_errors",
                     (json_int_t)safety->compilation_errors, "resource_errors",
                     (json_int_t)safety->resource_errors, "total_errors", (json_int_t)total,
                     "percent", "command", percent(safety->command_errors, total), "memory",
                     percent(safety->memory_violations, total), "compilation",
                     percent(safety->compilation_errors, total), "resource",
                     percent(safety->resource_errors, total), "retries",
                     (json_int_t)safety->retries, "fallbacks", (json_int_t)safety->fallbacks,
                     "safety_score", bp_json_real(safety->safety_score));
}

static json_t *durations_json(const struct bp_durations *duration)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "prepare", bp_json_real(duration->prepare_ms),
        "compile", bp_json_real(duration->compile_ms), "run", bp_json_real(duration->run_ms),
        "judge", bp_json_real(duration->judge_ms), "time", bp_json_real(duration->time_ms),
        "overhead", bp_json_real(duration->overhead_ms), "total", bp_json_real(duration->total_ms));
}

/* Where it comes from and what it is. */
static json_t *identity_json(const struct bp_evaluation *e)
{
    return json_pack(
        "{s:I, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "number", (json_int_t)e->number, "origin",
        bp_origin_name(e->origin), "strategy", bp_json_text_or_null(e->strategy), "parent",
        e->parent ? json_integer(e->parent) : json_null(), "kernel", bp_json_text(e->kernel_name),
        "dtype", bp_dtype_name(e->dtype), "knobs", bp_json_knobs(e), "source_hash",
        bp_json_text_or_null(e->source_hash), "object_hash", bp_json_text_or_null(e->object_hash));
}

/* What it was evaluated on. */
static json_t *setting_json(const struct bp_evaluation *e)
{
    return json_pack("{s:o, s:o, s:o}", "device", device_json(e), "suite", bp_json_text(e->suite),
                     "sandbox", bp_json_text(e->sandbox));
}

/* What came of it. */
static json_t *verdict_json(const struct bp_evaluation *e)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "verdict", bp_verdict_name(e->verdict),
                     "blame", blame_name(bp_evaluation_blame(e)), "stage", bp_stage_name(e->stage),
                     "message", bp_json_text(e->message), "score",
                     e->has_score ? bp_json_real(e->score) : json_null(), "flags",
                     e->duplicate ? json_pack("[s]", "duplicate") : json_array(), "duplicate_of",
                     e->duplicate ? json_integer(e->duplicate_of) : json_null());
}

/* Null when no gates were asked for. */
static json_t *gate_json(const struct bp_gate_note *note)
{
    if (note->gates == 0)
        return json_null();
    json_t *ran = json_array();
    for (int i = 0; i < BP_GATE_COUNT && !note->skipped_because[0]; i++)
        if (note->gates & 1u << i)
            json_array_append_new(ran, json_string(bp_gate_name((enum bp_gate)i)));
    return json_pack("{s:o, s:I, s:o, s:o, s:o}", "ran", ran, "shapes", (json_int_t)note->shapes,
                     "skipped_because", bp_json_text_or_null(note->skipped_because), "compile_ms",
                     bp_json_real(note->compile_ms), "run_ms", bp_json_real(note->run_ms));
}

static json_t *details_json(const struct bp_evaluation *e)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "attempts",
        array_of(e->attempt_count, attempt_json, e), "profile", bp_json_profile(&e->profile),
        "counters", bp_json_counters(e), "gate", gate_json(&e->gate), "plan", bp_json_plan(e),
        "timing", array_of(e->timing_count, timing_json, e), "correctness",
        array_of(e->case_count, case_json, e), "unseen", array_of(e->unseen.count, unseen_json, e),
        "safety", bp_safety_json(&e->safety), "duration_ms", durations_json(&e->duration),
        "diagnostics", bp_json_text_or_null(e->diagnostics), "finished_wall_ms",
        (json_int_t)e->finished_wall_ms);
}

json_t *bp_json_joined(json_t *parts[], size_t count)
{
    json_t *object = json_object();
    bool whole = object != NULL;
    for (size_t i = 0; i < count; i++) {
        whole = whole && parts[i] && json_object_update(object, parts[i]) == 0;
        json_decref(parts[i]);
    }
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}

json_t *bp_evaluation_json(const struct bp_evaluation *evaluation)
{
    json_t *parts[] = {verdict_json(evaluation), identity_json(evaluation),
                       setting_json(evaluation), details_json(evaluation)};
    return bp_json_joined(parts, sizeof parts / sizeof parts[0]);
}

json_t *bp_history_json(const struct bp_evaluation *e)
{
    json_t *parts[] = {verdict_json(e), identity_json(e),
                       json_pack("{s:o, s:I}", "total_ms", bp_json_real(e->duration.total_ms),
                                 "finished_wall_ms", (json_int_t)e->finished_wall_ms)};
    return bp_json_joined(parts, sizeof parts / sizeof parts[0]);
}
