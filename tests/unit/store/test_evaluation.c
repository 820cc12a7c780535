/* The safety block, and that a copy of an evaluation shares nothing with it. */
#include <string.h>

#include "tests/unit/store/sample.h"

enum class { NONE, COMMAND, MEMORY, COMPILATION, RESOURCE };

static const struct {
    enum class class;
    double score;
} expected[BP_VERDICT_COUNT] = {
    [BP_VERDICT_PASS] = {NONE, 100},
    [BP_VERDICT_INVALID_CONFIG] = {NONE, 100},
    [BP_VERDICT_INVALID_SOURCE] = {COMPILATION, 90},
    [BP_VERDICT_COMPILE_ERROR] = {COMPILATION, 90},
    [BP_VERDICT_COMPILE_TIMEOUT] = {COMPILATION, 90},
    [BP_VERDICT_COMPILE_LIMIT] = {COMPILATION, 90},
    [BP_VERDICT_COMPILER_CRASH] = {COMPILATION, 90},
    [BP_VERDICT_RESOURCE_LIMIT] = {RESOURCE, 75},
    [BP_VERDICT_LAUNCH_ERROR] = {COMMAND, 50},
    [BP_VERDICT_UNSUPPORTED] = {NONE, 100},
    [BP_VERDICT_WRONG_RESULT] = {NONE, 100},
    [BP_VERDICT_NONFINITE] = {NONE, 100},
    [BP_VERDICT_NONDETERMINISTIC] = {NONE, 100},
    [BP_VERDICT_RUN_TIMEOUT] = {COMMAND, 50},
    [BP_VERDICT_GPU_FAULT] = {MEMORY, 25},
    [BP_VERDICT_GPU_HANG] = {COMMAND, 50},
    [BP_VERDICT_CRASH] = {MEMORY, 25},
    [BP_VERDICT_OOM_HOST] = {RESOURCE, 75},
    [BP_VERDICT_OOM_DEVICE] = {RESOURCE, 75},
    [BP_VERDICT_POLICY] = {COMMAND, 50},
    [BP_VERDICT_PROTOCOL] = {COMMAND, 50},
    [BP_VERDICT_TAMPER] = {MEMORY, 25},
    [BP_VERDICT_RACE] = {MEMORY, 25},
    [BP_VERDICT_INFRA] = {NONE, 100},
};

static void set_attempts(struct bp_evaluation *e, uint32_t count, const enum bp_verdict *outcomes)
{
    e->attempt_count = count;
    for (uint32_t i = 0; i < count; i++)
        e->attempts[i].outcome = outcomes[i];
    if (count > 0)
        e->verdict = outcomes[count - 1];
    bp_evaluation_safety(e);
}

static void one_attempt_of_each_verdict(void **state)
{
    (void)state;
    for (int i = 0; i < BP_VERDICT_COUNT; i++) {
        struct bp_evaluation *e = bp_evaluation_new();
        enum bp_verdict verdict = (enum bp_verdict)i;
        assert_non_null(e);
        set_attempts(e, 1, &verdict);
        const struct bp_safety *safety = &e->safety;
        assert_int_equal(safety->command_errors, expected[i].class == COMMAND);
        assert_int_equal(safety->memory_violations, expected[i].class == MEMORY);
        assert_int_equal(safety->compilation_errors, expected[i].class == COMPILATION);
        assert_int_equal(safety->resource_errors, expected[i].class == RESOURCE);
        assert_int_equal(safety->total_errors, expected[i].class != NONE);
        assert_float_equal(safety->safety_score, expected[i].score, 0);
        assert_int_equal(safety->retries, 0);
        assert_int_equal(safety->fallbacks, bp_verdict_retry(verdict) != BP_RETRY_NEVER);
        bp_evaluation_free(e);
    }
}

