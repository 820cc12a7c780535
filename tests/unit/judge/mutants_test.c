/* Wrong kernels are rejected: each mistake, at five lengths and in both 16-bit dtypes, by at least
 * one family. With --matrix, prints which families reject which mistake (scripts/judge-matrix). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"

/* The shape a mistake needs to be one. */
enum variant { CAUSAL, WINDOW, RAGGED, MANY_ROWS, VARIANTS };

struct mutant {
    struct kernel kernel;
    enum variant variant;
    uint32_t bf16_from; /* in bf16 no test can tell it from honest rounding at smaller lengths */
};
#define NEVER UINT32_MAX

static const struct mutant mutants[] = {
    {{"zeros", ZEROS, 64}},
    {{"mean of V", MEAN_OF_V, 64}},
    {{"input passed through", INPUT_PASSED_THROUGH, 64}},
    {{"NaN", NAN_OUTPUT, 64}},
    {{"output untouched", OUTPUT_UNTOUCHED, 64}},
    {{"previous row's output", STALE_ROW, 64}},
    {{"one row missing", ONE_ROW_MISSING, 64}},
    {{"wrong KV head", WRONG_KV_HEAD, 64}},
    {{"KV heads interleaved", KV_HEADS_INTERLEAVED, 64}},
    {{"one query head of a group on the next KV head", LAST_OF_GROUP_WRONG, 64}},
    {{"two query heads swapped", Q_HEADS_SWAPPED, 64}},
    {{"first half of KV", FIRST_HALF_OF_KV, 64}},
    {{"last tile skipped", LAST_TILE_SKIPPED, 64}},
    {{"one key skipped", ONE_KEY_SKIPPED, 64}},
    {{"two V rows swapped", TWO_V_ROWS_SWAPPED, 64}},
    {{"causal: one key too many", CAUSAL_ONE_MORE, 64}},
    {{"causal: one key too few", CAUSAL_ONE_LESS, 64}},
    {{"window: one key too many", WINDOW_ONE_MORE, 64}, WINDOW},
    {{"window: one key too few", WINDOW_ONE_LESS, 64}, WINDOW},
    {{"lengths of a ragged batch ignored", RAGGED_IGNORED, 64}, RAGGED},
    {{"scale 5 % off", RIGHT, 64, .scale_error = 0.05f}},
    {{"scale 2 % off", RIGHT, 64, .scale_error = -0.02f}},
    {{"scale 1 % off", RIGHT, 64, .scale_error = 0.01f}, MANY_ROWS},
    {{"no maximum subtracted", NO_MAXIMUM, 64}},
    {{"rescale missed", RESCALE_MISSED, 8}},
    {{"rescale missed once", RESCALE_MISSED_ONCE, 8}},
    {{"rescale missed in the second tile", RESCALE_MISSED_EARLY, 8}},
    {{"rescale missed in the last tile", RESCALE_MISSED_LAST, 8}},
    {{"normaliser without the last tile", NORMALISER_MISSES_TILE, 8}},
    {{"splits averaged", SPLITS_AVERAGED, 64, .splits = 4}},
    {{"exp 1 % wrong", EXP_1_PERCENT, 64}, MANY_ROWS, 64},
    {{"one element 1 % wrong", ONE_ELEMENT_1_PERCENT, 64}},
    {{"output 1 % wrong", OUTPUT_1_PERCENT, 64}},
    {{"QK summed in bf16", QK_IN_BF16, 64}},
    {{"PV summed in bf16", PV_IN_BF16, 64}, MANY_ROWS, 64},
    {{"P in fp8 (e4m3)", P_IN_E4M3, 64}},
    {{"P in fp8 (e5m2)", P_IN_E5M2, 64}},
    {{"P with 3 bits", P_3_BITS, 64}},
    {{"P with 5 bits", P_5_BITS, 64}, MANY_ROWS, 64},
    {{"K in fp8 (e4m3)", K_IN_FP8, 64}},
    {{"V in fp8 (e4m3)", V_IN_FP8, 64}},
    {{"f16 subnormals flushed", SUBNORMALS_FLUSHED, 64}, CAUSAL, NEVER},
};
enum { MUTANTS = sizeof mutants / sizeof *mutants };

