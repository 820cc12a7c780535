/* What confinement is made of, as the kernel and the child itself tell: layers, namespaces, identity,
 * limits, mounts. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/sched.h>

#include "sandbox/identity.h"
#include "tests/unit/sandbox/lab.h"

#define COMPILE BP_POLICY_COMPILE_CPU
#define RUN BP_POLICY_RUN_CPU

static void test_layers(void **state)
{
    (void)state;
    static const char *const always[] = {"rlimits",      "caps",     "pdeathsig",
                                         "no_new_privs", "landlock", "seccomp"};
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        struct lab_result result;
        lab_run(policy, "nothing", NULL, NULL, &result);
        printf("%s: %s\n", bp_policy_name(policy), result.layers);
        for (unsigned i = 0; i < sizeof always / sizeof always[0]; i++)
            assert_non_null(strstr(result.layers, always[i]));
        assert_int_equal(strstr(result.layers, "tmpfs") != NULL,
                         (lab_namespaces & CLONE_NEWNS) != 0);
        assert_int_equal(strstr(result.layers, "pidns") != NULL,
                         (lab_namespaces & CLONE_NEWPID) != 0);
    }
}

/* A namespace is another one exactly where the layer says so, and with a /proc of its own the
 * worker sees itself as the init's first child. */
static void test_namespaces(void **state)
{
    (void)state;
    static const struct {
        uint64_t flag;
        const char *link;
    } kinds[] = {
        {CLONE_NEWPID, "/proc/self/ns/pid"},
        {CLONE_NEWNS, "/proc/self/ns/mnt"},
        {CLONE_NEWNET, "/proc/self/ns/net"},
        {CLONE_NEWIPC, "/proc/self/ns/ipc"},
    };
    struct lab_result result;
    lab_run(COMPILE, "namespaces", NULL, NULL, &result);
    assert_true(result.done && result.error == 0);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char own[64] = "";
        assert_true(readlink(kinds[i].link, own, sizeof own - 1) > 0);
        assert_int_equal(strstr(result.text, own) == NULL, (lab_namespaces & kinds[i].flag) != 0);
    }
    assert_int_equal(strstr(result.text, ";2;") != NULL, strstr(result.layers, ",proc,") != NULL);
    if (geteuid() == 0 && lab_namespaces) /* where nothing is refused, nothing may be missing */
        assert_int_equal(lab_namespaces, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC);
}

/* The kernel's own account of a confined worker. */
static void test_identity(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "CapInh:\t0000000000000000\n",
        "CapPrm:\t0000000000000000\n",
        "CapEff:\t0000000000000000\n",
        "CapAmb:\t0000000000000000\n",
        "NoNewPrivs:\t1\n",
        "Seccomp:\t2\n",
        "Seccomp_filters:\t1\n",
        "SigBlk:\t0000000000000000\n",
    };
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        struct lab_result result;
        lab_run(policy, "sleep", NULL, "ready", &result);
        for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
            assert_non_null(strstr(result.proc_status, lines[i]));
        if (geteuid() == 0 || lab_namespaces & CLONE_NEWUSER)
            assert_non_null(strstr(result.proc_status, "CapBnd:\t0000000000000000\n"));
        if (geteuid() == 0)
            assert_non_null(strstr(result.proc_status, "Groups:\t \n"));
    }
}

/* The number that the real, effective, saved and file system's all are. */
static unsigned number_of(const char *status, const char *name)
{
    unsigned numbers[4] = {0};
    const char *line = strstr(status, name);
    assert_non_null(line);
    assert_int_equal(sscanf(line + strlen(name), "%u %u %u %u", &numbers[0], &numbers[1],
                            &numbers[2], &numbers[3]),
                     4);
    for (int i = 1; i < 4; i++)
        assert_int_equal(numbers[i], numbers[0]);
    return numbers[0];
}

/* RLIMIT_NPROC counts a user's processes: nobody's neighbour may be the same user. */
static void test_every_child_is_another_user(void **state)
{
    (void)state;
    struct lab_result result;
    unsigned before = 0;
    if (geteuid() != 0)
        skip();
    for (int i = 0; i < 3; i++) {
        lab_run(COMPILE, "sleep", NULL, "ready", &result);
        unsigned user = number_of(result.proc_status, "Uid:");
        assert_int_equal(number_of(result.proc_status, "Gid:"), user);
        if (bp_identity_of_child(getpid(), 0) == BP_IDENTITY_NOBODY) {
            assert_int_equal(user, BP_IDENTITY_NOBODY);
            continue;
        }
        assert_in_range(user, BP_IDENTITY_FIRST, BP_IDENTITY_FIRST + BP_IDENTITY_COUNT - 1);
        assert_int_not_equal(user, before);
        before = user;
    }
}

/* Soft limit of one line of /proc/PID/limits; -2 when it is not there. */
static long long limit_of(const char *limits, const char *name)
{
    const char *line = strstr(limits, name);
    if (!line)
        return -2;
    line += strlen(name);
    line += strspn(line, " ");
    return strncmp(line, "unlimited", 9) == 0 ? -1 : atoll(line);
}

