/* The object of `eval --json`: every key, its type, for every verdict. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/report/artifacts.h"
#include "tests/unit/store/sample.h"

static json_t *object_of(const struct bp_evaluation *e)
{
    json_t *object = bp_evaluation_json(e);
    assert_non_null(object);
    /* As a reader gets it. */
    char *text = json_dumps(object, BP_JSON_FLAGS);
    assert_non_null(text);
    json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(again);
    free(text);
    json_decref(object);
    return again;
}

/* Exactly these members: JSON_STRICT refuses any other, and a missing one is refused anyway. */
static void unpack(json_t *object, const char *format, ...)
{
    json_error_t error;
    va_list args;
    va_start(args, format);
    int result = json_vunpack_ex(object, &error, JSON_STRICT, format, args);
    va_end(args);
    if (result < 0)
        fail_msg("%s", error.text);
}

static void check_parts(json_t *object)
{
    json_t *item, *launch;
    const char *text;
    double x;
    json_int_t n;
    unpack(json_object_get(object, "device"), "{s:s, s:s, s:s, s:s}", "name", &text, "kind", &text,
           "arch", &text, "driver", &text);
    unpack(json_object_get(object, "duration_ms"), "{s:F, s:F, s:F, s:F, s:F, s:F, s:F}", "prepare",
           &x, "compile", &x, "run", &x, "judge", &x, "time", &x, "overhead", &x, "total", &x);
    unpack(json_object_get(object, "safety"),
           "{s:I, s:I, s:I, s:I, s:I, s:{s:o,s:o,s:o,s:o}, s:I,"
           " s:I, s:F}",
           "command_errors", &n, "memory_violations", &n, "compilation_errors", &n,
           "resource_errors", &n, "total_errors", &n, "percent", "command", &item, "memory", &item,
           "compilation", &item, "resource", &item, "retries", &n, "fallbacks", &n, "safety_score",
           &x);
    item = json_array_get(json_object_get(object, "attempts"), SAMPLE_ATTEMPTS - 1);
    unpack(item, "{s:s, s:s, s:s, s:F}", "outcome", &text, "stage", &text, "message", &text,
           "duration_ms", &x);
    item = json_array_get(json_object_get(object, "timing"), SAMPLE_TIMINGS - 1);
    unpack(item, "{s:s, s:F, s:F, s:F, s:F, s:F, s:F, s:F, s:I, s:I}", "shape", &text, "median_ms",
           &x, "ci_low_ms", &x, "ci_high_ms", &x, "gflops", &x, "gflops_full", &x, "gbps", &x,
           "roofline", &x, "batches", &n, "calls_per_batch", &n);
    item = json_array_get(json_object_get(object, "correctness"), SAMPLE_CASES - 1);
    unpack(item, "{s:s, s:s, s:s, s:F, s:F, s:F, s:F, s:I}", "shape", &text, "family", &text,
           "verdict", &text, "max_ratio", &x, "rms_ratio", &x, "pooled", &x, "alpha", &x, "rows",
           &n);
    item = json_array_get(json_object_get(object, "unseen"), 1);
    unpack(item, "{s:s, s:s, s:s, s:s, s:I, s:F}", "shape", &text, "verdict", &text, "stage", &text,
           "message", &text, "rows", &n, "max_ratio", &x);
    unpack(json_object_get(object, "plan"), "[{s:s, s:[o, o], s:I}]", "shape", &text, "launches",
           &item, &launch, "workspace_bytes", &n);
    unpack(launch, "{s:[I,I,I], s:[I,I,I], s:I}", "grid", &n, &n, &n, "block", &n, &n, &n,
           "dynamic_lds", &n);
}

