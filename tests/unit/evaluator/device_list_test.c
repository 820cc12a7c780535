/* Which lists of devices one run may use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/device_list.h"

static void lists_are_read_in_order(void **state)
{
    struct bp_device_list list;
    struct bp_error err;
    (void)state;
    assert_int_equal(bp_device_list_parse("hip:1, hip:0 ,hip:12", &list, &err), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.devices[0].name, "hip:1");
    assert_string_equal(list.devices[1].name, "hip:0");
    assert_int_equal(list.devices[1].parsed.index, 0);
    assert_int_equal(list.devices[2].parsed.index, 12);
    assert_int_equal(bp_device_list_parse("cpu", &list, &err), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(bp_device_list_parse("emu:gfx1030,emu:gfx1030:1", &list, &err), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.devices[1].parsed.arch, "gfx1030");
}

static void others_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"", "no device is named ''"},
        {"hip:0,", "no device is named ''"},
        {"hip:0,,hip:1", "no device is named ''"},
        {"hip:0,auto", "auto stands alone"},
        {"hip:0 hip:1", "no device is named 'hip:0 hip:1'"},
        {"hip:0,hip:0", "device hip:0 is named twice"},
        {"cpu,cpu", "device cpu is named twice"},
        {"emu:gfx1030,emu:gfx1030:0", "device emu:gfx1030:0 is named twice"},
        {"hip:0,cuda:0", "devices hip:0 and cuda:0 in one run"},
        {"cpu,hip:0", "devices cpu and hip:0 in one run"},
        {"emu:gfx1030,emu:gfx1100", "devices emu:gfx1030 and emu:gfx1100 in one run"},
        {"cuda:0,cuda:1,cuda:2,cuda:3,cuda:4,cuda:5,cuda:6,cuda:7,cuda:8,cuda:9,cuda:10,cuda:11,"
         "cuda:12,cuda:13,cuda:14,cuda:15,cuda:16",
         "more than 16 devices"},
    };
    struct bp_device_list list;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct bp_error err;
        assert_int_equal(bp_device_list_parse(wrong[i][0], &list, &err), -1);
        assert_int_equal(err.code, BP_ERR_USAGE);
        assert_non_null(strstr(err.msg, wrong[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_in_order),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
