/* What a confined child can and cannot do, act by act, for every policy. */
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

enum expected {
    DONE,   /* it may */
    ERRNO,  /* the call fails with number */
    CLOSED, /* Landlock refuses the file; in a root of its own it is not there, or read-only */
    DENIED, /* stopped in the call named what */
    SIGNAL, /* dies of signal number */
};

struct expectation {
    enum bp_policy_id policy;
    const char *act;
    enum expected expected;
    int number;
    const char *what;
};

#define COMPILE BP_POLICY_COMPILE_CPU
#define COMPILE_GPU BP_POLICY_COMPILE_GPU
#define PREPARE BP_POLICY_PREPARE
#define JUDGE BP_POLICY_JUDGE
#define RUN BP_POLICY_RUN_CPU
#define EMULATED BP_POLICY_RUN_EMULATED

static const struct expectation expectations[] = {
    {COMPILE, "nothing", DONE, 0, ""},
    {COMPILE, "fork", DONE, 0, ""},
    {COMPILE, "fork_call", DENIED, 0, "fork("},
    {COMPILE, "clone_user", DENIED, 0, "clone("},
    {COMPILE, "exec_shell", CLOSED, 0, ""},
    {COMPILE, "exec_memfd", DENIED, 0, "execveat("},
    {COMPILE, "socket_inet", DENIED, 0, "socket("},
    {COMPILE, "socket_unix", DENIED, 0, "socket("},
    {COMPILE, "open_passwd", CLOSED, 0, ""},
    {COMPILE, "open_shell", CLOSED, 0, ""},
    {COMPILE, "open_device", CLOSED, 0, ""},
    {COMPILE, "write_private", DONE, 0, ""},
    {COMPILE, "list_private", DONE, 0, "700 uid own"},
    {COMPILE, "big_file", SIGNAL, SIGXFSZ, ""},
    {COMPILE, "symlink", DENIED, 0, "symlink("},
    {COMPILE, "ptrace", SIGNAL, SIGSYS, ""},
    {COMPILE, "vm_read", SIGNAL, SIGSYS, ""},
    {COMPILE, "kill_parent", DENIED, 0, "kill("},
    {COMPILE, "kill_all", DENIED, 0, "kill(0xffff"},
    {COMPILE, "stop_self", DENIED, 0, "tgkill("},
    {COMPILE, "mount", SIGNAL, SIGSYS, ""},
    {COMPILE, "unshare", SIGNAL, SIGSYS, ""},
    {COMPILE, "io_uring", SIGNAL, SIGSYS, ""},
    {COMPILE, "bpf", SIGNAL, SIGSYS, ""},
    {COMPILE, "keyctl", SIGNAL, SIGSYS, ""},
    {COMPILE, "userfaultfd", SIGNAL, SIGSYS, ""},
    {COMPILE, "clone3", ERRNO, ENOSYS, ""},
    {COMPILE, "mmap_wx", DENIED, 0, "mmap("},
    {COMPILE, "mprotect_exec", DENIED, 0, "mprotect("},
    {COMPILE, "parent_memory", CLOSED, 0, ""},
    {COMPILE, "parent_environment", CLOSED, 0, ""},
    {COMPILE, "oom_score", CLOSED, 0, ""},
    {COMPILE, "own_memory", CLOSED, 0, ""},
    {COMPILE, "raise_limit", DENIED, 0, "prlimit64("},
    {COMPILE, "second_filter", DENIED, 0, "seccomp("},
    {COMPILE, "tiocsti", DENIED, 0, "ioctl("},
    {COMPILE, "setsid", DENIED, 0, "setsid("},
    {COMPILE, "many_descriptors", ERRNO, EMFILE, "few"},
    {COMPILE, "open_devices", CLOSED, 0, ""},
    {COMPILE, "open_other_roots", CLOSED, 0, ""},
    {COMPILE, "open_from_descriptors", CLOSED, 0, ""},
    {COMPILE, "climb", CLOSED, 0, ""},
    {COMPILE, "compile", DONE, 0, "status 0 object made"},
    {COMPILE, "compile_passwd", DONE, 0, "status 256 object missing"},
    {COMPILE, "compile_incbin", DONE, 0, "status 256 object missing"},

    {COMPILE_GPU, "nothing", DONE, 0, ""},
    {COMPILE_GPU, "fork", DENIED, 0, "clone("},
    {COMPILE_GPU, "exec_shell", DENIED, 0, "execve("},
    {COMPILE_GPU, "socket_inet", DENIED, 0, "socket("},
    {COMPILE_GPU, "open_passwd", CLOSED, 0, ""},
    {COMPILE_GPU, "open_device", CLOSED, 0, ""},
    {COMPILE_GPU, "write_private", DONE, 0, ""},
    {COMPILE_GPU, "big_file", SIGNAL, SIGXFSZ, ""},
    {COMPILE_GPU, "parent_memory", CLOSED, 0, ""},
    {COMPILE_GPU, "own_memory", CLOSED, 0, ""},
    {COMPILE_GPU, "mmap_exec", DENIED, 0, "mmap("},
    {COMPILE_GPU, "mprotect_exec", DENIED, 0, "mprotect("},
    {COMPILE_GPU, "raise_limit", DENIED, 0, "prlimit64("},
    {COMPILE_GPU, "ptrace", SIGNAL, SIGSYS, ""},
    {COMPILE_GPU, "kill_parent", DENIED, 0, "kill("},

    {PREPARE, "nothing", DONE, 0, ""},
    {PREPARE, "fork", DENIED, 0, "clone("},
    {PREPARE, "exec_shell", DENIED, 0, "execve("},
    {PREPARE, "open_passwd", ERRNO, EACCES, ""},
    {PREPARE, "write_private", ERRNO, EACCES, ""},
    {PREPARE, "socket_inet", DENIED, 0, "socket("},
    {PREPARE, "mmap_exec", DENIED, 0, "mmap("},
    {PREPARE, "ptrace", SIGNAL, SIGSYS, ""},
    {PREPARE, "kill_parent", DENIED, 0, "kill("},

    {JUDGE, "nothing", DONE, 0, ""},
    {JUDGE, "fork", DENIED, 0, "clone("},
    {JUDGE, "exec_shell", DENIED, 0, "execve("},
    {JUDGE, "open_passwd", ERRNO, EACCES, ""},
    {JUDGE, "socket_unix", DENIED, 0, "socket("},
    {JUDGE, "mprotect_exec", DENIED, 0, "mprotect("},
    {JUDGE, "io_uring", SIGNAL, SIGSYS, ""},

    {RUN, "nothing", DONE, 0, ""},
    {RUN, "fork", ERRNO, ENOSYS, ""},
    {RUN, "exec_shell", ERRNO, ENOSYS, ""},
    {RUN, "socket_inet", ERRNO, ENOSYS, ""},
    {RUN, "kill_parent", ERRNO, ENOSYS, ""},
    {RUN, "clone3", ERRNO, ENOSYS, ""},
    {RUN, "open_passwd", CLOSED, 0, ""},
    {RUN, "parent_memory", CLOSED, 0, ""},
    {RUN, "mmap_wx", ERRNO, ENOSYS, ""},
    {RUN, "mprotect_exec", DONE, 0, ""},
    {RUN, "load_object", DONE, 0, ""},
    {RUN, "ptrace", SIGNAL, SIGSYS, ""},
    {RUN, "dumpable", DONE, 0, "dumpable 0"},
    {RUN, "open_devices", CLOSED, 0, ""},
    {RUN, "open_other_roots", CLOSED, 0, ""},
    {RUN, "open_from_descriptors", CLOSED, 0, ""},
    {RUN, "object_write", SIGNAL, SIGXFSZ, ""},
    {RUN, "object_map", ERRNO, EPERM, ""},
    {RUN, "object_protect", ERRNO, EACCES, ""},
    {RUN, "object_shrink", ERRNO, EPERM, ""},
    {RUN, "object_seal", ERRNO, EPERM, ""},

    {EMULATED, "nothing", DONE, 0, ""},
    {EMULATED, "fork", ERRNO, ENOSYS, ""},
    {EMULATED, "exec_shell", ERRNO, ENOSYS, ""},
    {EMULATED, "open_passwd", CLOSED, 0, ""},
    {EMULATED, "open_devices", CLOSED, 0, ""},
    {EMULATED, "open_other_roots", CLOSED, 0, ""},
    {EMULATED, "parent_memory", CLOSED, 0, ""},
    {EMULATED, "own_memory", CLOSED, 0, ""},
    {EMULATED, "write_private", DONE, 0, ""},
    {EMULATED, "candidate.open_passwd", DENIED, 0, "openat("},
    {EMULATED, "amd.nothing", DONE, 0, ""},
    {EMULATED, "amd.open_passwd", ERRNO, EACCES, ""},
    {EMULATED, "amd.open_devices", ERRNO, EACCES, ""},
    {EMULATED, "nvidia.nothing", DONE, 0, ""},
    {EMULATED, "nvidia.open_passwd", ERRNO, EACCES, ""},
    {EMULATED, "nvidia.open_devices", ERRNO, EACCES, ""},

    {RUN, "candidate.nothing", DONE, 0, ""},
    {RUN, "candidate.open_devices", DENIED, 0, "openat("},
    {RUN, "candidate.object_write", DENIED, 0, "pwrite64("},
    {RUN, "candidate.object_map", ERRNO, EPERM, ""},
    {RUN, "candidate.object_protect", ERRNO, EACCES, ""},
    {RUN, "candidate.object_shrink", DENIED, 0, "ftruncate("},
    {RUN, "candidate.object_seal", DENIED, 0, "fcntl("},
    {RUN, "candidate.fork", DENIED, 0, "clone("},
    {RUN, "candidate.exec_shell", DENIED, 0, "execve("},
    {RUN, "candidate.socket_inet", DENIED, 0, "socket(0x2, 0x1, 0x0,"},
    {RUN, "candidate.open_passwd", DENIED, 0, "openat("},
    {RUN, "candidate.kill_all", DENIED, 0, "kill("},
    {RUN, "candidate.stop_self", DENIED, 0, "tgkill("},
    {RUN, "candidate.mmap_wx", DENIED, 0, "mmap("},
    {RUN, "candidate.mmap_exec", DENIED, 0, "mmap("},
    {RUN, "candidate.mprotect_exec", DENIED, 0, "mprotect("},
    {RUN, "candidate.clone3", DENIED, 0, "clone3("},
    {RUN, "candidate.second_filter", DENIED, 0, "seccomp("},
    {RUN, "candidate.raise_limit", DENIED, 0, "prlimit64("},
    {RUN, "candidate.read_elsewhere", DENIED, 0, "read(0x5,"},
    {RUN, "candidate.write_elsewhere", DENIED, 0, "write(0x5,"},
    {RUN, "candidate.send_elsewhere", DENIED, 0, "sendto(0x5,"},
    {RUN, "candidate.setsid", DENIED, 0, "setsid("},
    {RUN, "candidate.ptrace", SIGNAL, SIGSYS, ""},
    {RUN, "candidate.io_uring", SIGNAL, SIGSYS, ""},
    {RUN, "candidate.abort", SIGNAL, SIGABRT, ""},
    {RUN, "candidate.segv", SIGNAL, SIGSEGV, ""},
    {RUN, "thread.nothing", DONE, 0, ""},
    {RUN, "thread.socket_inet", DENIED, 0, "socket("},
    {RUN, "thread.open_passwd", DENIED, 0, "openat("},
    {RUN, "thread.ptrace", SIGNAL, SIGSYS, ""},
#if defined(__x86_64__)
    {COMPILE, "int80", SIGNAL, SIGSYS, ""},
    {COMPILE, "x32", SIGNAL, SIGSYS, ""},
    {RUN, "candidate.int80", SIGNAL, SIGSYS, ""},
    {RUN, "candidate.x32", SIGNAL, SIGSYS, ""},
#endif
};

