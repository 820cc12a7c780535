/* What each of the rules over a whole case holds alone: wrong kernels that are accepted without it. Only
 * a build with -Dweakening=true has the switches; `integration/attribution` reads what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/weaken.h"
#include "evaluator/verdict.h"
#include "attention.h"

/* Enough rows for rules 3 and 4 to speak. */
static const struct bp_shape shape = {"pooled", 1, 8, 2, 130, 150, 128};

static enum bp_verdict judge(const char *weaken, const struct kernel *kernel, enum bp_family family)
{
    struct problem problem;
    struct bp_error err;
    setenv(BP_WEAKEN_VARIABLE, weaken, 1);
    assert_int_equal(bp_weaken_start(&err), 0);
    problem_make(&problem, &shape, family, BP_DTYPE_BF16, BP_STRICT);
    struct bp_judgement judgement = problem_judge(&problem, kernel);
    problem_free(&problem);
    return judgement.verdict;
}

static void expect_held_by(const char *rule, const struct kernel *kernel, enum bp_family family)
{
    enum bp_verdict with = judge("", kernel, family), without = judge(rule, kernel, family);
    printf("%s: %s: %s: %s\n", rule, kernel->name, bp_verdict_name(with), bp_verdict_name(without));
    assert_int_equal(with, BP_VERDICT_WRONG_RESULT);
    assert_int_equal(without, BP_VERDICT_PASS);
}

static void test_pooled(void **state)
{
    static const struct kernel five_bits = {"P with 5 bits", P_5_BITS, 64};
    (void)state;
    expect_held_by("rule_pooled", &five_bits, BP_FAMILY_gauss);
}

static void test_scale(void **state)
{
    static const struct kernel scale = {"scale 0.45 % off", RIGHT, 64, .scale_error = 0.0045f};
    (void)state;
    expect_held_by("rule_scale", &scale, BP_FAMILY_needle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pooled), cmocka_unit_test(test_scale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
