/* Honest kernels are accepted: every family, several lengths and masks, every dtype and class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attention.h"

static const struct kernel strict[] = {
    {"naive", .normalise_p = true},
    {"flash 16", .tile = 16},
    {"flash 64, sum of rounded P", .tile = 64, .sum_rounded_p = true},
    {"flash 32, lazy rescale", .tile = 32, .lazy = 5},
    {"split 4", .tile = 32, .splits = 4},
    {"split 8, rounded partials", .tile = 64, .splits = 8, .round_partials = true},
};
static const struct kernel lenient[] = {
    {"flash 64, scaled Q rounded", .tile = 64, .round_q = true},
};

static const struct bp_shape shapes[] = {
    {"one key", 1, 4, 2, 1, 1, 128},
    {"17 causal", 1, 4, 4, 17, 17, 128, .causal = 1},
    {"64", 1, 4, 2, 8, 64, 128},
    {"100 causal offset", 1, 5, 1, 9, 100, 128, .causal = 1},
    {"333 window", 1, 4, 2, 10, 333, 128, .causal = 1, .window = 70},
    {"777", 1, 4, 2, 8, 777, 128},
    {"ragged", 3, 2, 1, 5, 90, 64, .ragged = 1, .kv_lens = {90, 33, 0}},
    {"masked", 1, 2, 1, 40, 24, 128, .causal = 1},
};

struct worst {
    double max_ratio, rms_ratio, pooled, alpha;
    uint64_t rows;
};

static void accept(struct problem *problem, const struct kernel *kernel, struct worst *worst)
{
    struct bp_judgement j = problem_judge(problem, kernel);
    if (j.verdict != BP_VERDICT_PASS)
        fail_msg("%s, %s, %s, %s: %s", kernel->name, problem->item.shape.name,
                 bp_family_name(problem->item.family), bp_dtype_name(problem->dtype), j.message);
    worst->max_ratio = j.max_ratio > worst->max_ratio ? j.max_ratio : worst->max_ratio;
    worst->rms_ratio = j.rms_ratio > worst->rms_ratio ? j.rms_ratio : worst->rms_ratio;
    worst->pooled = j.pooled > worst->pooled ? j.pooled : worst->pooled;
    double alpha = j.alpha < 0 ? -j.alpha : j.alpha;
    worst->alpha = alpha > worst->alpha ? alpha : worst->alpha;
    worst->rows += j.rows;
}

static void accept_all(const struct kernel *kernels, size_t count, enum bp_strictness strictness)
{
    struct worst worst[sizeof strict / sizeof *strict] = {0};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int family = 0; family < BP_FAMILY_COUNT; family++) {
            for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
                struct problem problem;
                problem_make(&problem, &shapes[s], (enum bp_family)family, (enum bp_dtype)dtype,
                             strictness);
                for (size_t i = 0; i < count; i++)
                    accept(&problem, &kernels[i], &worst[i]);
                problem_free(&problem);
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        print_message("%-28s %6llu rows, error / bound: max %.3f, rms %.3f\n", kernels[i].name,
                      (unsigned long long)worst[i].rows, worst[i].max_ratio, worst[i].rms_ratio);
}

static void test_strict(void **state)
{
    (void)state;
    accept_all(strict, sizeof strict / sizeof *strict, BP_STRICT);
}

static void test_lenient(void **state)
{
    (void)state;
    accept_all(lenient, sizeof lenient / sizeof *lenient, BP_LENIENT);
}

/* Enough rows for the pooled rules to speak. */
static void test_pooled(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"pooled", 1, 8, 2, 130, 150, 128};
    static const enum bp_family families[] = {BP_FAMILY_gauss, BP_FAMILY_ramp, BP_FAMILY_needle,
                                              BP_FAMILY_tilt};
    for (int dtype = BP_DTYPE_F16; dtype <= BP_DTYPE_BF16; dtype++) {
        for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
            struct problem problem;
            struct worst worst = {0};
            problem_make(&problem, &shape, families[f], (enum bp_dtype)dtype, BP_STRICT);
            accept(&problem, &strict[1], &worst);
            accept(&problem, &strict[5], &worst);
            problem_free(&problem);
            print_message("%s %-6s pooled %.3f, alpha %.5f\n", bp_dtype_name((enum bp_dtype)dtype),
                          bp_family_name(families[f]), worst.pooled, worst.alpha);
            if (families[f] == BP_FAMILY_gauss || families[f] == BP_FAMILY_ramp)
                assert_true(worst.pooled > 0);
            if (families[f] == BP_FAMILY_tilt)
                assert_true(worst.alpha > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
