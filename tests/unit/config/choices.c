#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/config/choices.h"

static const char *const keys[] = {"evaluations", "seconds", "run_s", "dtype", "knobs", NULL};

static void near_words_are_suggested(void **state)
{
    (void)state;
    assert_string_equal(bp_choices_nearest(keys, "evalutions"), "evaluations");
    assert_string_equal(bp_choices_nearest(keys, "evaluation"), "evaluations");
    assert_string_equal(bp_choices_nearest(keys, "second"), "seconds");
    assert_string_equal(bp_choices_nearest(keys, "secnods"), "seconds");
    assert_string_equal(bp_choices_nearest(keys, "dtypes"), "dtype");
    assert_string_equal(bp_choices_nearest(keys, "run_"), "run_s");
}

static void far_words_are_not(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'k', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_null(bp_choices_nearest(keys, "llm"));
    assert_null(bp_choices_nearest(keys, ""));
    assert_null(bp_choices_nearest(keys, "x"));
    assert_null(bp_choices_nearest(keys, longer));
    assert_null(bp_choices_nearest((const char *const[]){NULL}, "a"));
}

static void lists_are_joined_and_cut(void **state)
{
    (void)state;
    char text[64];
    bp_choices_join(keys, text, sizeof text);
    assert_string_equal(text, "evaluations, seconds, run_s, dtype, knobs");
    bp_choices_join(keys, text, 14);
    assert_string_equal(text, "evaluations, ");
    bp_choices_join((const char *const[]){NULL}, text, sizeof text);
    assert_string_equal(text, "none");
}

static void failures_offer_the_choices(void **state)
{
    (void)state;
    struct bp_error err;
    const char *const few[] = {"evaluations", "seconds", NULL};
    assert_int_equal(bp_choices_fail("a.yaml", 3, "key", "evalutions", " in 'budget'", few, &err),
                     -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_string_equal(err.msg, "a.yaml:3: unknown key 'evalutions' in 'budget'; did you mean "
                                 "'evaluations'? (valid: evaluations, seconds)");
    bp_choices_fail("a.yaml", 3, "key", "tokens", "", few, &err);
    assert_string_equal(err.msg, "a.yaml:3: unknown key 'tokens' (valid: evaluations, seconds)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_words_are_suggested),
        cmocka_unit_test(far_words_are_not),
        cmocka_unit_test(lists_are_joined_and_cut),
        cmocka_unit_test(failures_offer_the_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
