/* Plans as data, and compiler output as verdicts: the pure parts of the device. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/device.h"
#include "evaluator/diagnostics.h"

#define WORKSPACE_MAX (1ull << 30)

static struct gqa_launch_plan good_plan(void)
{
    return (struct gqa_launch_plan){
        .launches = 2,
        .launch = {{{8, 4, 2}, {32, 8, 4}, 1024}, {{1, 1, 1}, {1, 1, 1}, 0}},
        .workspace_bytes = WORKSPACE_MAX};
}

static void expect(const struct gqa_launch_plan *plan, enum bp_verdict expected, const char *text)
{
    char message[BP_TEXT_LINE] = "";
    enum bp_verdict verdict = bp_plan_check(plan, bp_device_cpu.limits, WORKSPACE_MAX, message);
    if (verdict != expected || !strstr(message, text))
        fail_msg("%d '%s', expected %d '%s'", (int)verdict, message, (int)expected, text);
}

static void checks_plans(void **state)
{
    (void)state;
    struct gqa_launch_plan plan = good_plan();
    expect(&plan, BP_VERDICT_PASS, "");
    plan.workspace_bytes = 8ull << 30;
    expect(&plan, BP_VERDICT_RESOURCE_LIMIT, "8589934592 bytes of workspace, limit 1073741824");
    plan = good_plan();
    plan.launches = 0;
    expect(&plan, BP_VERDICT_LAUNCH_ERROR, "0 launches");
    plan.launches = 5;
    expect(&plan, BP_VERDICT_LAUNCH_ERROR, "5 launches");
    plan = good_plan();
    plan.launch[1].grid[2] = 0;
    expect(&plan, BP_VERDICT_LAUNCH_ERROR, "launch 1 has a grid or block dimension of zero");
    plan = good_plan();
    plan.launch[0].block[0] = 33;
    expect(&plan, BP_VERDICT_RESOURCE_LIMIT, "launch 0 has blocks of 1056 threads, limit 1024");
    plan = good_plan();
    plan.launch[0].block[0] = plan.launch[0].block[1] = plan.launch[0].block[2] = 1u << 31;
    expect(&plan, BP_VERDICT_RESOURCE_LIMIT, "threads, limit 1024");
    plan = good_plan();
    plan.launch[0].grid[0] = plan.launch[0].grid[1] = plan.launch[0].grid[2] = 1u << 22;
    expect(&plan, BP_VERDICT_RESOURCE_LIMIT, "launch 0 has a grid of");
    plan = good_plan();
    plan.launch[0].dynamic_lds = UINT32_MAX;
    expect(&plan, BP_VERDICT_RESOURCE_LIMIT, "4294967295 bytes of dynamic LDS");
    plan = good_plan();
    plan.unsupported = GQA_UNSUPPORTED_HEAD_DIM;
    plan.launches = 0;
    expect(&plan, BP_VERDICT_UNSUPPORTED, "head_dim");
    plan.unsupported = 4711;
    expect(&plan, BP_VERDICT_UNSUPPORTED, "reason 4711");
}

static void finds_devices(void **state)
{
    (void)state;
    assert_ptr_equal(bp_device_find("cpu"), &bp_device_cpu);
    assert_null(bp_device_find("CPU"));
    assert_null(bp_device_find(""));
}

static void expect_clean(const char *text, size_t size, size_t room, const char *expected)
{
    char out[64];
    memset(out, '#', sizeof out);
    bp_diagnostics_clean(text, size, out, room);
    assert_string_equal(out, expected);
}

static void cleans_diagnostics(void **state)
{
    (void)state;
    expect_clean("a\tb\nc", 5, 64, "a b\nc");
    expect_clean("\x1b[31mred\r\x07\x7f", 11, 64, "[31mred");
    expect_clean("n\0l", 3, 64, "nl");
    expect_clean("gr\xc3\xbc\xc3\x9f", 6, 64, "gr\xc3\xbc\xc3\x9f");
    expect_clean("\xc3(\xff\xfe\xe2\x82", 6, 64, "?(????");
    expect_clean("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", 9, 64, "?????????"); /* RFC 3629 */
    expect_clean("\xc2\x9b"
                 "x\xe2\x80\xae"
                 "y",
                 7, 64, "xy"); /* C1 control, bidi override */
    expect_clean("abcdef", 6, 4, "abc");
    expect_clean("ab\xc3\xbc", 4, 4, "ab"); /* not half a character */
    expect_clean("abc", 3, 1, "");
}

static void finds_the_first_error(void **state)
{
    (void)state;
    char line[64];
    bp_diagnostics_first_error("kernel.hip:1:2: note: x\nkernel.hip:3:4: error: y\nerror: z\n",
                               line, sizeof line);
    assert_string_equal(line, "kernel.hip:3:4: y");
    bp_diagnostics_first_error("kernel.hip:3:4: fatal error: no", line, sizeof line);
    assert_string_equal(line, "kernel.hip:3:4: no");
    bp_diagnostics_first_error("nothing\n\n", line, sizeof line);
    assert_string_equal(line, "");
}

static void judges_exit_status(void **state)
{
    (void)state;
    const int exit_1 = 1 << 8;
    assert_int_equal(bp_diagnostics_verdict(0, ""), BP_VERDICT_PASS);
    assert_int_equal(bp_diagnostics_verdict(exit_1, "error: x"), BP_VERDICT_COMPILE_ERROR);
    assert_int_equal(bp_diagnostics_verdict(exit_1, "PLEASE submit a bug report to"),
                     BP_VERDICT_COMPILER_CRASH);
    assert_int_equal(bp_diagnostics_verdict(139 << 8, ""), BP_VERDICT_COMPILER_CRASH);
    assert_int_equal(bp_diagnostics_verdict(SIGSEGV, ""), BP_VERDICT_COMPILER_CRASH);
    assert_int_equal(bp_diagnostics_verdict(SIGKILL, ""), BP_VERDICT_COMPILE_LIMIT);
    assert_int_equal(bp_diagnostics_verdict(SIGXFSZ, ""), BP_VERDICT_COMPILE_LIMIT);
    assert_int_equal(bp_diagnostics_verdict(SIGABRT, "LLVM ERROR: out of memory\n"),
                     BP_VERDICT_COMPILE_LIMIT);
    /* The source cannot say it: its words are not at the start of a tool's line. */
    assert_int_equal(bp_diagnostics_verdict(exit_1, "kernel.hip:1:2: error: out of memory\n"),
                     BP_VERDICT_COMPILE_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_plans),       cmocka_unit_test(finds_devices),
        cmocka_unit_test(cleans_diagnostics), cmocka_unit_test(finds_the_first_error),
        cmocka_unit_test(judges_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
