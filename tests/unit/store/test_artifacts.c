/* The files of a run directory beside run.db. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "harness/report/artifacts.h"
#include "tests/unit/store/sample.h"

static json_t *load(const char *dir, const char *name)
{
    json_error_t error;
    json_t *value = json_load_file(sample_path(dir, name), JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s: %s", name, error.text);
    return value;
}

static uint32_t files_in(const char *path)
{
    DIR *dir = opendir(path);
    uint32_t count = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void evaluation_files(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    static const uint32_t numbers[] = {42, 100000};
    static const char *const names[] = {"eval_00042", "eval_100000"};
    for (int i = 0; i < 2; i++) {
        struct bp_evaluation *e = sample_evaluation(numbers[i], BP_VERDICT_PASS);
        char json_name[32], source_name[32], hash[BP_HASH_TEXT];
        must(bp_artifacts_evaluation(dir, e, &err), &err);
        snprintf(json_name, sizeof json_name, "%s.json", names[i]);
        snprintf(source_name, sizeof source_name, "%s.hip", names[i]);
        char *source = sample_read(dir, source_name);
        assert_string_equal(source, SAMPLE_SOURCE);
        free(source);
        json_t *object = load(dir, json_name), *program = json_object_get(object, "program");
        bp_hash_text(SAMPLE_SOURCE, strlen(SAMPLE_SOURCE), hash);
        assert_string_equal(json_string_value(json_object_get(program, "file")), source_name);
        assert_string_equal(json_string_value(json_object_get(program, "sha256")), hash);
        assert_int_equal(json_integer_value(json_object_get(program, "bytes")),
                         strlen(SAMPLE_SOURCE));
        json_object_del(object, "program");
        assert_true(json_is_null(json_object_get(object, "bundle")));
        json_object_del(object, "bundle");
        json_t *same = bp_evaluation_json(e);
        assert_int_equal(json_object_size(object), json_object_size(same));
        json_decref(same);
        json_decref(object);
        bp_evaluation_free(e);
    }
    assert_int_equal(files_in(dir), 5);
}

static void history_is_appended(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    for (uint32_t number = 1; number <= 3; number++) {
        struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_CRASH);
        strcpy(e->message, "two\nlines");
        must(bp_artifacts_evaluation(dir, e, &err), &err);
        bp_evaluation_free(e);
    }
    char *history = sample_read(dir, "history.jsonl"), *rest = history;
    for (uint32_t number = 1; number <= 3; number++) {
        json_t *line = json_loads(strsep(&rest, "\n"), JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_integer_value(json_object_get(line, "number")), number);
        assert_string_equal(json_string_value(json_object_get(line, "verdict")), "CRASH");
        assert_string_equal(json_string_value(json_object_get(line, "message")), "two\nlines");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "knobs"), "BM")),
                         64);
        assert_float_equal(json_real_value(json_object_get(line, "total_ms")), 21, 0);
        json_decref(line);
    }
    assert_string_equal(rest, "");
    free(history);
}

/* knobs.yaml as a YAML reader sees it: keys and values in turn. */
static void assert_knobs(const char *text, const char *const *scalars, int count)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int found = 0;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    for (bool more = true; more; yaml_event_delete(&event)) {
        assert_int_equal(yaml_parser_parse(&parser, &event), 1);
        if (event.type == YAML_SCALAR_EVENT) {
            assert_true(found < count);
            assert_string_equal(event.data.scalar.value, scalars[found++]);
        }
        more = event.type != YAML_STREAM_END_EVENT;
    }
    yaml_parser_delete(&parser);
    assert_int_equal(found, count);
}

static void best_is_three_files(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    assert_int_equal(mkdir(sample_path(dir, "best.tmp"), 0755), 0); /* left by a crash */
    fclose(fopen(sample_path(dir, "best.tmp/kernel.hip.tmp"), "w"));
    for (uint32_t number = 1; number <= 3; number++) {
        struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
        strcpy(e->knobs[1].value, "a: #\"b");
        if (number == 3)
            e->knob_count = 0;
        must(bp_artifacts_best(dir, e, &err), &err);
        char *source = sample_read(dir, "best/kernel.hip");
        assert_string_equal(source, SAMPLE_SOURCE);
        char *knobs = sample_read(dir, "best/knobs.yaml");
        const char *const scalars[] = {"BM", "64", "PATH", "a: #\"b"};
        assert_knobs(knobs, scalars, number == 3 ? 0 : 4);
        json_t *result = load(dir, "best/result.json");
        assert_int_equal(json_integer_value(json_object_get(result, "number")), number);
        json_decref(result);
        free(source);
        free(knobs);
        bp_evaluation_free(e);
        assert_int_equal(files_in(sample_path(dir, "best")), 3);
        assert_int_equal(files_in(dir), 1);
    }
}