static void test_limits_in_force(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        struct lab_result result;
        struct bp_policy_limits limits = {.cpu_s = 33, .file_bytes = 1 << 20};
        lab_run(policy, "sleep", &limits, "ready", &result);
        const char *text = result.proc_limits;
        const struct bp_policy *row = bp_policy_get(policy);
        assert_int_equal(limit_of(text, "Max core file size"), 0);
        assert_int_equal(limit_of(text, "Max cpu time"), 33);
        assert_int_equal(limit_of(text, "Max file size"), row->private_files ? 1 << 20 : 0);
        assert_int_equal(limit_of(text, "Max open files"), row->descriptors);
        assert_int_equal(limit_of(text, "Max locked memory"), 0);
        assert_int_equal(limit_of(text, "Max stack size"), 8 << 20);
        if (policy == COMPILE && (geteuid() == 0 || lab_namespaces & CLONE_NEWUSER))
            assert_int_equal(limit_of(text, "Max processes"), 1024);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct lab_result result;
    struct bp_policy_limits limits = {.file_bytes = 4 << 20};
    lab_run(COMPILE, "fill_disk", &limits, NULL, &result);
    assert_true(result.done);
    /* Without a tmpfs of its own only the single file is bounded. */
    assert_int_equal(result.error, lab_namespaces & CLONE_NEWNS ? ENOSPC : 0);

    limits = (struct bp_policy_limits){.cpu_s = 1};
    lab_run(RUN, "burn", &limits, NULL, &result);
    assert_true(result.reported && WIFSIGNALED(result.wait_status));
    assert_int_equal(WTERMSIG(result.wait_status), SIGXCPU);

#ifndef __SANITIZE_ADDRESS__
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        bool limited = bp_policy_get(policy)->defaults.memory_bytes != 0;
        lab_run(policy, "memory", NULL, NULL, &result);
        assert_int_equal(result.error, limited ? ENOMEM : 0);
    }
#endif
}

/* Landlock forbids writing, the mounts forbid what Landlock does not know; with both the mounts
 * answer first. Where there are no mounts of our own, this shows Landlock. */
static void test_read_only(void **state)
{
    (void)state;
    struct lab_result result;
    static const enum bp_policy_id policies[] = {COMPILE, RUN};
    for (unsigned i = 0; i < 2; i++) {
        lab_run(policies[i], "write_outside", NULL, NULL, &result);
        assert_true(result.done);
        assert_int_equal(result.error, strstr(result.layers, "readonly") ? EROFS : EACCES);
    }
    lab_run(COMPILE, "chmod_outside", NULL, NULL, &result);
    assert_true(result.done);
    assert_int_equal(result.error, strstr(result.layers, "readonly") ? EROFS : EPERM);
    assert_int_equal(strstr(result.layers, "readonly") != NULL,
                     (lab_namespaces & CLONE_NEWNS) != 0);
}

/* A file of one's own is no program where the private directory is a mount of its own. */
static void test_own_code(void **state)
{
    (void)state;
    struct lab_result result;
    lab_run(COMPILE, "run_own_file", NULL, NULL, &result);
    assert_true(result.done);
    assert_int_equal(result.error, lab_namespaces & CLONE_NEWNS ? EPERM : 0);
}

/* Where the limit counts none but our own processes it is there, and all of them end with the first. */
static void test_many_processes(void **state)
{
    (void)state;
    struct lab_result result;
    lab_run(COMPILE, "many_processes", NULL, NULL, &result);
    assert_true(result.done && result.log_ended);
    if (geteuid() == 0 || lab_namespaces & CLONE_NEWUSER) {
        assert_int_equal(result.error, EAGAIN);
        assert_string_equal(result.text, "bounded");
    }
}

#define COMPILERS "/usr/lib/llvm-14/bin"

/* A supervisor in mounts of its own, where there is no compiler: what the refusal says, as this process's status. */
static int confine_without_compiler(void)
{
    struct lab_result result;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", COMPILERS, "tmpfs", 0, "size=4096") < 0)
        return 77;
    bp_launch_close_supervisor(); /* it has made a root with the compiler in it */
    lab_prepare();
    lab_run(COMPILE, "nothing", NULL, NULL, &result);
    printf("without a compiler: '%s' '%s'\n", result.layers, result.text);
    return result.layers[0] || result.done ||
           !strstr(result.text, "policy compile_cpu needs /usr/bin/clang, which is not installed");
}

static void test_missing_path(void **state)
{
    (void)state;
    if (geteuid() != 0 || access(COMPILERS, F_OK) < 0)
        skip();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        exit(confine_without_compiler());
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

/* A device that is not there is no device to be without a policy for. */
static void test_missing_device(void **state)
{
    (void)state;
    static const unsigned policies[] = {BP_POLICY_RUN_AMD, BP_POLICY_RUN_NVIDIA};
    for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        struct lab_result result;
        const char *missing = bp_policy_missing(bp_policy_get(policies[i]));
        if (!missing)
            continue;
        lab_run(policies[i], "nothing", NULL, NULL, &result);
        assert_false(result.done);
        assert_string_equal(result.layers, "");
        assert_non_null(strstr(result.text, missing));
    }
}

int main(int argc, char **argv)
{
    lab_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_limits_in_force),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_missing_path),
        cmocka_unit_test(test_own_code),
        cmocka_unit_test(test_many_processes),
        cmocka_unit_test(test_missing_device),
        cmocka_unit_test(test_every_child_is_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
