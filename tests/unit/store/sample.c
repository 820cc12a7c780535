#include "tests/unit/store/sample.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

int sample_setup(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *dir;
    if (asprintf(&dir, "%s/bp_store_XXXXXX", parent ? parent : "/tmp") < 0 || !mkdtemp(dir))
        return -1;
    *state = dir;
    return 0;
}

int sample_teardown(void **state)
{
    int result = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

const char *sample_path(const char *dir, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void fill_lists(struct bp_evaluation *e)
{
    e->attempt_count = SAMPLE_ATTEMPTS;
    for (uint32_t i = 0; i < SAMPLE_ATTEMPTS; i++) {
        e->attempts[i] = (struct bp_attempt){.outcome = e->verdict, .stage = e->stage};
        e->attempts[i].duration_ms = 10.5 + i;
        snprintf(e->attempts[i].message, BP_TEXT_LINE, "attempt %u", i);
    }
    e->unseen.count = 2;
    e->unseen.shapes[0] = (struct bp_unseen_shape){.shape = "unseen_prefill",
                                                   .verdict = BP_VERDICT_UNSUPPORTED,
                                                   .stage = BP_STAGE_run,
                                                   .message = "the plan refuses it, reason 3"};
    e->unseen.shapes[1] = (struct bp_unseen_shape){
        .shape = "unseen_decode", .stage = BP_STAGE_judge, .rows = 123, .max_ratio = 0.25};
    e->counted = true;
    e->counters = (struct bp_counters){1000, 2000, 30, 40, 50, 60, 70, 80, (uint64_t)1 << 40};
    e->timing_count = SAMPLE_TIMINGS;
    for (uint32_t i = 0; i < SAMPLE_TIMINGS; i++) {
        e->timings[i] = (struct bp_timing){.median_ms = 8.36 + i,
                                           .ci_low_ms = 8.3 + i,
                                           .ci_high_ms = 8.4 + i,
                                           .gflops = 70,
                                           .gflops_full = 131.6,
                                           .gbps = 12.5,
                                           .roofline = 0.25,
                                           .batches = 7,
                                           .calls_per_batch = 3};
        snprintf(e->timings[i].shape, BP_SHAPE_NAME, "shape_%u", i);
    }
    e->profile.kernel_count = 2;
    e->profile.kernels[0] = (struct bp_profile_kernel){.name = "gqa_kernel0",
                                                       .vgpr = 128,
                                                       .agpr = 16,
                                                       .sgpr = 40,
                                                       .spills = 3,
                                                       .sgpr_spills = 1,
                                                       .lds_bytes = 32768,
                                                       .scratch_bytes = 12,
                                                       .block_threads = 256,
                                                       .occupancy = 4,
                                                       .occupancy_max = 16,
                                                       .has_mix = 1,
                                                       .mix = {1, 2, 3, 4, 5, 6, 7}};
    e->profile.kernels[1] =
        (struct bp_profile_kernel){.name = "gqa_plan", .vgpr = 12, .occupancy_max = 16};
    e->plan_count = 1;
    e->plans = calloc(1, sizeof *e->plans);
    assert_non_null(e->plans);
    *e->plans = (struct bp_plan_record){.shape = "shape_0",
                                        .launches = 2,
                                        .grid = {4, 8, 1, 2, 1, 1},
                                        .block = {64, 1, 1, 32, 1, 1},
                                        .dynamic_lds = {1024, 0},
                                        .workspace_bytes = 4096};
    e->case_count = SAMPLE_CASES;
    e->cases = calloc(SAMPLE_CASES, sizeof *e->cases);
    assert_non_null(e->cases);
    for (uint32_t i = 0; i < SAMPLE_CASES; i++) {
        e->cases[i] = (struct bp_case_result){.family = i % BP_FAMILY_COUNT,
                                              .max_ratio = 0.25,
                                              .rms_ratio = 0.125,
                                              .alpha = 1,
                                              .rows = 512};
        snprintf(e->cases[i].shape, BP_SHAPE_NAME, "shape_%u", i);
    }
}

struct bp_evaluation *sample_evaluation(uint32_t number, enum bp_verdict verdict)
{
    struct bp_evaluation *e = bp_evaluation_new();
    assert_non_null(e);
    e->number = number;
    e->origin = BP_ORIGIN_SEARCH;
    e->parent = number - 1;
    e->verdict = verdict;
    e->stage = verdict == BP_VERDICT_PASS ? BP_STAGE_time : BP_STAGE_run;
    e->has_score = true;
    e->score = verdict == BP_VERDICT_PASS ? 1.0 + number * 0.001 : 0;
    e->source_bytes = strlen(SAMPLE_SOURCE);
    e->source = strdup(SAMPLE_SOURCE);
    e->diagnostics = strdup("warning: unused");
    assert_true(e->source && e->diagnostics);
    e->dtype = BP_DTYPE_BF16;
    e->knob_count = 2;
    e->knobs[0] = (struct bp_define){.name = "BM", .value = "64"};
    e->knobs[1] = (struct bp_define){.name = "PATH", .value = "wide"};
    snprintf(e->source_hash, sizeof e->source_hash, "source%u", number);
    snprintf(e->object_hash, sizeof e->object_hash, "object%u", number);
    strcpy(e->strategy, "local");
    strcpy(e->kernel_name, "cpu_flash");
    strcpy(e->device_name, "Some CPU");
    strcpy(e->device_kind, "cpu");
    strcpy(e->device_arch, "x86-64-v3");
    strcpy(e->device_driver, "clang 14");
    strcpy(e->suite, "quick");
    strcpy(e->sandbox, "no_new_privs,seccomp");
    snprintf(e->message, sizeof e->message, "%s", bp_verdict_meaning(verdict));
    e->duration = (struct bp_durations){.prepare_ms = 1,
                                        .compile_ms = 2,
                                        .run_ms = 3,
                                        .judge_ms = 4,
                                        .time_ms = 5,
                                        .overhead_ms = 6,
                                        .total_ms = 21};
    e->finished_wall_ms = 1700000000000;
    fill_lists(e);
    bp_evaluation_safety(e);
    return e;
}

struct bp_store *sample_create(const char *dir, uint64_t seed)
{
    struct bp_store *store = NULL;
    struct bp_error err;
    must(bp_store_create(dir, seed, &store, &err), &err);
    return store;
}

void sample_record(struct bp_store *store, struct bp_evaluation *e)
{
    struct bp_error err;
    must(bp_store_evaluation(store, e, &err), &err);
    bp_evaluation_free(e);
}

static sqlite3 *open_record(const char *dir)
{
    sqlite3 *handle;
    assert_int_equal(
        sqlite3_open_v2(sample_path(dir, "run.db"), &handle, SQLITE_OPEN_READWRITE, NULL),
        SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    return handle;
}

char *sample_text(const char *dir, const char *sql)
{
    sqlite3 *handle = open_record(dir);
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        text = strdup(sqlite3_column_type(statement, 0) == SQLITE_NULL
                          ? "NULL"
                          : (const char *)sqlite3_column_text(statement, 0));
    if (!text)
        print_error("%s: %s\n", sql, sqlite3_errmsg(handle));
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    assert_non_null(text);
    return text;
}

int64_t sample_integer(const char *dir, const char *sql)
{
    char *text = sample_text(dir, sql);
    int64_t value = strtoll(text, NULL, 10);
    free(text);
    return value;
}

char *sample_execute(const char *dir, const char *sql)
{
    sqlite3 *handle = open_record(dir);
    char *message = NULL;
    sqlite3_exec(handle, sql, NULL, NULL, &message);
    sqlite3_close(handle);
    return message;
}

char *sample_hash(const char *dir, const char *name)
{
    struct bp_buffer bytes;
    struct bp_error err;
    char *hash = calloc(1, BP_HASH_TEXT);
    bp_buffer_init(&bytes, (size_t)64 << 20);
    assert_non_null(hash);
    if (bp_io_read_file(sample_path(dir, name), &bytes, &err) < 0)
        fail_msg("%s", err.msg);
    bp_hash_text(bytes.data ? bytes.data : "", bytes.size, hash);
    bp_buffer_free(&bytes);
    return hash;
}

char *sample_read(const char *dir, const char *name)
{
    struct bp_buffer text;
    struct bp_error err;
    bp_buffer_init(&text, (size_t)16 << 20);
    if (bp_io_read_file(sample_path(dir, name), &text, &err) < 0)
        fail_msg("%s", err.msg);
    return text.data ? text.data : strdup("");
}
