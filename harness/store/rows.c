#include <stdio.h>

#include "base/cleanup.h"
#include "harness/store/database.h"
#include "harness/store/json_parts.h"

#define CELLS(row) (row), (int)(sizeof(row) / sizeof((row)[0]))

static struct bp_cell text_or_null(const char *text)
{
    return bp_cell_if(text && text[0], bp_cell_text(text));
}

/* The text of a JSON value, whose reference it takes; null when there is no memory. */
static char *dump(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(value);
    return text;
}

static int add_candidate(struct bp_database *database, const struct bp_evaluation *e,
                         const char *sha256, struct bp_error *err)
{
    const struct bp_cell source[] = {
        bp_cell_text(sha256),
        bp_cell_blob(e->source, e->source_bytes),
    };
    BP_AUTO_FREE char *knobs = dump(bp_json_knobs(e));
    if (!knobs)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the knobs of evaluation %u", e->number);
    const struct bp_cell candidate[] = {
        bp_cell_text(e->source_hash), text_or_null(e->object_hash),          bp_cell_text(sha256),
        bp_cell_text(e->kernel_name), bp_cell_text(bp_dtype_name(e->dtype)), bp_cell_text(knobs),
        bp_cell_integer(e->number),
    };
    if (bp_database_insert(database, BP_INSERT_SOURCE, CELLS(source), err) < 0)
        return -1;
    return bp_database_insert(database, BP_INSERT_CANDIDATE, CELLS(candidate), err);
}

static int add_verdict(struct bp_database *database, const struct bp_evaluation *e,
                       const char *sha256, struct bp_error *err)
{
    BP_AUTO_FREE char *plan = dump(bp_json_plan(e));
    if (!plan)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the plans of evaluation %u", e->number);
    const struct bp_cell row[] = {
        bp_cell_integer(e->number),
        bp_cell_integer(database->events),
        bp_cell_text(bp_origin_name(e->origin)),
        text_or_null(e->strategy),
        bp_cell_if(e->parent, bp_cell_integer(e->parent)),
        bp_cell_text(e->source_hash),
        bp_cell_text(sha256),
        text_or_null(e->object_hash),
        bp_cell_text(bp_verdict_name(e->verdict)),
        bp_cell_text(bp_stage_name(e->stage)),
        bp_cell_text(e->message),
        bp_cell_if(e->has_score, bp_cell_real(e->score)),
        bp_cell_integer(e->promoted),
        bp_cell_integer(e->duplicate),
        bp_cell_if(e->duplicate, bp_cell_integer(e->duplicate_of)),
        bp_cell_real(e->duration.prepare_ms),
        bp_cell_real(e->duration.compile_ms),
        bp_cell_real(e->duration.run_ms),
        bp_cell_real(e->duration.judge_ms),
        bp_cell_real(e->duration.time_ms),
        bp_cell_real(e->duration.overhead_ms),
        bp_cell_real(e->duration.total_ms),
        bp_cell_integer(e->safety.command_errors),
        bp_cell_integer(e->safety.memory_violations),
        bp_cell_integer(e->safety.compilation_errors),
        bp_cell_integer(e->safety.resource_errors),
        bp_cell_integer(e->safety.total_errors),
        bp_cell_integer(e->safety.retries),
        bp_cell_integer(e->safety.fallbacks),
        bp_cell_real(e->safety.safety_score),
        bp_cell_integer(e->finished_wall_ms),
        bp_cell_text(e->device_name),
        bp_cell_text(e->device_kind),
        bp_cell_text(e->device_arch),
        bp_cell_text(e->device_driver),
        bp_cell_text(e->suite),
        bp_cell_text(e->sandbox),
        bp_cell_text(plan),
        text_or_null(e->diagnostics),
    };
    return bp_database_insert(database, BP_INSERT_EVALUATION, CELLS(row), err);
}

static int add_attempt(struct bp_database *database, uint32_t number, uint32_t ordinal,
                       const struct bp_attempt *attempt, struct bp_error *err)
{
    const struct bp_cell row[] = {
        bp_cell_integer(number),
        bp_cell_integer(ordinal),
        bp_cell_text(bp_verdict_name(attempt->outcome)),
        bp_cell_text(bp_stage_name(attempt->stage)),
        bp_cell_text(attempt->message),
        bp_cell_real(attempt->duration_ms),
    };
    return bp_database_insert(database, BP_INSERT_ATTEMPT, CELLS(row), err);
}

static int add_timing(struct bp_database *database, uint32_t number, uint32_t ordinal,
                      const struct bp_timing *timing, struct bp_error *err)
{
    const struct bp_cell row[] = {
        bp_cell_integer(number),
        bp_cell_integer(ordinal),
        bp_cell_text(timing->shape),
        bp_cell_real(timing->median_ms),
        bp_cell_real(timing->ci_low_ms),
        bp_cell_real(timing->ci_high_ms),
        bp_cell_real(timing->gflops),
        bp_cell_real(timing->gflops_full),
        bp_cell_real(timing->gbps),
        bp_cell_integer(timing->batches),
        bp_cell_integer(timing->calls_per_batch),
        bp_cell_if(timing->roofline > 0, bp_cell_real(timing->roofline)),
    };
    return bp_database_insert(database, BP_INSERT_TIMING, CELLS(row), err);
}