/* The order is that of the search for a rejection: the cheapest killer first. */
static const enum bp_family families[] = {
    BP_FAMILY_gauss, BP_FAMILY_needle, BP_FAMILY_code,  BP_FAMILY_exact, BP_FAMILY_ramp,
    BP_FAMILY_tilt,  BP_FAMILY_onehot, BP_FAMILY_x8,    BP_FAMILY_x30,   BP_FAMILY_heavy,
    BP_FAMILY_shift, BP_FAMILY_constv, BP_FAMILY_small,
};
enum { FAMILIES = sizeof families / sizeof *families };
_Static_assert((int)FAMILIES == (int)BP_FAMILY_COUNT, "the table has every family");

static const uint32_t lengths[] = {17, 64, 100, 333, 777};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static bool exhaustive;
static unsigned rejections[MUTANTS][FAMILIES];

static struct bp_shape shape_of(enum variant variant, uint32_t length)
{
    struct bp_shape shape = {"mutants", 1, 4, 2, length < 32 ? length : 32, length, 128};
    switch (variant) {
    case WINDOW:
        shape.window = length / 2;
        shape.causal = 1;
        break;
    case RAGGED:
        shape.batch = 2;
        shape.ragged = 1;
        shape.kv_lens[0] = length;
        shape.kv_lens[1] = length * 2 / 3;
        break;
    case MANY_ROWS:
        shape.q_heads = 8;
        shape.kv_heads = 4;
        shape.q_len = 160;
        break;
    default:
        shape.causal = 1;
    }
    return shape;
}

static bool concerns(const struct mutant *mutant, enum variant variant, uint32_t length,
                     enum bp_dtype dtype)
{
    return mutant->variant == variant && (dtype == BP_DTYPE_F16 || length >= mutant->bf16_from);
}

static void run_family(struct problem *problem, enum variant variant, int f, bool *rejected)
{
    uint32_t length = problem->item.shape.kv_len;
    for (int m = 0; m < MUTANTS; m++) {
        const struct mutant *mutant = &mutants[m];
        if (!concerns(mutant, variant, length, problem->dtype) || (rejected[m] && !exhaustive))
            continue;
        struct bp_judgement judgement = problem_judge(problem, &mutant->kernel);
        bool caught = judgement.verdict != BP_VERDICT_PASS;
        rejected[m] |= caught;
        rejections[m][f] += caught;
        if (mutant->kernel.mistake == NAN_OUTPUT)
            assert_int_equal(judgement.verdict, BP_VERDICT_NONFINITE);
    }
}

static void run_shape(enum variant variant, uint32_t length, enum bp_dtype dtype)
{
    bool rejected[MUTANTS] = {false};
    struct bp_shape shape = shape_of(variant, length);
    for (int f = 0; f < FAMILIES; f++) {
        bool left = exhaustive;
        for (int m = 0; m < MUTANTS; m++)
            left |= concerns(&mutants[m], variant, length, dtype) && !rejected[m];
        if (!left)
            break;
        struct problem problem;
        problem_make(&problem, &shape, families[f], dtype, BP_STRICT);
        run_family(&problem, variant, f, rejected);
        problem_free(&problem);
    }
    for (int m = 0; m < MUTANTS; m++) {
        if (concerns(&mutants[m], variant, length, dtype) && !rejected[m])
            fail_msg("%s accepted at length %u in %s", mutants[m].kernel.name, length,
                     bp_dtype_name(dtype));
    }
}

static void print_matrix(void)
{
    printf("| mistake |");
    for (int f = 0; f < FAMILIES; f++)
        printf(" %s |", bp_family_name(families[f]));
    printf("\n|---|");
    for (int f = 0; f < FAMILIES; f++)
        printf("---|");
    for (int m = 0; m < MUTANTS; m++) {
        printf("\n| %s |", mutants[m].kernel.name);
        for (int f = 0; f < FAMILIES; f++)
            printf(" %u |", rejections[m][f]);
    }
    printf("\n");
}

static void test_mutants(void **state)
{
    (void)state;
    for (int l = 0; l < LENGTHS; l++) {
        for (int v = 0; v < VARIANTS; v++) {
            run_shape((enum variant)v, lengths[l], BP_DTYPE_F16);
            run_shape((enum variant)v, lengths[l], BP_DTYPE_BF16);
        }
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_pooled),
    };
    exhaustive = argc > 1 && strcmp(argv[1], "--matrix") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
