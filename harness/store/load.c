/* Evaluations as they were written by rows.c. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/json_parts.h"
#include "harness/store/reader.h"

/* SQLite keeps a NaN as NULL. */
static double real_of(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN
                                                           : sqlite3_column_double(row, column);
}

static uint32_t count_of(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}

static void copy_text(char *text, size_t size, sqlite3_stmt *row, int column)
{
    snprintf(text, size, "%s", bp_column_text(row, column));
}

/* Not what this program writes: a damage that the file's structure does not show. */
static int fail_row(struct bp_reader *reader, uint32_t number, struct bp_error *err)
{
    char why[64];
    snprintf(why, sizeof why, "evaluation %u makes no sense", number);
    return bp_connection_fail_damaged(&reader->connection, why, err);
}

/* ---- in short ---- */

/* {"BM": 64, "PATH": "wide"} */
static bool parse_knobs(const char *text, struct bp_define *knobs, uint32_t *count)
{
    json_t *object = json_loads(text, 0, NULL), *value;
    const char *name;
    *count = 0;
    if (!json_is_object(object) || json_object_size(object) > BP_MAX_DEFINES) {
        json_decref(object);
        return false;
    }
    json_object_foreach(object, name, value)
    {
        struct bp_define *knob = &knobs[(*count)++];
        snprintf(knob->name, sizeof knob->name, "%s", name);
        if (json_is_integer(value))
            snprintf(knob->value, sizeof knob->value, "%lld", (long long)json_integer_value(value));
        else
            snprintf(knob->value, sizeof knob->value, "%s",
                     json_is_string(value) ? json_string_value(value) : "");
    }
    json_decref(object);
    return true;
}

/* The columns that a struct bp_recorded and a struct bp_evaluation both start from. */
#define SHORT_COLUMNS                                                                              \
    "e.number, e.event, e.origin, e.strategy, e.parent, e.source_hash, e.object_hash, e.verdict,"  \
    " e.stage, e.score, e.promoted, e.duplicate, e.duplicate_of, e.total_ms, e.command_errors,"    \
    " e.memory_violations, e.compilation_errors, e.resource_errors, e.total_errors, e.retries,"    \
    " e.fallbacks, e.safety_score, e.finished_wall_ms, e.device_driver, c.knobs"
#define SHORT_COUNT 25

static bool fill_short(sqlite3_stmt *row, struct bp_recorded *one, struct bp_define *knobs)
{
    *one = (struct bp_recorded){
        .number = count_of(row, 0),
        .event = sqlite3_column_int64(row, 1),
        .strategy = bp_column_text(row, 3),
        .parent = count_of(row, 4),
        .source_hash = bp_column_text(row, 5),
        .object_hash = bp_column_text(row, 6),
        .has_score = sqlite3_column_type(row, 9) != SQLITE_NULL,
        .score = sqlite3_column_double(row, 9),
        .promoted = sqlite3_column_int(row, 10),
        .duplicate = sqlite3_column_int(row, 11),
        .duplicate_of = count_of(row, 12),
        .total_ms = real_of(row, 13),
        .safety = {.command_errors = count_of(row, 14),
                   .memory_violations = count_of(row, 15),
                   .compilation_errors = count_of(row, 16),
                   .resource_errors = count_of(row, 17),
                   .total_errors = count_of(row, 18),
                   .retries = count_of(row, 19),
                   .fallbacks = count_of(row, 20),
                   .safety_score = sqlite3_column_double(row, 21)},
        .finished_wall_ms = sqlite3_column_int64(row, 22),
        .device_driver = bp_column_text(row, 23),
        .knobs = knobs,
    };
    return bp_origin_parse(bp_column_text(row, 2), &one->origin) &&
           bp_verdict_parse(bp_column_text(row, 7), &one->verdict) &&
           bp_stage_parse(bp_column_text(row, 8), &one->stage) &&
           parse_knobs(bp_column_text(row, 24), knobs, &one->knob_count);
}

int bp_reader_evaluations(struct bp_reader *reader, bp_store_visit_recorded visit, void *context,
                          struct bp_error *err)
{
    static const char sql[] = "SELECT " SHORT_COLUMNS " FROM evaluation e JOIN candidate c"
                              " USING(source_hash) ORDER BY e.event";
    struct bp_connection *connection = &reader->connection;
    struct bp_define knobs[BP_MAX_DEFINES];
    struct bp_recorded one;
    sqlite3_stmt *row = NULL;
    if (bp_connection_prepare(connection, sql, &row, err) < 0)
        return -1;
    int got, told = 0;
    while (told == 0 && (got = bp_connection_step(connection, row, err)) != 0) {
        if (got < 0)
            told = -1;
        else if (!fill_short(row, &one, knobs))
            told = fail_row(reader, count_of(row, 0), err);
        else
            told = visit(context, &one, err);
    }
    sqlite3_finalize(row);
    return told < 0 ? -1 : 0;
}

