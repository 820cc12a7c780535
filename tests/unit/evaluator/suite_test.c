#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/layout.h"
#include "evaluator/suite.h"

static struct bp_suite suite;
static struct bp_error err;

static bool has_case(const char *shape, enum bp_family family)
{
    for (uint32_t i = 0; i < suite.case_count; i++) {
        if (suite.cases[i].family == family && strcmp(suite.cases[i].shape.name, shape) == 0)
            return true;
    }
    return false;
}

static void check_suite(const char *name, enum bp_device_class device_class)
{
    assert_int_equal(bp_suite_find(name, device_class, &suite, &err), 0);
    assert_string_equal(suite.name, name);
    assert_true(suite.case_count > 0 && suite.timed_count > 0);
    for (uint32_t i = 0; i < suite.case_count; i++) {
        assert_int_equal(bp_shape_check(&suite.cases[i].shape, &err), 0);
        assert_true(suite.cases[i].max_rows > 0);
        /* Below 64 the cross talk of random keys makes exact's answer inexact. */
        assert_true(suite.cases[i].family != BP_FAMILY_exact ||
                    suite.cases[i].shape.head_dim >= 64);
        for (uint32_t k = 0; k < i; k++)
            assert_false(suite.cases[i].family == suite.cases[k].family &&
                         strcmp(suite.cases[i].shape.name, suite.cases[k].shape.name) == 0);
    }
    for (uint32_t i = 0; i < suite.timed_count; i++)
        assert_true(has_case(suite.timed[i].name, BP_FAMILY_gauss));
}

static void test_every_suite(void **state)
{
    (void)state;
    static const char *const names[] = {"quick", "full", "tiny"};
    for (int n = 0; n < 3; n++) {
        for (int c = BP_DEVICE_CLASS_CPU; c <= BP_DEVICE_CLASS_EMULATED; c++)
            check_suite(names[n], (enum bp_device_class)c);
    }
}

/* Quick and full show every family, the mandatory ones at several lengths. */
static void test_families(void **state)
{
    (void)state;
    static const char *const names[] = {"quick", "full"};
    for (int n = 0; n < 2; n++) {
        for (int c = BP_DEVICE_CLASS_CPU; c <= BP_DEVICE_CLASS_GPU; c++) {
            unsigned count[BP_FAMILY_COUNT] = {0};
            assert_int_equal(bp_suite_find(names[n], (enum bp_device_class)c, &suite, &err), 0);
            for (uint32_t i = 0; i < suite.case_count; i++)
                count[suite.cases[i].family]++;
            for (int f = 0; f < BP_FAMILY_COUNT; f++)
                assert_true(count[f] >= 1);
            assert_true(count[BP_FAMILY_gauss] >= 5 && count[BP_FAMILY_needle] >= 5 &&
                        count[BP_FAMILY_code] >= 5 && count[BP_FAMILY_ramp] >= 5 &&
                        count[BP_FAMILY_exact] >= 5);
        }
    }
}

/* Every scenario has a small version, that an emulated device is judged on. */
static void test_emulated_scenarios(void **state)
{
    (void)state;
    uint32_t small = 0;
    assert_int_equal(bp_suite_find("tiny", BP_DEVICE_CLASS_EMULATED, &suite, &err), 0);
    for (uint32_t i = 0; i < suite.case_count; i++) {
        const struct bp_shape *shape = &suite.cases[i].shape;
        assert_true(bp_shape_flops_full(shape) < 3e6);
        small += strncmp(shape->name, "tiny_", 5) == 0 && suite.cases[i].family == BP_FAMILY_gauss;
    }
    assert_int_equal(small, 22 + 4);
}

static void test_quick_is_small(void **state)
{
    (void)state;
    size_t bytes = 0;
    assert_int_equal(bp_suite_find("quick", BP_DEVICE_CLASS_CPU, &suite, &err), 0);
    for (uint32_t i = 0; i < suite.case_count; i++) {
        struct bp_input_layout in;
        bp_layout_inputs(&suite.cases[i].shape, BP_DTYPE_F16, &in);
        bytes += in.bytes;
    }
    assert_true(bytes < 36u << 20);
    double flops = 0;
    for (uint32_t i = 0; i < suite.timed_count; i++)
        flops += bp_shape_flops_full(&suite.timed[i]);
    assert_true(flops < 4e9);
}

static void test_one_shape(void **state)
{
    (void)state;
    const char *const *names = bp_suite_shape_names();
    unsigned count = 0;
    for (; names[count]; count++) {
        check_suite(names[count], BP_DEVICE_CLASS_GPU);
        assert_int_equal(suite.timed_count, 1);
        assert_true(has_case(names[count], BP_FAMILY_exact));
    }
    assert_true(count >= 24);
    check_suite("sliding_window", BP_DEVICE_CLASS_CPU);
    assert_int_equal(suite.timed[0].window, 1024);
    check_suite("conversational_assistant", BP_DEVICE_CLASS_CPU);
    assert_int_equal(suite.timed[0].kv_lens[1], 613);
}

static void test_unknown(void **state)
{
    (void)state;
    assert_int_equal(bp_suite_find("fast", BP_DEVICE_CLASS_CPU, &suite, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, "fast"));
    assert_non_null(strstr(err.msg, "quick, full, tiny"));
}

static void test_family_names(void **state)
{
    (void)state;
    for (int i = 0; i < BP_FAMILY_COUNT; i++) {
        enum bp_family family = BP_FAMILY_COUNT;
        assert_true(bp_family_parse(bp_family_name((enum bp_family)i), &family));
        assert_int_equal(family, i);
    }
    enum bp_family family;
    assert_false(bp_family_parse("uniform", &family));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_suite),        cmocka_unit_test(test_families),
        cmocka_unit_test(test_emulated_scenarios), cmocka_unit_test(test_quick_is_small),
        cmocka_unit_test(test_one_shape),          cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_family_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
