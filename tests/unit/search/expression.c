#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/search/expression.h"

static const char *const names[] = {"a", "b", "BLOCK_M", "zero", "largest", "least"};
static const int64_t values[] = {7, -3, 64, 0, INT64_MAX, INT64_MIN};

static int resolve(const void *context, const char *name, size_t length)
{
    (void)context;
    for (int i = 0; i < 6; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return i;
    return -1;
}

static int64_t evaluate(const char *text)
{
    struct bp_expression *expression;
    struct bp_error err = {0};
    if (bp_expression_parse(text, resolve, NULL, &expression, &err) < 0)
        fail_msg("'%s': %s", text, err.msg);
    assert_int_equal(err.code, BP_ERR_NONE);
    int64_t result = bp_expression_evaluate(expression, values);
    bp_expression_free(expression);
    return result;
}

/* The right column is the C compiler's own reading of the same text. */
#define C_SAYS(text)                                                                               \
    {                                                                                              \
#text, text                                                                                \
    }

static void operators_and_precedence_are_those_of_c(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        C_SAYS(1 + 2 * 3),
        C_SAYS((1 + 2) * 3),
        C_SAYS(20 - 5 - 3),
        C_SAYS(100 / 5 / 2),
        C_SAYS(100 % 7 * 2),
        C_SAYS(-7 / 2),
        C_SAYS(-7 % 3),
        C_SAYS(7 % -3),
        C_SAYS(2 * -3),
        C_SAYS(- -5),
        C_SAYS(!5),
        C_SAYS(!0),
        C_SAYS(!!5),
        C_SAYS(-!0),
        C_SAYS(1 < 2),
        C_SAYS(2 <= 2),
        C_SAYS(3 > 4),
        C_SAYS(4 >= 5),
        C_SAYS(4 == 4),
        C_SAYS(4 != 4),
        C_SAYS(1 + 1 == 2),
        C_SAYS((1 < 2) == (3 < 4)),
        C_SAYS(5 - 3 > 1),
        C_SAYS(2 && 3),
        C_SAYS(2 && 0),
        C_SAYS(0 || 9),
        C_SAYS(0 || 0),
        C_SAYS(1 || (0 && 0)),
        C_SAYS((1 || 0) && 0),
        C_SAYS(1 == 1 && 2 == 2),
        C_SAYS(1 ? 10 : 20),
        C_SAYS(0 ? 10 : 20),
        C_SAYS(0   ? 1
               : 0 ? 2
                   : 3),
        C_SAYS(1 ? 0 ? 1 : 2 : 3),
        C_SAYS((1 ? 2 : 3) + 10),
        C_SAYS(0 || 1 ? 5 : 6),
        C_SAYS(9223372036854775807),
        C_SAYS(0),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (evaluate(cases[i].text) != cases[i].value)
            fail_msg("'%s' is %lld, not %lld", cases[i].text, (long long)evaluate(cases[i].text),
                     (long long)cases[i].value);
    assert_int_equal(evaluate("1 || 0 && 0"), 1);
    assert_int_equal(evaluate("1 < 2 == 1"), 1);
    assert_int_equal(evaluate("3 > 2 > 1"), 0);
}

static void variables_are_read(void **state)
{
    (void)state;
    assert_int_equal(evaluate("a"), 7);
    assert_int_equal(evaluate("BLOCK_M % 16 == 0 && a > b"), 1);
    assert_int_equal(evaluate("\tBLOCK_M\n*\ra "), 448);
    assert_int_equal(evaluate("a*b-b"), -18);
}

static void what_is_skipped_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(evaluate("zero && 1 / zero"), 0);
    assert_int_equal(evaluate("(zero && 1 / zero) == 0"), 1);
    assert_int_equal(evaluate("1 || 1 / zero"), 1);
    assert_int_equal(evaluate("zero ? 1 / zero : 8"), 8);
    assert_int_equal(evaluate("a ? 9 : 1 / zero"), 9);
    assert_int_equal(evaluate("zero != 0 && a % zero == 0 || a == 7"), 1);
}

static void a_value_that_does_not_exist_makes_the_whole_zero(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1 / zero",           "1 % zero",        "1 + 1 / zero",  "!(1 / zero)",
        "largest + 1",        "least - 1",       "largest * 2",   "-least",
        "least / -1",         "least % -1",      "1 / zero == 0", "1 / zero || 1",
        "(1 / zero) ? 1 : 1", "least * -1 || 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(evaluate(texts[i]), 0);
    assert_int_equal(evaluate("largest + 0 == largest"), 1);
    assert_int_equal(evaluate("least + largest"), -1);
}

