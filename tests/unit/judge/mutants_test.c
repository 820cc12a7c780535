/* Wrong kernels are rejected: each mistake, at five lengths and in both 16-bit dtypes, by at least
 * one family. With BP_TEST_MATRIX set, prints which families reject which mistake. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"

static const struct kernel mutants[] = {
    {"zeros", ZEROS, 64},
    {"mean of V", MEAN_OF_V, 64},
    {"last tile skipped", LAST_TILE_SKIPPED, 64},
    {"wrong KV head", WRONG_KV_HEAD, 64},
    {"scale 5 % off", RIGHT, 64, .scale_error = 0.05f},
    {"scale 2 % off", RIGHT, 64, .scale_error = -0.02f},
    {"input passed through", INPUT_PASSED_THROUGH, 64},
    {"NaN", NAN_OUTPUT, 64},
    {"output untouched", OUTPUT_UNTOUCHED, 64},
    {"first half of KV", FIRST_HALF_OF_KV, 64},
    {"causal off by one", CAUSAL_OFF_BY_ONE, 64},
    {"one key skipped", ONE_KEY_SKIPPED, 64},
    {"two V rows swapped", TWO_V_ROWS_SWAPPED, 64},
    {"rescale missed", RESCALE_MISSED, 8},
    {"rescale missed once", RESCALE_MISSED_ONCE, 8},
    {"one element 1 % wrong", ONE_ELEMENT_1_PERCENT, 64},
    {"output 1 % wrong", OUTPUT_1_PERCENT, 64},
    {"P in fp8 (e4m3)", P_IN_FP8, 64},
    {"P with 3 bits", P_3_BITS, 64},
    {"V in fp8 (e4m3)", V_IN_FP8, 64},
    {"previous row's output", STALE_ROW, 64},
    {"splits averaged", SPLITS_AVERAGED, 64, .splits = 4},
    {"one row missing", ONE_ROW_MISSING, 64},
};
enum { MUTANTS = sizeof mutants / sizeof *mutants };

/* The order is that of the search for a rejection: the cheapest killer first. */
static const enum bp_family families[] = {
    BP_FAMILY_gauss, BP_FAMILY_needle, BP_FAMILY_code,   BP_FAMILY_exact,
    BP_FAMILY_ramp,  BP_FAMILY_tilt,   BP_FAMILY_onehot,
};
enum { FAMILIES = sizeof families / sizeof *families };

static const struct bp_shape shapes[] = {
    {"17", 1, 4, 2, 17, 17, 128, .causal = 1},   {"64", 1, 4, 2, 32, 64, 128, .causal = 1},
    {"100", 1, 4, 2, 32, 100, 128, .causal = 1}, {"333", 1, 4, 2, 32, 333, 128, .causal = 1},
    {"777", 1, 4, 2, 40, 777, 128, .causal = 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static unsigned rejections[MUTANTS][FAMILIES];

static void run_shape(const struct bp_shape *shape, enum bp_dtype dtype, bool exhaustive)
{
    bool rejected[MUTANTS] = {false};
    for (int f = 0; f < FAMILIES; f++) {
        struct problem problem;
        problem_make(&problem, shape, families[f], dtype, BP_STRICT);
        for (int m = 0; m < MUTANTS; m++) {
            if (rejected[m] && !exhaustive)
                continue;
            struct bp_judgement judgement = problem_judge(&problem, &mutants[m]);
            bool caught = judgement.verdict != BP_VERDICT_PASS;
            rejected[m] |= caught;
            rejections[m][f] += caught;
            if (mutants[m].mistake == NAN_OUTPUT)
                assert_int_equal(judgement.verdict, BP_VERDICT_NONFINITE);
        }
        problem_free(&problem);
    }
    for (int m = 0; m < MUTANTS; m++) {
        if (!rejected[m])
            fail_msg("%s accepted at length %s in %s", mutants[m].name, shape->name,
                     bp_dtype_name(dtype));
    }
}

static void print_matrix(void)
{
    printf("rejected in how many of %d (length, dtype) pairs, by family\n%-24s", 2 * SHAPES, "");
    for (int f = 0; f < FAMILIES; f++)
        printf("%8s", bp_family_name(families[f]));
    for (int m = 0; m < MUTANTS; m++) {
        printf("\n%-24s", mutants[m].name);
        for (int f = 0; f < FAMILIES; f++)
            printf("%8u", rejections[m][f]);
    }
    printf("\n");
}

static void test_mutants(void **state)
{
    (void)state;
    bool exhaustive = getenv("BP_TEST_MATRIX") != NULL;
    for (int s = 0; s < SHAPES; s++) {
        run_shape(&shapes[s], BP_DTYPE_F16, exhaustive);
        run_shape(&shapes[s], BP_DTYPE_BF16, exhaustive);
    }
    if (exhaustive)
        print_matrix();
}

/* What only the pooled rules see, with enough rows for them to speak. */
static struct bp_judgement judge_many_rows(const struct kernel *kernel, enum bp_family family)
{
    static const struct bp_shape shape = {"pooled", 1, 8, 2, 130, 150, 128};
    struct problem problem;
    problem_make(&problem, &shape, family, BP_DTYPE_BF16, BP_STRICT);
    struct bp_judgement judgement = problem_judge(&problem, kernel);
    problem_free(&problem);
    assert_int_equal(judgement.verdict, BP_VERDICT_WRONG_RESULT);
    return judgement;
}

static void test_pooled(void **state)
{
    (void)state;
    static const struct kernel five_bits = {"P with 5 bits", P_5_BITS, 64};
    static const struct kernel scale = {"scale 0.45 % off", RIGHT, 64, .scale_error = 0.0045f};
    struct bp_judgement judgement = judge_many_rows(&five_bits, BP_FAMILY_gauss);
    assert_true(judgement.pooled > 0.85 && judgement.max_ratio < 1 && judgement.rms_ratio < 1);
    assert_non_null(strstr(judgement.message, "rule 3"));

    judgement = judge_many_rows(&scale, BP_FAMILY_needle);
    assert_true(fabs(judgement.alpha - 0.0045) < 0.0004);
    assert_true(judgement.max_ratio < 1 && judgement.rms_ratio < 1);
    assert_non_null(strstr(judgement.message, "rule 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
