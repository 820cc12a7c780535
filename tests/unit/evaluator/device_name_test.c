/* Which names are devices, and what follows from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/device_name.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum bp_device_kind kind;
        uint32_t index;
        const char *arch, *target;
        enum bp_device_class device_class;
    } rows[] = {
        {"cpu", BP_DEVICE_KIND_CPU, 0, "", "cpu", BP_DEVICE_CLASS_CPU},
        {"hip:0", BP_DEVICE_KIND_HIP, 0, "", "amd", BP_DEVICE_CLASS_GPU},
        {"hip:12", BP_DEVICE_KIND_HIP, 12, "", "amd", BP_DEVICE_CLASS_GPU},
        {"cuda:1", BP_DEVICE_KIND_CUDA, 1, "", "nvidia", BP_DEVICE_CLASS_GPU},
        {"emu:gfx1030", BP_DEVICE_KIND_EMULATED, 0, "gfx1030", "amd", BP_DEVICE_CLASS_EMULATED},
        {"emu:gfx1030:2", BP_DEVICE_KIND_EMULATED, 2, "gfx1030", "amd", BP_DEVICE_CLASS_EMULATED},
        {"emu:gfx90a", BP_DEVICE_KIND_EMULATED, 0, "gfx90a", "amd", BP_DEVICE_CLASS_EMULATED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bp_device_name name;
        struct bp_error err;
        assert_int_equal(bp_device_name_parse(rows[i].text, &name, &err), 0);
        assert_int_equal(name.kind, rows[i].kind);
        assert_int_equal(name.index, rows[i].index);
        assert_string_equal(name.arch, rows[i].arch);
        assert_string_equal(bp_device_kind_target(name.kind), rows[i].target);
        assert_int_equal(bp_device_kind_class(name.kind), rows[i].device_class);
    }
}

static void test_no_names(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "auto",
        "CPU",
        "cpu:0",
        "cpux",
        "hip",
        "hip:",
        "hip:x",
        "hip:-1",
        "hip:1 ",
        "hip:1000",
        "cuda",
        "cuda:0:1",
        "emu",
        "emu:",
        "emu:0",
        "emu:gfx",
        "emu:gfx1",
        "emu:sm_90",
        "emu:gfx10/0",
        "rocm:0",
        "emu:gfx1030111111111111111111111111111",
        "emu:gfx1030:",
        "emu:gfx1030:x",
        "emu:gfx1030:0:1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct bp_device_name name = {.index = 77};
        struct bp_error err;
        assert_int_equal(bp_device_name_parse(wrong[i], &name, &err), -1);
        assert_int_equal(err.code, BP_ERR_USAGE);
        assert_non_null(strstr(err.msg, "hip:N"));
        assert_int_equal(name.index, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
