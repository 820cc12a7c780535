/* What a confined child can and cannot do, act by act, for every policy. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

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
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_compiler_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
