/* The worker's command line, and what a denial is called. */
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "sandbox/denial.h"
#include "sandbox/namespaces.h"
#include "sandbox/policy.h"

#define ARGS(...) ((char *const[]){(char *)(uintptr_t) "bulletproof-worker", __VA_ARGS__, NULL})
#define A(text) ((char *)(uintptr_t)(text))

static int parse(char *const argv[], enum bp_policy_id *policy, struct bp_policy_limits *limits)
{
    struct bp_error err = {0};
    int argc = 0;
    while (argv[argc])
        argc++;
    int result = bp_policy_limits_parse(argc, argv, policy, limits, &err);
    assert_int_equal(err.code, result == 0 ? BP_ERR_NONE : BP_ERR_USAGE);
    return result;
}

static void test_parse(void **state)
{
    (void)state;
    enum bp_policy_id policy = BP_POLICY_COUNT;
    struct bp_policy_limits limits;
    assert_int_equal(
        parse(ARGS(A("run"), A("run_cpu"), A("123456789012"), A("0"), A("7"), A("129")), &policy,
              &limits),
        0);
    assert_int_equal(policy, BP_POLICY_RUN_CPU);
    assert_int_equal(limits.memory_bytes, 123456789012);
    assert_int_equal(limits.file_bytes, 0);
    assert_int_equal(limits.cpu_s, 7);
    assert_int_equal(limits.device, 129);
    for (unsigned id = 0; id < BP_POLICY_COUNT; id++) {
        assert_int_equal(parse(ARGS(A("x"), A(bp_policy_name(id)), A("0"), A("0"), A("0"), A("0")),
                               &policy, &limits),
                         0);
        assert_int_equal(policy, id);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    static const char *const wrong[] = {"", "-1", "1x", " 1", "+1", "0x10", "99999999999999999999"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (int at = 0; at < 4; at++) {
            char *numbers[] = {A("1"), A("1"), A("1"), A("1")};
            numbers[at] = A(wrong[i]);
            assert_int_equal(
                parse(ARGS(A("x"), A("judge"), numbers[0], numbers[1], numbers[2], numbers[3]),
                      &policy, &limits),
                -1);
        }
    assert_int_equal(
        parse(ARGS(A("x"), A("judge"), A("1"), A("1"), A("4294967296"), A("0")), &policy, &limits),
        -1);
    assert_int_equal(
        parse(ARGS(A("x"), A("jury"), A("1"), A("1"), A("1"), A("1")), &policy, &limits), -1);
    assert_int_equal(parse(ARGS(A("x"), A("judge"), A("1"), A("1"), A("1")), &policy, &limits), -1);
    assert_int_equal(
        parse(ARGS(A("x"), A("judge"), A("1"), A("1"), A("1"), A("1"), A("1")), &policy, &limits),
        -1);
}

static bool lists(const struct bp_policy *policy, const char *path)
{
    for (unsigned i = 0; i < policy->file_count; i++)
        for (int k = 0; k < BP_POLICY_ALTERNATIVES && policy->files[i].any[k]; k++)
            if (strcmp(policy->files[i].any[k], path) == 0)
                return true;
    return false;
}

static void one_device_alone(void **state)
{
    static const struct {
        enum bp_policy_id policy;
        uint32_t device;
        const char *seen, *unseen, *common;
    } rows[] = {
        {BP_POLICY_RUN_AMD, 130, "/dev/dri/renderD129", "/dev/dri/renderD128", "/dev/kfd"},
        {BP_POLICY_RUN_AMD, 141, "/dev/dri/renderD140", "/dev/dri/renderD129", "/dev/kfd"},
        {BP_POLICY_RUN_NVIDIA, 1, "/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl"},
        {BP_POLICY_RUN_NVIDIA, 3, "/dev/nvidia2", "/dev/nvidia0", "/dev/nvidia-uvm"},
    };
    struct bp_policy_narrowed room;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bp_policy *all = bp_policy_narrow(rows[i].policy, 0, &room);
        assert_ptr_equal(all, bp_policy_get(rows[i].policy));
        assert_true(lists(all, rows[i].unseen) && lists(all, rows[i].common));
        const struct bp_policy *one = bp_policy_narrow(rows[i].policy, rows[i].device, &room);
        assert_true(lists(one, rows[i].seen) && lists(one, rows[i].common));
        assert_false(lists(one, rows[i].unseen));
        assert_int_equal(one->file_count, all->file_count);
        assert_int_equal(one->candidate_filter, all->candidate_filter);
    }
    /* Where there is no device, its number changes nothing. */
    assert_int_equal(bp_policy_narrow(BP_POLICY_JUDGE, 3, &room)->file_count, 0);
}

static void test_namespaces_round_trip(void **state)
{
    (void)state;
    char text[BP_NAMESPACES_TEXT];
    bp_namespaces_format(bp_namespaces_parse("pidns,mntns,netns,ipcns,userns"), text);
    assert_string_equal(text, "pidns,mntns,netns,ipcns,userns");
    bp_namespaces_format(bp_namespaces_parse("pidns"), text);
    assert_string_equal(text, "pidns");
    bp_namespaces_format(bp_namespaces_parse(""), text);
    assert_string_equal(text, "");
}

#if defined(__x86_64__)
static void test_describe(void **state)
{
    (void)state;
    char text[128];
    struct bp_denial denial = {.call = SYS_socket, .arch = AUDIT_ARCH_X86_64, .args = {2, 1, 0, 9}};
    bp_denial_describe(&denial, text, sizeof text);
    assert_string_equal(text, "socket(0x2, 0x1, 0x0, 0x9, 0x0, 0x0)");
    denial.call = 99999;
    bp_denial_describe(&denial, text, sizeof text);
    assert_memory_equal(text, "call 99999(0x2,", 15);
    bp_denial_describe(&denial, text, 8);
    assert_string_equal(text, "call 99");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(one_device_alone),
        cmocka_unit_test(test_namespaces_round_trip),
#if defined(__x86_64__)
        cmocka_unit_test(test_describe),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