static bool as_expected(const struct expectation *expected, const struct lab_result *result)
{
    if (!result->layers[0])
        return false;
    switch (expected->expected) {
    case DONE:
        return result->done && result->error == 0 && !result->denied && result->reported &&
               result->wait_status == 0 && strstr(result->text, expected->what);
    case ERRNO:
        return result->done && result->error == expected->number && !result->denied &&
               strstr(result->text, expected->what);
    case CLOSED:
        return result->done && !result->denied &&
               (result->error == EACCES || (strstr(result->layers, "root,") &&
                                            (result->error == ENOENT || result->error == EROFS)));
    case DENIED:
        return result->denied && !result->done &&
               strncmp(result->denial, expected->what, strlen(expected->what)) == 0;
    case SIGNAL:
        return !result->done && !result->denied && result->reported &&
               WIFSIGNALED(result->wait_status) &&
               WTERMSIG(result->wait_status) == expected->number;
    }
    return false;
}

static void test_acts(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (unsigned i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *expected = &expectations[i];
        struct lab_result result;
        lab_run(expected->policy, expected->act, NULL, NULL, &result);
        bool ok = as_expected(expected, &result) && result.log_ended;
        if (!ok)
            printf("%s %s: layers '%s' done %d errno %d '%s' denied %d '%s' reported %d "
                   "status 0x%x log ended %d '%s'\n",
                   bp_policy_name(expected->policy), expected->act, result.layers, result.done,
                   result.error, result.text, result.denied, result.denial, result.reported,
                   (unsigned)result.wait_status, result.log_ended, result.log);
        failures += !ok;
    }
    assert_int_equal(failures, 0);
}

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

/* A source that includes /etc/passwd must not carry it out through the compiler's log. */
static void test_compiler_log(void **state)
{
    (void)state;
    struct lab_result result;
    lab_run(COMPILE, "compile_passwd", NULL, NULL, &result);
    assert_null(strstr(result.log, "root:"));
    assert_non_null(strstr(result.log, "/etc/passwd"));
}

int main(int argc, char **argv)
{
    lab_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_limits_in_force),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_compiler_log),
        cmocka_unit_test(test_missing_path),
        cmocka_unit_test(test_own_code),
        cmocka_unit_test(test_many_processes),
        cmocka_unit_test(test_missing_device),
        cmocka_unit_test(test_every_child_is_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