static void check_profile(json_t *profile)
{
    static const struct {
        const char *name;
        json_int_t value;
    } numbers[] = {{"vgpr", 128},         {"agpr", 16},           {"sgpr", 40},
                   {"spills", 3},         {"sgpr_spills", 1},     {"lds_bytes", 32768},
                   {"scratch_bytes", 12}, {"block_threads", 256}, {"occupancy", 4},
                   {"occupancy_max", 16}};
    json_t *first = json_array_get(profile, 0), *second = json_array_get(profile, 1);
    json_t *mix = json_object_get(first, "mix");
    assert_int_equal(json_array_size(profile), 2);
    assert_string_equal(json_string_value(json_object_get(first, "kernel")), "gqa_kernel0");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(json_integer_value(json_object_get(first, numbers[i].name)),
                         numbers[i].value);
    assert_int_equal(json_object_size(mix), BP_MIX_COUNT);
    assert_int_equal(json_integer_value(json_object_get(mix, "matrix")), 1);
    assert_int_equal(json_integer_value(json_object_get(mix, "other")), 7);
    assert_true(json_is_null(json_object_get(second, "mix")));
    assert_true(json_is_null(json_object_get(second, "block_threads")));
}

static void every_verdict(void **state)
{
    (void)state;
    for (int i = 0; i < BP_VERDICT_COUNT; i++) {
        struct bp_evaluation *e = sample_evaluation(42, (enum bp_verdict)i);
        json_t *object = object_of(e), *list, *part, *profile, *counters;
        const char *verdict, *stage, *text, *knob;
        double score;
        json_int_t number, parent, wall_ms, bm, counts[9];
        unpack(
            object,
            "{s:s, s:s, s:s, s:s, s:F, s:[], s:n, s:I, s:s, s:s, s:I, s:s, s:s, s:{s:I, s:s},"
            " s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:n, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:I}",
            "verdict", &verdict, "blame", &text, "stage", &stage, "message", &text, "score", &score,
            "flags", "duplicate_of", "number", &number, "origin", &text, "strategy", &text,
            "parent", &parent, "kernel", &text, "dtype", &text, "knobs", "BM", &bm, "PATH", &knob,
            "source_hash", &text, "object_hash", &text, "device", &part, "suite", &text, "sandbox",
            &text, "attempts", &list, "profile", &profile, "counters", &counters, "gate", "plan",
            &list, "timing", &list, "correctness", &list, "unseen", &list, "safety", &part,
            "duration_ms", &part, "diagnostics", &text, "finished_wall_ms", &wall_ms);
        assert_string_equal(verdict, bp_verdict_name((enum bp_verdict)i));
        assert_string_equal(stage, i == BP_VERDICT_PASS ? "time" : "run");
        assert_float_equal(score, i == BP_VERDICT_PASS ? 1.042 : 0, 1e-9);
        assert_int_equal(number, 42);
        assert_int_equal(parent, 41);
        assert_int_equal(bm, 64);
        assert_string_equal(knob, "wide");
        assert_int_equal(wall_ms, 1700000000000);
        check_parts(object);
        check_profile(profile);
        unpack(counters, "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "salu", &counts[0],
               "valu", &counts[1], "matrix", &counts[2], "lds", &counts[3], "vmem", &counts[4],
               "smem", &counts[5], "wait", &counts[6], "branch", &counts[7], "other", &counts[8]);
        assert_int_equal(counts[0], 1000);
        assert_int_equal(counts[7], 80);
        assert_int_equal(counts[8], (json_int_t)1 << 40);
        json_decref(object);
        bp_evaluation_free(e);
    }
}

/* What `eval` without a baseline has of a source that was refused before anything ran. */
static void nothing_happened_yet(void **state)
{
    (void)state;
    struct bp_evaluation *e = bp_evaluation_new();
    assert_non_null(e);
    e->verdict = BP_VERDICT_INVALID_SOURCE;
    bp_evaluation_safety(e);
    json_t *object = object_of(e);
    static const char *const nulls[] = {"score",        "parent",  "strategy",
                                        "object_hash",  "profile", "diagnostics",
                                        "duplicate_of", "gate",    "counters"};
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        assert_true(json_is_null(json_object_get(object, nulls[i])));
    static const char *const empty[] = {"attempts", "timing", "correctness",
                                        "unseen",   "plan",   "flags"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        assert_true(json_is_array(json_object_get(object, empty[i])));
        assert_int_equal(json_array_size(json_object_get(object, empty[i])), 0);
    }
    assert_int_equal(json_object_size(json_object_get(object, "knobs")), 0);
    json_decref(object);
    bp_evaluation_free(e);
}