static void mistakes_name_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"", "column 1: expected a number, a name, '-', '!' or '(', found the end"},
        {"   ", "column 4: expected a number"},
        {"a +", "column 4: expected a number"},
        {"a b", "column 3: expected an operator or the end, found 'b'"},
        {"a = b", "column 3: expected an operator or the end, found '='"},
        {"a & b", "column 3: expected an operator or the end, found '&'"},
        {"a | b", "column 3: expected"},
        {"a ^ b", "column 3: expected"},
        {"~a", "column 1: expected a number"},
        {"+a", "column 1: expected a number"},
        {"a << 2", "column 4: expected a number"},
        {"(a", "column 3: expected an operator or ')', found the end"},
        {"a)", "column 2: expected an operator or the end, found ')'"},
        {"()", "column 2: expected a number"},
        {"a ? 1", "column 6: expected an operator or ':', found the end"},
        {"a ? : 1", "column 5: expected a number"},
        {"a : 1", "column 3: expected"},
        {"a + PANEL", "column 5: unknown name 'PANEL'"},
        {"a + B", "column 5: unknown name 'B'"},
        {"0x10", "column 1: expected a decimal integer"},
        {"a == 010", "column 6: expected a decimal integer without leading zeros"},
        {"1.5", "column 1: expected a decimal integer"},
        {"1e3", "column 1: expected a decimal integer"},
        {"12abc", "column 1: expected a decimal integer"},
        {"9223372036854775808", "column 1: the number does not fit 64 bits"},
        {"a, b", "column 2: expected"},
        {"a\x01", "found byte 0x01"},
        {"\xc3\xa9", "column 1: expected a number, a name, '-', '!' or '(', found byte 0xc3"},
        {"a = \"b\"", "column 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bp_expression *expression = NULL;
        struct bp_error err = {0};
        if (bp_expression_parse(cases[i].text, resolve, NULL, &expression, &err) == 0)
            fail_msg("'%s' was accepted", cases[i].text);
        assert_int_equal(err.code, BP_ERR_USAGE);
        assert_null(expression);
        if (!strstr(err.msg, cases[i].fragment))
            fail_msg("'%s': '%s' lacks '%s'", cases[i].text, err.msg, cases[i].fragment);
    }
}

static void repeat(char *text, const char *unit, int times)
{
    for (int i = 0; i < times; i++)
        text = stpcpy(text, unit);
}

static void depth_and_length_are_bounded(void **state)
{
    (void)state;
    static char text[8192];
    struct bp_expression *expression;
    struct bp_error err;
    static const char *const openings[] = {"(", "-", "!", "1?", "1?1:", "-("};
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        repeat(text, openings[i], 500);
        assert_int_equal(bp_expression_parse(text, resolve, NULL, &expression, &err), -1);
        assert_non_null(strstr(err.msg, "nested more than 64 deep"));
    }
    repeat(text, "a+", 2100);
    assert_int_equal(bp_expression_parse(text, resolve, NULL, &expression, &err), -1);
    assert_non_null(strstr(err.msg, "longer than 4096 bytes"));
    repeat(text, "1+", 2000);
    strcat(text, "1");
    assert_int_equal(evaluate(text), 2001);
    repeat(text, "(", 60);
    strcat(text, "a");
    repeat(text + strlen(text), ")", 60);
    assert_int_equal(evaluate(text), 7);
}

static void the_deepest_accepted_expression_fits_the_stack(void **state)
{
    (void)state;
    static char text[8192];
    text[0] = '\0';
    for (int i = 0; i < 64; i++)
        strcat(text, "1==1<1+1*(");
    strcat(text, "1");
    repeat(text + strlen(text), ")", 64);
    evaluate(text);
}

static void text_and_uses_tell_what_was_parsed(void **state)
{
    (void)state;
    struct bp_expression *expression;
    struct bp_error err;
    assert_int_equal(bp_expression_parse("a >\nBLOCK_M", resolve, NULL, &expression, &err), 0);
    assert_string_equal(bp_expression_text(expression), "a > BLOCK_M");
    assert_true(bp_expression_uses(expression, 0));
    assert_false(bp_expression_uses(expression, 1));
    assert_true(bp_expression_uses(expression, 2));
    bp_expression_free(expression);
    bp_expression_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_and_precedence_are_those_of_c),
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(what_is_skipped_cannot_fail),
        cmocka_unit_test(a_value_that_does_not_exist_makes_the_whole_zero),
        cmocka_unit_test(mistakes_name_the_column),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(the_deepest_accepted_expression_fits_the_stack),
        cmocka_unit_test(text_and_uses_tell_what_was_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