static int read_at(int dir, const char *name, char *text, size_t size)
{
    int fd = openat(dir, name, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    return 0;
}

/* Exit status of a process that reads best/ until the file "stop" appears: 0 when there always was
 * a best/, and when every one read to its end was of one evaluation; 3 when none was. */
static int watch_best(const char *dir)
{
    static char source[4096], result[65536];
    int complete = 0;
    while (access(sample_path(dir, "stop"), F_OK) != 0) {
        int best = open(sample_path(dir, "best"), O_RDONLY | O_DIRECTORY);
        if (best < 0)
            return 1;
        bool whole = read_at(best, "kernel.hip", source, sizeof source) == 0 &&
                     read_at(best, "result.json", result, sizeof result) == 0;
        close(best);
        if (!whole)
            continue; /* the old directory is being removed */
        json_t *object = json_loads(result, 0, NULL);
        if (json_integer_value(json_object_get(object, "number")) != atoi(source))
            return 2;
        json_decref(object);
        complete++;
    }
    return complete > 0 ? 0 : 3;
}

static void best_is_replaced_as_a_whole(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    int status;
    pid_t watcher = 0;
    for (uint32_t number = 1; number <= 40; number++) {
        struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
        free(e->source);
        int length = asprintf(&e->source, "%u\n", number);
        assert_true(length > 0);
        e->source_bytes = (size_t)length;
        must(bp_artifacts_best(dir, e, &err), &err);
        bp_evaluation_free(e);
        if (number == 1 && (watcher = fork()) == 0)
            _exit(watch_best(dir));
    }
    fclose(fopen(sample_path(dir, "stop"), "w"));
    assert_int_equal(waitpid(watcher, &status, 0), watcher);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static struct bp_run_summary some_summary(void)
{
    struct bp_run_summary summary = {.status = "finished",
                                     .kernel = "cpu_flash",
                                     .suite = "quick",
                                     .device = "Some CPU",
                                     .dtype = "bf16",
                                     .strategy = "local",
                                     .driver = "clang 14",
                                     .mask = "causal",
                                     .seed = 7,
                                     .evaluations = 3,
                                     .duplicates = 1,
                                     .elapsed_s = 1209.5,
                                     .best_number = 3,
                                     .best_score = 1.25,
                                     .improvement_ci_low = 1.2,
                                     .improvement_ci_high = 1.3,
                                     .row_count = 3};
    summary.verdicts[BP_VERDICT_PASS] = 2;
    summary.verdicts[BP_VERDICT_GPU_FAULT] = 1;
    summary.safety.memory_violations = summary.safety.total_errors = 1;
    summary.rows[0] = (struct bp_result_row){.impl = "eager", .note = "not run | by\nchoice"};
    summary.rows[1] = (struct bp_result_row){.impl = "baseline",
                                             .measured = true,
                                             .avg_ms = 10450,
                                             .gflops = 59.9,
                                             .gflops_full = 119800,
                                             .speedup_vs_eager = 2.7659};
    summary.rows[2] = (struct bp_result_row){.impl = "evolved",
                                             .measured = true,
                                             .avg_ms = 8.36,
                                             .gflops = 0.04321,
                                             .gflops_full = 131.6,
                                             .speedup_vs_eager = 3.0371,
                                             .speedup_vs_baseline = 1.25,
                                             .ci_low = 1.2,
                                             .ci_high = 1.3,
                                             .tuning_time_s = 1209.53};
    return summary;
}

static void summary_file(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    static const struct {
        enum bp_verdict verdict;
        double score;
        bool promoted;
    } recorded[] = {{BP_VERDICT_PASS, 1, true},
                    {BP_VERDICT_GPU_FAULT, 0, false},
                    {BP_VERDICT_PASS, 1.25, true}};
    struct bp_store *store;
    BP_AUTO_FREE char *head = NULL, *empty = NULL;
    struct bp_run_summary summary = some_summary();
    summary.best_score = NAN;
    must(bp_store_create(dir, 7, &store, &err), &err);
    must(bp_summary_head(&summary, &head, &err), &err);
    summary.best_number = 0;
    must(bp_summary_head(&summary, &empty, &err), &err);
    must(bp_artifacts_summary(dir, empty, store, &err), &err);
    json_t *before = load(dir, "tuning_summary.json");
    assert_true(json_is_null(json_object_get(before, "best")));
    assert_int_equal(json_array_size(json_object_get(before, "history")), 0);
    json_decref(before);

    for (uint32_t i = 0; i < 3; i++) {
        struct bp_evaluation *e = sample_evaluation(i + 1, recorded[i].verdict);
        e->score = recorded[i].score;
        e->promoted = recorded[i].promoted;
        must(bp_store_evaluation(store, e, &err), &err);
        bp_evaluation_free(e);
    }
    must(bp_store_flush(store, &err), &err);
    must(bp_artifacts_summary(dir, head, store, &err), &err);
    json_t *object = load(dir, "tuning_summary.json"), *rows, *entries, *safety, *verdicts;
    const char *text;
    double elapsed, low, high;
    json_int_t n;
    json_error_t error;
    int result = json_unpack_ex(
        object, &error, JSON_STRICT,
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:F, s:{s:I, s:n, s:[F,F]},"
        " s:o, s:o, s:o}",
        "status", &text, "kernel", &text, "suite", &text, "mask", &text, "device", &text, "driver",
        &text, "dtype", &text, "strategy", &text, "seed", &n, "evaluations", &n, "duplicates", &n,
        "verdicts", &verdicts, "elapsed_s", &elapsed, "best", "number", &n, "score",
        "improvement_ci", &low, &high, "safety", &safety, "results", &rows, "history", &entries);
    if (result < 0)
        fail_msg("%s", error.text);
    assert_float_equal(high, 1.3, 1e-12);
    assert_int_equal(json_object_size(verdicts), BP_VERDICT_COUNT);
    assert_int_equal(json_integer_value(json_object_get(verdicts, "GPU_FAULT")), 1);
    json_t *last = json_array_get(entries, 2);
    result = json_unpack_ex(last, &error, JSON_STRICT, "{s:I, s:s, s:F, s:F, s:F, s:b, s:b}",
                            "number", &n, "verdict", &text, "score", &low, "best_so_far", &high,
                            "improvement_vs_best", &elapsed, "promoted", &(int){0}, "duplicate",
                            &(int){0});
    assert_int_equal(result, 0);
    assert_float_equal(elapsed, 1.25, 1e-12);
    assert_int_equal(json_array_size(rows), 3);
    assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "avg_ms")));
    assert_float_equal(json_number_value(json_object_get(json_array_get(rows, 2), "tflops")),
                       0.1316, 1e-12);
    json_decref(object);
    must(bp_store_close(store, &err), &err);
    assert_int_equal(files_in(dir), 3); /* with run.db and run.lock */
}