static void gates_are_told_of(void **state)
{
    (void)state;
    struct bp_evaluation *e = sample_evaluation(9, BP_VERDICT_PASS);
    const char *first, *second;
    json_int_t shapes;
    json_t *ran;
    double ms;
    e->gate = (struct bp_gate_note){.gates = 1u << BP_GATE_race | 1u << BP_GATE_barrier,
                                    .shapes = 5,
                                    .compile_ms = 75,
                                    .run_ms = 3};
    json_t *object = object_of(e);
    unpack(json_object_get(object, "gate"), "{s:[s, s], s:I, s:n, s:F, s:F}", "ran", &first,
           &second, "shapes", &shapes, "skipped_because", "compile_ms", &ms, "run_ms", &ms);
    assert_string_equal(first, "race");
    assert_string_equal(second, "barrier");
    assert_int_equal(shapes, 5);
    json_decref(object);
    snprintf(e->gate.skipped_because, sizeof e->gate.skipped_because, "no time");
    object = object_of(e);
    unpack(json_object_get(object, "gate"), "{s:o, s:I, s:s, s:F, s:F}", "ran", &ran, "shapes",
           &shapes, "skipped_because", &first, "compile_ms", &ms, "run_ms", &ms);
    assert_int_equal(json_array_size(ran), 0);
    assert_string_equal(first, "no time");
    json_decref(object);
    bp_evaluation_free(e);
}

static void duplicate_is_a_flag(void **state)
{
    (void)state;
    struct bp_evaluation *e = sample_evaluation(9, BP_VERDICT_PASS);
    e->duplicate = true;
    e->duplicate_of = 4;
    json_t *object = object_of(e), *flags = json_object_get(object, "flags");
    assert_string_equal(json_string_value(json_object_get(object, "verdict")), "PASS");
    assert_int_equal(json_array_size(flags), 1);
    assert_string_equal(json_string_value(json_array_get(flags, 0)), "duplicate");
    assert_int_equal(json_integer_value(json_object_get(object, "duplicate_of")), 4);
    json_decref(object);
    bp_evaluation_free(e);
}

static void figures_json_cannot_hold(void **state)
{
    (void)state;
    struct bp_evaluation *e = sample_evaluation(3, BP_VERDICT_NONFINITE);
    e->score = NAN;
    e->timings[0].gflops = INFINITY;
    e->cases[0].max_ratio = -INFINITY;
    e->plans[0].workspace_bytes = UINT64_MAX;
    json_t *object = object_of(e);
    assert_true(json_is_null(json_object_get(object, "score")));
    json_t *timing = json_array_get(json_object_get(object, "timing"), 0);
    assert_true(json_is_null(json_object_get(timing, "gflops")));
    assert_float_equal(json_real_value(json_object_get(timing, "median_ms")), 8.36, 1e-12);
    json_t *result = json_array_get(json_object_get(object, "correctness"), 0);
    assert_true(json_is_null(json_object_get(result, "max_ratio")));
    json_t *plan = json_array_get(json_object_get(object, "plan"), 0);
    assert_string_equal(json_string_value(json_object_get(plan, "workspace_bytes")),
                        "18446744073709551615");
    json_decref(object);
    bp_evaluation_free(e);
}

static void texts_that_are_not_utf8(void **state)
{
    (void)state;
    struct bp_evaluation *e = sample_evaluation(3, BP_VERDICT_COMPILE_ERROR);
    strcpy(e->message, "a \xff b \xe2\x80\xa6 \xe2\x80");
    strcpy(e->knobs[1].name, "N\x80");
    strcpy(e->knobs[1].value, "007");
    json_t *object = object_of(e);
    assert_string_equal(json_string_value(json_object_get(object, "message")),
                        "a ? b \xe2\x80\xa6 ??");
    json_t *knobs = json_object_get(object, "knobs");
    assert_string_equal(json_string_value(json_object_get(knobs, "N?")), "007");
    json_decref(object);
    bp_evaluation_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(nothing_happened_yet),
        cmocka_unit_test(gates_are_told_of),
        cmocka_unit_test(duplicate_is_a_flag),
        cmocka_unit_test(figures_json_cannot_hold),
        cmocka_unit_test(texts_that_are_not_utf8),
    };
    return cmocka_run_group_tests_name("store/json", tests, NULL, NULL);
}