/* ---- in full ---- */

static bool parse_launch(json_t *launch, struct bp_plan_record *plan, uint32_t index)
{
    json_int_t grid[3], block[3], lds;
    if (json_unpack(launch, "{s:[I,I,I], s:[I,I,I], s:I}", "grid", &grid[0], &grid[1], &grid[2],
                    "block", &block[0], &block[1], &block[2], "dynamic_lds", &lds) < 0)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        plan->grid[index * 3 + i] = (uint32_t)grid[i];
        plan->block[index * 3 + i] = (uint32_t)block[i];
    }
    plan->dynamic_lds[index] = (uint32_t)lds;
    return true;
}

/* An integer, or the digits of one that JSON readers cannot hold. */
static uint64_t parse_unsigned(json_t *value)
{
    return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10)
                                 : (uint64_t)json_integer_value(value);
}

static bool parse_plan(json_t *entry, struct bp_plan_record *plan)
{
    const char *shape;
    json_t *launches, *workspace;
    if (json_unpack(entry, "{s:s, s:o, s:o}", "shape", &shape, "launches", &launches,
                    "workspace_bytes", &workspace) < 0 ||
        json_array_size(launches) > GQA_MAX_LAUNCHES)
        return false;
    snprintf(plan->shape, sizeof plan->shape, "%s", shape);
    plan->workspace_bytes = parse_unsigned(workspace);
    plan->launches = (uint32_t)json_array_size(launches);
    for (uint32_t i = 0; i < plan->launches; i++)
        if (!parse_launch(json_array_get(launches, i), plan, i))
            return false;
    return true;
}

static bool parse_plans(const char *text, struct bp_evaluation *e)
{
    json_t *plans = json_loads(text, 0, NULL);
    size_t count = json_array_size(plans);
    bool good = json_is_array(plans) && count <= BP_MAX_PLANS;
    if (good && count > 0) {
        e->plans = calloc(count, sizeof *e->plans);
        good = e->plans != NULL;
        for (; good && e->plan_count < count; e->plan_count++)
            good = parse_plan(json_array_get(plans, e->plan_count), &e->plans[e->plan_count]);
    }
    json_decref(plans);
    return good;
}

static char *copy_blob(const void *data, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (copy) {
        memcpy(copy, data ? data : "", bytes);
        copy[bytes] = '\0';
    }
    return copy;
}

static void take_short(const struct bp_recorded *one, struct bp_evaluation *e)
{
    e->number = one->number;
    e->origin = one->origin;
    e->parent = one->parent;
    e->verdict = one->verdict;
    e->stage = one->stage;
    e->has_score = one->has_score;
    e->score = one->score;
    e->promoted = one->promoted;
    e->duplicate = one->duplicate;
    e->duplicate_of = one->duplicate_of;
    e->knob_count = one->knob_count;
    e->safety = one->safety;
    e->duration.total_ms = one->total_ms;
    e->finished_wall_ms = one->finished_wall_ms;
    snprintf(e->strategy, sizeof e->strategy, "%s", one->strategy);
    snprintf(e->source_hash, sizeof e->source_hash, "%s", one->source_hash);
    snprintf(e->object_hash, sizeof e->object_hash, "%s", one->object_hash);
    snprintf(e->device_driver, sizeof e->device_driver, "%s", one->device_driver);
}

#define FULL_COLUMNS                                                                               \
    ", c.kernel, c.dtype, e.message, e.prepare_ms, e.compile_ms, e.run_ms, e.judge_ms, e.time_ms," \
    " e.overhead_ms, e.device_name, e.device_kind, e.device_arch, e.suite, e.sandbox, e.plan,"     \
    " e.diagnostics, s.text"