static void results_table(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_run_summary summary = some_summary();
    summary.safety = (struct bp_safety){.compilation_errors = 1,
                                        .memory_violations = 3,
                                        .total_errors = 4,
                                        .retries = 2,
                                        .fallbacks = 1,
                                        .safety_score = 93.14};
    must(bp_artifacts_results(dir, &summary, &err), &err);
    char *markdown = sample_read(dir, "results.md");
    static const char *const lines[] = {
        "- device: Some CPU\n- driver: clang 14\n- dtype: bf16\n- suite: quick\n- mask: causal\n",
        "\n| impl | avg_ms | tflops | gflops | speedup_vs_eager | speedup_vs_baseline |"
        " tuning_time_s | note |\n|---|--:|--:|--:|--:|--:|--:|---|\n",
        "\n| eager | - | - | - | - | - | - | not run \\| by choice |\n",
        "\n| baseline | 10450 | 119.8 | 59.90 | 2.766 | - | - |  |\n",
        "\n| evolved | 8.360 | 0.1316 | 0.04321 | 3.037 | 1.250 [1.2, 1.3] | 1209.5 |  |\n",
        "4 * batch * q_heads * q_len * kv_len * head_dim",
        "evaluations: score 93.1 of 100; 4 errors: compilation 1 (25.0 %), resource 0, command 0,"
        " memory violations 3 (75.0 %); 1 fallbacks, 2 retries.\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(markdown, lines[i]))
            fail_msg("no '%s' in\n%s", lines[i], markdown);
    free(markdown);

    char *text;
    must(bp_results_text(&summary, &text, &err), &err);
    assert_non_null(strstr(text, "\nimpl      avg_ms  tflops"));
    assert_non_null(strstr(text, "  not run | by choice\n"));
    assert_non_null(strstr(text, "\nbaseline   10450   119.8    59.90"));
    assert_non_null(strstr(text, "\nevolved    8.360  0.1316  0.04321"));
    assert_non_null(strstr(text, "\nsafety: score 93.1 of 100; 4 errors:"));
    free(text);
    summary.safety = (struct bp_safety){.safety_score = 100};
    summary.emulated = true;
    must(bp_results_text(&summary, &text, &err), &err);
    assert_non_null(
        strstr(text, "\nsafety: score 100.0 of 100; 0 errors; 0 fallbacks, 0 retries\n"));
    assert_non_null(strstr(text, "device: Some CPU (emulated: times mean nothing)\n"));
    free(text);
}

static void missing_directory_is_named(void **state)
{
    struct bp_error err;
    const char *dir = sample_path(*state, "gone");
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_PASS);
    struct bp_run_summary summary = some_summary();
    assert_int_equal(bp_artifacts_evaluation(dir, e, &err), -1);
    assert_non_null(strstr(err.msg, dir));
    assert_int_equal(bp_artifacts_best(dir, e, &err), -1);
    assert_non_null(strstr(err.msg, dir));
    assert_int_equal(bp_artifacts_summary(dir, "{", NULL, &err), -1);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(bp_artifacts_results(dir, &summary, &err), -1);
    assert_int_equal(err.sys_errno, ENOENT);
    bp_evaluation_free(e);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evaluation_files),
        TEST(history_is_appended),
        TEST(best_is_three_files),
        TEST(best_is_replaced_as_a_whole),
        TEST(summary_file),
        TEST(results_table),
        TEST(missing_directory_is_named),
    };
    return cmocka_run_group_tests_name("store/artifacts", tests, NULL, NULL);
}
