/* The judge on single outputs: what each rule says, and about which row. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"

static const struct kernel honest = {"honest", RIGHT, 64};
static const struct bp_shape shape = {"rules", 2, 4, 2, 6, 90, 64, .causal = 1};

static struct bp_judgement judge(struct problem *problem)
{
    struct bp_judgement judgement;
    bp_judge_case(&problem->item, problem->dtype, &problem->rows_key, &problem->permutation,
                  problem->reference, problem->output, &judgement);
    return judgement;
}

/* One element at a time: found, and named in the candidate's own heads. */
static void test_element_is_named(void **state)
{
    (void)state;
    struct problem problem;
    problem_make(&problem, &shape, BP_FAMILY_gauss, BP_DTYPE_F16, BP_STRICT);
    assert_int_equal(problem_judge(&problem, &honest).verdict, BP_VERDICT_PASS);
    for (uint32_t head = 0; head < 4; head++) {
        struct bp_row row = {1, head, 4};
        uint16_t *o = problem_row(&problem, row), kept = o[17];
        double value = bp_dtype_load(BP_DTYPE_F16, &o[17]);
        bp_dtype_store(BP_DTYPE_F16, &o[17], value + 0.05);
        struct bp_judgement judgement = judge(&problem);
        char place[64];
        snprintf(place, sizeof place, "(batch 1, head %u, token 4) element 17: got", head);
        assert_int_equal(judgement.verdict, BP_VERDICT_WRONG_RESULT);
        assert_non_null(strstr(judgement.message, place));
        assert_non_null(strstr(judgement.message, "rule 1"));
        assert_true(judgement.max_ratio > 1);
        o[17] = kept;
    }
    assert_int_equal(judge(&problem).verdict, BP_VERDICT_PASS);
    problem_free(&problem);
}

static void test_nonfinite(void **state)
{
    (void)state;
    static const double values[] = {NAN, INFINITY, -INFINITY};
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct problem problem;
        problem_make(&problem, &shape, BP_FAMILY_gauss, (enum bp_dtype)dtype, BP_STRICT);
        for (int i = 0; i < 3; i++) {
            problem_judge(&problem, &honest);
            bp_dtype_store((enum bp_dtype)dtype, problem_row(&problem, (struct bp_row){0, 3, 5}),
                           values[i]);
            struct bp_judgement judgement = judge(&problem);
            assert_int_equal(judgement.verdict, BP_VERDICT_NONFINITE);
            assert_non_null(strstr(judgement.message, "(batch 0, head 3, token 5) element 0"));
            assert_true(isfinite(judgement.max_ratio));
        }
        problem_free(&problem);
    }
}

/* Many small errors that rule 1 lets pass each by each. */
static void test_rms(void **state)
{
    (void)state;
    struct problem problem;
    problem_make(&problem, &shape, BP_FAMILY_gauss, BP_DTYPE_BF16, BP_STRICT);
    problem_judge(&problem, &honest);
    uint64_t index = 0; /* reference row 0 is (0, 0, 0) in master heads */
    uint32_t head = 0;
    while (problem.permutation.q_head[head] != 0)
        head++;
    struct bp_reference_row want = bp_reference_row(problem.reference, index);
    uint16_t *o = problem_row(&problem, (struct bp_row){0, head, 0});
    for (uint32_t d = 0; d < 64; d++)
        bp_dtype_store(BP_DTYPE_BF16, &o[d], want.o[d] + 0.8 * (want.c[d] + 8 * want.n[d]));
    struct bp_judgement judgement = judge(&problem);
    assert_int_equal(judgement.verdict, BP_VERDICT_WRONG_RESULT);
    assert_true(judgement.max_ratio < 1 && judgement.rms_ratio > 1);
    assert_non_null(strstr(judgement.message, "rule 2"));
    problem_free(&problem);
}

/* Rows that see no key are exactly zero, of either sign. */
static void test_masked_rows(void **state)
{
    (void)state;
    static const struct bp_shape masked = {"masked", 1, 2, 1, 20, 5, 64, .causal = 1};
    struct problem problem;
    problem_make(&problem, &masked, BP_FAMILY_exact, BP_DTYPE_F16, BP_STRICT);
    assert_int_equal(problem_judge(&problem, &honest).verdict, BP_VERDICT_PASS);
    uint16_t *o = problem_row(&problem, (struct bp_row){0, 1, 3});
    o[8] = 0x8000;
    assert_int_equal(judge(&problem).verdict, BP_VERDICT_PASS);
    o[8] = 0x0001;
    struct bp_judgement judgement = judge(&problem);
    assert_int_equal(judgement.verdict, BP_VERDICT_WRONG_RESULT);
    assert_non_null(strstr(judgement.message, "masked row"));
    problem_free(&problem);
}