static bool fill_full(sqlite3_stmt *row, struct bp_evaluation *e)
{
    const int at = SHORT_COUNT;
    struct bp_recorded one;
    if (!fill_short(row, &one, e->knobs))
        return false;
    take_short(&one, e);
    copy_text(e->kernel_name, sizeof e->kernel_name, row, at);
    copy_text(e->message, sizeof e->message, row, at + 2);
    e->duration.prepare_ms = real_of(row, at + 3);
    e->duration.compile_ms = real_of(row, at + 4);
    e->duration.run_ms = real_of(row, at + 5);
    e->duration.judge_ms = real_of(row, at + 6);
    e->duration.time_ms = real_of(row, at + 7);
    e->duration.overhead_ms = real_of(row, at + 8);
    copy_text(e->device_name, sizeof e->device_name, row, at + 9);
    copy_text(e->device_kind, sizeof e->device_kind, row, at + 10);
    copy_text(e->device_arch, sizeof e->device_arch, row, at + 11);
    copy_text(e->suite, sizeof e->suite, row, at + 12);
    copy_text(e->sandbox, sizeof e->sandbox, row, at + 13);
    if (sqlite3_column_type(row, at + 15) != SQLITE_NULL)
        e->diagnostics = strdup(bp_column_text(row, at + 15));
    e->source_bytes = (size_t)sqlite3_column_bytes(row, at + 16);
    e->source = copy_blob(sqlite3_column_blob(row, at + 16), e->source_bytes);
    return e->source && bp_dtype_parse(bp_column_text(row, at + 1), &e->dtype) &&
           parse_plans(bp_column_text(row, at + 14), e);
}

static bool fill_attempt(sqlite3_stmt *row, struct bp_evaluation *e)
{
    if (e->attempt_count == BP_MAX_ATTEMPTS)
        return false;
    struct bp_attempt *attempt = &e->attempts[e->attempt_count++];
    copy_text(attempt->message, sizeof attempt->message, row, 2);
    attempt->duration_ms = real_of(row, 3);
    return bp_verdict_parse(bp_column_text(row, 0), &attempt->outcome) &&
           bp_stage_parse(bp_column_text(row, 1), &attempt->stage);
}

static bool fill_timing(sqlite3_stmt *row, struct bp_evaluation *e)
{
    if (e->timing_count == BP_SUITE_MAX_TIMED)
        return false;
    struct bp_timing *timing = &e->timings[e->timing_count++];
    *timing = (struct bp_timing){.median_ms = real_of(row, 1),
                                 .ci_low_ms = real_of(row, 2),
                                 .ci_high_ms = real_of(row, 3),
                                 .gflops = real_of(row, 4),
                                 .gflops_full = real_of(row, 5),
                                 .gbps = real_of(row, 6),
                                 .batches = count_of(row, 7),
                                 .calls_per_batch = count_of(row, 8),
                                 .roofline = sqlite3_column_double(row, 9)};
    copy_text(timing->shape, sizeof timing->shape, row, 0);
    return true;
}

static bool fill_case(sqlite3_stmt *row, struct bp_evaluation *e)
{
    enum bp_family family;
    enum bp_verdict verdict;
    if (e->case_count == BP_SUITE_MAX_CASES || !bp_family_parse(bp_column_text(row, 1), &family) ||
        !bp_verdict_parse(bp_column_text(row, 2), &verdict))
        return false;
    if (!e->cases && !(e->cases = calloc(BP_SUITE_MAX_CASES, sizeof *e->cases)))
        return false;
    struct bp_case_result *result = &e->cases[e->case_count++];
    *result = (struct bp_case_result){.family = family,
                                      .verdict = verdict,
                                      .max_ratio = real_of(row, 3),
                                      .rms_ratio = real_of(row, 4),
                                      .pooled = real_of(row, 5),
                                      .alpha = real_of(row, 6),
                                      .rows = (uint64_t)sqlite3_column_int64(row, 7)};
    copy_text(result->shape, sizeof result->shape, row, 0);
    return true;
}

static bool fill_gate(sqlite3_stmt *row, struct bp_evaluation *e)
{
    e->gate = (struct bp_gate_note){.gates = count_of(row, 0),
                                    .shapes = count_of(row, 1),
                                    .compile_ms = real_of(row, 3),
                                    .run_ms = real_of(row, 4)};
    copy_text(e->gate.skipped_because, sizeof e->gate.skipped_because, row, 2);
    return true;
}

static bool parse_mix(const char *text, uint32_t mix[BP_MIX_COUNT])
{
    json_t *object = json_loads(text, 0, NULL);
    bool good = json_object_size(object) == BP_MIX_COUNT;
    for (int i = 0; i < BP_MIX_COUNT && good; i++) {
        json_t *value = json_object_get(object, bp_mix_name((enum bp_mix)i));
        good = json_is_integer(value);
        mix[i] = (uint32_t)json_integer_value(value);
    }
    json_decref(object);
    return good;
}