static void retries_and_fallbacks(void **state)
{
    (void)state;
    struct bp_evaluation *e = bp_evaluation_new();
    assert_non_null(e);
    set_attempts(e, 2, (enum bp_verdict[]){BP_VERDICT_INFRA, BP_VERDICT_PASS});
    assert_int_equal(e->safety.retries, 1);
    assert_int_equal(e->safety.fallbacks, 0);
    assert_float_equal(e->safety.safety_score, 100, 0);
    set_attempts(e, 2, (enum bp_verdict[]){BP_VERDICT_GPU_FAULT, BP_VERDICT_GPU_FAULT});
    assert_int_equal(e->safety.memory_violations, 2);
    assert_int_equal(e->safety.fallbacks,
                     0); /* repeated after a probe: a verdict on the candidate */
    e->verdict = BP_VERDICT_GPU_FAULT;
    assert_int_equal(bp_evaluation_blame(e), BP_BLAME_CANDIDATE);
    set_attempts(e, 2, (enum bp_verdict[]){BP_VERDICT_INFRA, BP_VERDICT_GPU_FAULT});
    assert_int_equal(e->safety.fallbacks, 1);
    assert_int_equal(bp_evaluation_blame(e), BP_BLAME_DEVICE);
    set_attempts(e, 2, (enum bp_verdict[]){BP_VERDICT_GPU_HANG, BP_VERDICT_GPU_FAULT});
    assert_float_equal(e->safety.safety_score, 0, 0);
    e->verdict = BP_VERDICT_CRASH;
    set_attempts(e, 0, NULL);
    assert_int_equal(e->safety.memory_violations, 1);
    assert_int_equal(e->safety.retries, 0);
    bp_evaluation_free(e);
}

/* It passed its trial and crashed in the match: the verdict is no attempt's outcome. */
static void verdict_that_no_attempt_had_counts(void **state)
{
    (void)state;
    struct bp_evaluation *e = bp_evaluation_new();
    assert_non_null(e);
    set_attempts(e, 2, (enum bp_verdict[]){BP_VERDICT_INFRA, BP_VERDICT_PASS});
    e->verdict = BP_VERDICT_CRASH;
    bp_evaluation_safety(e);
    assert_int_equal(e->safety.memory_violations, 1);
    assert_int_equal(e->safety.total_errors, 1);
    assert_int_equal(e->safety.retries, 1);
    assert_int_equal(e->safety.fallbacks, 0);
    assert_float_equal(e->safety.safety_score, 25, 0);
    bp_evaluation_free(e);
}

static void sums_of_a_run(void **state)
{
    (void)state;
    struct bp_safety sums = {0};
    const struct bp_safety one = {.command_errors = 1, .total_errors = 1, .safety_score = 50};
    const struct bp_safety two = {
        .memory_violations = 2, .total_errors = 2, .retries = 1, .fallbacks = 1, .safety_score = 0};
    const struct bp_safety clean = {.safety_score = 100};
    bp_safety_add(&sums, &one, 0);
    bp_safety_add(&sums, &two, 1);
    bp_safety_add(&sums, &clean, 2);
    assert_int_equal(sums.command_errors, 1);
    assert_int_equal(sums.memory_violations, 2);
    assert_int_equal(sums.total_errors, 3);
    assert_int_equal(sums.retries, 1);
    assert_int_equal(sums.fallbacks, 1);
    assert_float_equal(sums.safety_score, 50, 1e-9);
}

static void copy_is_deep(void **state)
{
    (void)state;
    struct bp_evaluation *e = sample_evaluation(7, BP_VERDICT_PASS);
    struct bp_evaluation *copy = bp_evaluation_copy(e);
    assert_non_null(copy);
    assert_ptr_not_equal(copy->source, e->source);
    assert_ptr_not_equal(copy->plans, e->plans);
    assert_ptr_not_equal(copy->cases, e->cases);
    assert_ptr_not_equal(copy->diagnostics, e->diagnostics);
    memset(e->source, 'x', e->source_bytes);
    memset(e->cases, 0xff, e->case_count * sizeof *e->cases);
    bp_evaluation_free(e);
    assert_string_equal(copy->source, SAMPLE_SOURCE);
    assert_string_equal(copy->cases[19].shape, "shape_19");
    assert_int_equal(copy->plans[0].workspace_bytes, 4096);
    assert_string_equal(copy->diagnostics, "warning: unused");
    bp_evaluation_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_attempt_of_each_verdict),
        cmocka_unit_test(retries_and_fallbacks),
        cmocka_unit_test(verdict_that_no_attempt_had_counts),
        cmocka_unit_test(sums_of_a_run),
        cmocka_unit_test(copy_is_deep),
    };
    return cmocka_run_group_tests_name("store/evaluation", tests, NULL, NULL);
}