static int add_case(struct bp_database *database, uint32_t number, uint32_t ordinal,
                    const struct bp_case_result *result, struct bp_error *err)
{
    const struct bp_cell row[] = {
        bp_cell_integer(number),
        bp_cell_integer(ordinal),
        bp_cell_text(result->shape),
        bp_cell_text(bp_family_name(result->family)),
        bp_cell_text(bp_verdict_name(result->verdict)),
        bp_cell_real(result->max_ratio),
        bp_cell_real(result->rms_ratio),
        bp_cell_real(result->pooled),
        bp_cell_real(result->alpha),
        bp_cell_integer((int64_t)result->rows),
    };
    return bp_database_insert(database, BP_INSERT_CORRECTNESS, CELLS(row), err);
}

static int add_evaluation_event(struct bp_database *database, int64_t wall_ms,
                                const struct bp_evaluation *e, struct bp_error *err)
{
    char json[160];
    snprintf(json, sizeof json, "{\"number\":%u,\"verdict\":\"%s\",\"duplicate\":%s}", e->number,
             bp_verdict_name(e->verdict), e->duplicate ? "true" : "false");
    return bp_database_add_event(database, wall_ms, "evaluation", json, err);
}

static int add_gate(struct bp_database *database, const struct bp_evaluation *e,
                    struct bp_error *err)
{
    const struct bp_gate_note *note = &e->gate;
    const struct bp_cell row[] = {
        bp_cell_integer(e->number),     bp_cell_integer(note->gates),
        bp_cell_integer(note->shapes),  text_or_null(note->skipped_because),
        bp_cell_real(note->compile_ms), bp_cell_real(note->run_ms),
    };
    return bp_database_insert(database, BP_INSERT_GATE, CELLS(row), err);
}

static int add_kernel(struct bp_database *database, uint32_t number, uint32_t ordinal,
                      const struct bp_profile_kernel *kernel, struct bp_error *err)
{
    BP_AUTO_FREE char *mix = dump(bp_json_mix(kernel));
    if (!mix)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the profile of evaluation %u", number);
    const struct bp_cell row[] = {
        bp_cell_integer(number),
        bp_cell_integer(ordinal),
        bp_cell_text(kernel->name),
        bp_cell_integer(kernel->vgpr),
        bp_cell_integer(kernel->agpr),
        bp_cell_integer(kernel->sgpr),
        bp_cell_integer(kernel->spills),
        bp_cell_integer(kernel->sgpr_spills),
        bp_cell_integer(kernel->lds_bytes),
        bp_cell_integer(kernel->scratch_bytes),
        bp_cell_if(kernel->block_threads, bp_cell_integer(kernel->block_threads)),
        bp_cell_integer(kernel->occupancy),
        bp_cell_integer(kernel->occupancy_max),
        bp_cell_if(kernel->has_mix, bp_cell_text(mix)),
    };
    return bp_database_insert(database, BP_INSERT_PROFILE, CELLS(row), err);
}

static int add_unseen(struct bp_database *database, uint32_t number, uint32_t ordinal,
                      const struct bp_unseen_shape *one, struct bp_error *err)
{
    const struct bp_cell row[] = {
        bp_cell_integer(number),
        bp_cell_integer(ordinal),
        bp_cell_text(one->shape),
        bp_cell_text(bp_verdict_name(one->verdict)),
        bp_cell_text(bp_stage_name(one->stage)),
        bp_cell_text(one->message),
        bp_cell_integer((int64_t)one->rows),
        bp_cell_real(one->max_ratio),
    };
    return bp_database_insert(database, BP_INSERT_UNSEEN, CELLS(row), err);
}

static int add_counters(struct bp_database *database, const struct bp_evaluation *e,
                        struct bp_error *err)
{
    const struct bp_cell row[] = {bp_cell_integer(e->number),
#define CELL(name) bp_cell_integer((int64_t)e->counters.name),
                                  BP_COUNTER_LIST(CELL)
#undef CELL
    };
    return bp_database_insert(database, BP_INSERT_COUNTERS, CELLS(row), err);
}

int bp_database_add_evaluation(struct bp_database *database, int64_t wall_ms,
                               const struct bp_evaluation *evaluation, struct bp_error *err)
{
    const struct bp_evaluation *e = evaluation;
    char sha256[BP_HASH_TEXT];
    bp_hash_text(e->source, e->source_bytes, sha256);
    if (add_evaluation_event(database, wall_ms, e, err) < 0 ||
        add_candidate(database, e, sha256, err) < 0 || add_verdict(database, e, sha256, err) < 0)
        return -1;
    for (uint32_t i = 0; i < e->attempt_count; i++)
        if (add_attempt(database, e->number, i, &e->attempts[i], err) < 0)
            return -1;
    for (uint32_t i = 0; i < e->timing_count; i++)
        if (add_timing(database, e->number, i, &e->timings[i], err) < 0)
            return -1;
    for (uint32_t i = 0; i < e->case_count; i++)
        if (add_case(database, e->number, i, &e->cases[i], err) < 0)
            return -1;
    for (uint32_t i = 0; i < e->profile.kernel_count; i++)
        if (add_kernel(database, e->number, i, &e->profile.kernels[i], err) < 0)
            return -1;
    for (uint32_t i = 0; i < e->unseen.count; i++)
        if (add_unseen(database, e->number, i, &e->unseen.shapes[i], err) < 0)
            return -1;
    if (e->counted && add_counters(database, e, err) < 0)
        return -1;
    return e->gate.gates ? add_gate(database, e, err) : 0;
}