/* A single row, as sampled from a timed output: its reference is computed for it alone. */
static void test_sample(void **state)
{
    (void)state;
    struct problem problem;
    struct bp_judgement judgement;
    problem_make(&problem, &shape, BP_FAMILY_gauss, BP_DTYPE_F16, BP_STRICT);
    problem_judge(&problem, &honest);
    uint64_t all = bp_rows_count(&shape, problem.item.max_rows);
    uint8_t *block = malloc(bp_reference_one_row_bytes(shape.head_dim));
    for (uint64_t i = 0; i < all; i += 7) {
        struct bp_row at = bp_rows_at(&shape, &problem.rows_key, problem.item.max_rows, i);
        struct bp_reference_row want = bp_reference_row(problem.reference, i);
        bp_reference_make_row(&problem.item, BP_DTYPE_F16, BP_STRICT, at, problem.master, block);
        struct bp_reference_row one = bp_reference_row(block, 0);
        assert_memory_equal(one.o, want.o, (shape.head_dim + 1) * sizeof *one.o);
        assert_memory_equal(one.c, want.c, 3 * shape.head_dim * sizeof *one.c);

        struct bp_row own = at;
        own.head = 0;
        while (problem.permutation.q_head[own.head] != at.head)
            own.head++;
        bp_judge_row(&problem.item, BP_DTYPE_F16, at, block, problem_row(&problem, own),
                     &judgement);
        assert_int_equal(judgement.verdict, BP_VERDICT_PASS);
        assert_int_equal(judgement.rows, 1);
        own.token = (own.token + 1) % shape.q_len;
        bp_judge_row(&problem.item, BP_DTYPE_F16, at, block, problem_row(&problem, own),
                     &judgement);
        assert_int_equal(judgement.verdict, BP_VERDICT_WRONG_RESULT);
    }
    free(block);
    problem_free(&problem);
}

/* Rule 4 speaks of tilt only where several heads average, and of rows of 64 keys and more. */
static void test_scale_needs_heads_and_keys(void **state)
{
    (void)state;
    static const struct {
        struct bp_shape shape;
        bool speaks;
    } cases[] = {
        {{"three heads", 1, 6, 3, 60, 80, 64}, false},
        {{"four heads", 1, 8, 4, 60, 80, 64}, true},
        {{"four heads of two", 2, 4, 2, 60, 80, 64}, true},
        {{"63 keys", 1, 8, 4, 120, 63, 64}, false},
        {{"64 keys", 1, 8, 4, 120, 64, 64}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problem problem;
        problem_make(&problem, &cases[i].shape, BP_FAMILY_tilt, BP_DTYPE_F16, BP_STRICT);
        struct bp_judgement judgement = problem_judge(&problem, &honest);
        assert_int_equal(judgement.verdict, BP_VERDICT_PASS);
        assert_int_equal(judgement.alpha != 0, cases[i].speaks);
        problem_free(&problem);
    }
}

/* Strict refuses what lenient allows; both need the reference made for them. */
static void test_strictness(void **state)
{
    (void)state;
    static const struct kernel rounded_q = {"rounded Q", RIGHT, 64, .round_q = true};
    /* Of head_dim 128 the scale is no power of two. */
    static const struct bp_shape wide = {"wide", 1, 4, 2, 6, 90, 128};
    struct problem problem;
    problem_make(&problem, &wide, BP_FAMILY_x30, BP_DTYPE_BF16, BP_STRICT);
    assert_int_equal(problem_judge(&problem, &rounded_q).verdict, BP_VERDICT_WRONG_RESULT);
    problem_free(&problem);
    problem_make(&problem, &wide, BP_FAMILY_x30, BP_DTYPE_BF16, BP_LENIENT);
    assert_int_equal(problem_judge(&problem, &rounded_q).verdict, BP_VERDICT_PASS);
    problem_free(&problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_element_is_named),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_masked_rows),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_scale_needs_heads_and_keys),
        cmocka_unit_test(test_strictness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