static bool fill_kernel(sqlite3_stmt *row, struct bp_evaluation *e)
{
    if (e->profile.kernel_count == BP_PROFILE_KERNELS)
        return false;
    struct bp_profile_kernel *kernel = &e->profile.kernels[e->profile.kernel_count++];
    *kernel = (struct bp_profile_kernel){.vgpr = count_of(row, 1),
                                         .agpr = count_of(row, 2),
                                         .sgpr = count_of(row, 3),
                                         .spills = count_of(row, 4),
                                         .sgpr_spills = count_of(row, 5),
                                         .lds_bytes = count_of(row, 6),
                                         .scratch_bytes = count_of(row, 7),
                                         .block_threads = count_of(row, 8),
                                         .occupancy = count_of(row, 9),
                                         .occupancy_max = count_of(row, 10)};
    copy_text(kernel->name, sizeof kernel->name, row, 0);
    kernel->has_mix = sqlite3_column_type(row, 11) != SQLITE_NULL;
    return !kernel->has_mix || parse_mix(bp_column_text(row, 11), kernel->mix);
}

static bool fill_unseen(sqlite3_stmt *row, struct bp_evaluation *e)
{
    if (e->unseen.count == BP_MAX_UNSEEN)
        return false;
    struct bp_unseen_shape *one = &e->unseen.shapes[e->unseen.count++];
    copy_text(one->shape, sizeof one->shape, row, 0);
    copy_text(one->message, sizeof one->message, row, 3);
    one->rows = (uint64_t)sqlite3_column_int64(row, 4);
    one->max_ratio = real_of(row, 5);
    return bp_verdict_parse(bp_column_text(row, 1), &one->verdict) &&
           bp_stage_parse(bp_column_text(row, 2), &one->stage);
}

static bool fill_counters(sqlite3_stmt *row, struct bp_evaluation *e)
{
    int column = 0;
    e->counted = true;
#define TAKE(name) e->counters.name = (uint64_t)sqlite3_column_int64(row, column++);
    BP_COUNTER_LIST(TAKE)
#undef TAKE
    return true;
}

/* The tables that make up an evaluation, each with what takes one row of it. */
static const struct part {
    const char *sql;
    bool (*fill)(sqlite3_stmt *row, struct bp_evaluation *e);
} parts[] = {
    {"SELECT " SHORT_COLUMNS FULL_COLUMNS " FROM evaluation e JOIN candidate c USING(source_hash)"
     " JOIN source s ON s.sha256 = e.source_sha256 WHERE e.number = ?",
     fill_full},
    {"SELECT outcome, stage, message, duration_ms FROM attempt WHERE evaluation = ?"
     " ORDER BY ordinal",
     fill_attempt},
    {"SELECT shape, median_ms, ci_low_ms, ci_high_ms, gflops, gflops_full, gbps, batches,"
     " calls_per_batch, roofline FROM timing WHERE evaluation = ? ORDER BY ordinal",
     fill_timing},
    {"SELECT shape, family, verdict, max_ratio, rms_ratio, pooled, alpha, rows FROM correctness"
     " WHERE evaluation = ? ORDER BY ordinal",
     fill_case},
    {"SELECT gates, shapes, skipped_because, compile_ms, run_ms FROM gate WHERE evaluation = ?",
     fill_gate},
    {"SELECT kernel, vgpr, agpr, sgpr, spills, sgpr_spills, lds_bytes, scratch_bytes,"
     " block_threads, occupancy, occupancy_max, mix FROM profile WHERE evaluation = ?"
     " ORDER BY ordinal",
     fill_kernel},
    {"SELECT shape, verdict, stage, message, rows, max_ratio FROM unseen WHERE evaluation = ?"
     " ORDER BY ordinal",
     fill_unseen},
    {"SELECT salu, valu, matrix, lds, vmem, smem, wait, branch, other FROM counters"
     " WHERE evaluation = ?",
     fill_counters},
};

static int load_part(struct bp_reader *reader, const struct part *part, uint32_t number,
                     struct bp_evaluation *e, struct bp_error *err)
{
    struct bp_connection *connection = &reader->connection;
    sqlite3_stmt *row = NULL;
    if (bp_connection_prepare(connection, part->sql, &row, err) < 0)
        return -1;
    sqlite3_bind_int64(row, 1, number);
    int got;
    while ((got = bp_connection_step(connection, row, err)) == 1)
        if (!part->fill(row, e)) {
            got = fail_row(reader, number, err);
            break;
        }
    sqlite3_finalize(row);
    return got < 0 ? -1 : 0;
}

int bp_reader_evaluation(struct bp_reader *reader, uint32_t number,
                         struct bp_evaluation **evaluation, struct bp_error *err)
{
    struct bp_evaluation *e = bp_evaluation_new();
    if (!e)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for evaluation %u", number);
    int result = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && result == 0; i++)
        result = load_part(reader, &parts[i], number, e, err);
    if (result == 0 && e->number == 0)
        result =
            bp_fail(err, BP_ERR_USAGE, "%s has no evaluation %u", reader->connection.path, number);
    if (result < 0) {
        bp_evaluation_free(e);
        return -1;
    }
    *evaluation = e;
    return 0;
}
