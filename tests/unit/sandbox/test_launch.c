/* Starting and ending children: descriptors, environment, true statuses, no survivors, cost. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/sandbox/lab.h"

static void test_descriptors(void **state)
{
    (void)state;
    struct lab_result result;
    int low = open("/etc/passwd", O_RDONLY), high = fcntl(low, F_DUPFD, 900);
    assert_true(low >= 0 && high >= 900);
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        lab_run(policy, "descriptors", NULL, NULL, &result);
        assert_string_equal(result.text, "0 1 2 3 4 5");
    }
    close(low);
    close(high);
}

static void test_environment(void **state)
{
    (void)state;
    struct lab_result result;
    lab_run(BP_POLICY_COMPILE_CPU, "environment", NULL, NULL, &result);
    assert_true(result.done);
    assert_null(strstr(result.text, "secret"));
    assert_null(strstr(result.text, "LD_PRELOAD"));
    assert_null(strstr(result.text, "HSA_TOOLS_LIB"));
    assert_non_null(strstr(result.text, "PATH=/usr/bin:/bin;"));
    assert_non_null(strstr(result.text, "TMPDIR=/tmp"));
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *act;
        int signal;
    } deaths[] = {
        {"early.abort", SIGABRT}, {"early.segv", SIGSEGV}, {"early.sigkill", SIGKILL},
        {"abort", SIGABRT},       {"segv", SIGSEGV},
    };
    struct lab_result result;
    for (unsigned i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        lab_run(BP_POLICY_RUN_CPU, deaths[i].act, NULL, NULL, &result);
        assert_true(result.reported);
        assert_true(WIFSIGNALED(result.wait_status));
        assert_int_equal(WTERMSIG(result.wait_status), deaths[i].signal);
        assert_false(WCOREDUMP(result.wait_status));
    }
    lab_run(BP_POLICY_RUN_CPU, "exit7", NULL, NULL, &result);
    assert_true(result.reported && WIFEXITED(result.wait_status));
    assert_int_equal(WEXITSTATUS(result.wait_status), 7);
    lab_run(BP_POLICY_COMPILE_CPU, "abort", NULL, NULL, &result);
    assert_true(result.reported && WIFSIGNALED(result.wait_status));
    assert_int_equal(WTERMSIG(result.wait_status), SIGABRT);
}

static void test_worker_is_missing(void **state)
{
    (void)state;
    struct lab_pipes pipes;
    struct bp_launched launched;
    struct bp_error err;
    lab_pipes_open(&pipes);
    assert_int_equal(lab_launch(&pipes, BP_POLICY_JUDGE, "nothing", NULL, "/nonexistent/worker",
                                &launched, &err),
                     -1);
    assert_int_equal(err.code, BP_ERR_SYSTEM);
    assert_int_equal(err.sys_errno, ENOENT);
    lab_pipes_close(&pipes, 0);
    lab_pipes_close(&pipes, 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* Grandchildren hold the log pipe: its end of file says that the last is dead. */
static void test_daemons_die(void **state)
{
    (void)state;
    struct lab_result result;
    lab_run(BP_POLICY_COMPILE_CPU, "daemons", NULL, NULL, &result);
    assert_true(result.done && result.error == 0);
    assert_true(result.log_ended);
    lab_run(BP_POLICY_COMPILE_CPU, "daemons_stay", NULL, "daemons", &result);
    assert_true(result.log_ended);
    lab_run(BP_POLICY_RUN_CPU, "sleep", NULL, "ready", &result);
    assert_true(result.log_ended);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

#define PATIENCE_MS 30000 /* with a machine that does much beside */

/* A supervisor killed after wait_us: log_fd, which only the child then holds, must end. */
static void kill_supervisor_after(unsigned wait_us)
{
    struct lab_pipes pipes;
    lab_pipes_open(&pipes);
    pid_t supervisor = fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        struct bp_launched launched;
        struct bp_error err;
        if (lab_launch(&pipes, BP_POLICY_COMPILE_CPU, "daemons_stay", NULL, FAKE_WORKER, &launched,
                       &err) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    /* The supervisor's death must close its ends: no copies here but of the log. */
    int log = dup(pipes.log[0]);
    lab_pipes_close(&pipes, 1);
    lab_pipes_close(&pipes, 0);
    usleep(wait_us);
    kill(supervisor, SIGKILL);
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    struct pollfd end = {.fd = log, .events = POLLIN};
    char rest[512];
    int ready;
    while ((ready = poll(&end, 1, PATIENCE_MS)) == 1 && read(log, rest, sizeof rest) > 0)
        continue;
    assert_int_equal(ready, 1);
    close(log);
    /* Adopted by this process, the subreaper. */
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* A dead supervisor cannot remove the directories that children without a tmpfs have. */
static void test_supervisor_dies(void **state)
{
    (void)state;
    char scratch[] = "/tmp/test_launch-XXXXXX";
    assert_non_null(mkdtemp(scratch));
    setenv("TMPDIR", scratch, 1);
    for (unsigned wait_us = 0; wait_us < 12000; wait_us += 400)
        kill_supervisor_after(wait_us);
    kill_supervisor_after(100000);
    unsetenv("TMPDIR");
    assert_int_equal(nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* PDEATHSIG says nothing of a supervisor that died before it was asked for. */
static void refuses_without(bool control)
{
    struct lab_pipes pipes;
    struct bp_launched launched;
    struct bp_error err;
    char text[256] = "";
    lab_pipes_open(&pipes);
    bp_close_fd(control ? &pipes.control[0] : &pipes.status[0]);
    assert_int_equal(
        lab_launch(&pipes, BP_POLICY_RUN_CPU, "sleep", NULL, FAKE_WORKER, &launched, &err), 0);
    lab_pipes_close(&pipes, 1);
    struct pollfd ended = {.fd = launched.pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
    bp_launch_kill(&launched);
    assert_int_equal(waitpid(launched.pid, NULL, 0), launched.pid);
    while (!bp_launch_release(&launched))
        usleep(1000);
    assert_true(read(control ? pipes.answers[0] : pipes.log[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "the supervisor is gone"));
    lab_pipes_close(&pipes, 0);
}

static void test_supervisor_is_gone(void **state)
{
    (void)state;
    refuses_without(true);
    refuses_without(false);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t plain_start(void)
{
    char *argv[] = {(char *)(uintptr_t) "fake_worker", NULL}, *envp[] = {NULL};
    uint64_t started = bp_clock_ns();
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, FAKE_WORKER, NULL, NULL, argv, envp), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return bp_clock_ns() - started;
}

/* The usage error of a worker without arguments is the cheapest life it can have; interleaved, as
 * the machine is noisy. The bound is loose for the same reason; the figures are printed. */
#define ROUNDS 40
static void test_cost(void **state)
{
    (void)state;
    uint64_t plain[ROUNDS], launch[ROUNDS], ready[BP_POLICY_COUNT][ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        plain[i] = plain_start();
        for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
            if (bp_policy_missing(bp_policy_get(policy)))
                continue;
            struct lab_result result;
            lab_run(policy, "nothing", NULL, NULL, &result);
            launch[i] = result.launch_ns;
            ready[policy][i] = result.ready_ns;
        }
    }
    qsort(plain, ROUNDS, sizeof plain[0], compare);
    qsort(launch, ROUNDS, sizeof launch[0], compare);
    printf("spawn, exec, exit, wait of the bare worker: median %.0f us\n"
           "bp_launch: median %.0f us\n",
           (double)plain[ROUNDS / 2] / 1e3, (double)launch[ROUNDS / 2] / 1e3);
    for (unsigned policy = 0; policy < BP_POLICY_COUNT; policy++) {
        if (bp_policy_missing(bp_policy_get(policy)))
            continue;
        qsort(ready[policy], ROUNDS, sizeof ready[policy][0], compare);
        printf("bp_launch to ready, %s: median %.0f us\n", bp_policy_name(policy),
               (double)ready[policy][ROUNDS / 2] / 1e3);
        assert_true(ready[policy][ROUNDS / 2] < 200000000);
    }
}

/* As root only: the other runs of this test may not write beside it, and see what it does. */
static void test_find_worker(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    char self[PATH_MAX], beside[PATH_MAX + 32], path[PATH_MAX];
    struct bp_error err;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    snprintf(beside, sizeof beside, "%s/bulletproof-worker", dirname(self));
    unlink(beside);
    assert_int_equal(bp_launch_find_worker(path, sizeof path, &err), -1);
    assert_int_equal(err.code, BP_ERR_UNAVAILABLE);
    assert_int_equal(symlink(FAKE_WORKER, beside), 0);
    assert_int_equal(bp_launch_find_worker(path, sizeof path, &err), 0);
    assert_string_equal(path, FAKE_WORKER);
    assert_int_equal(bp_launch_find_worker(path, 8, &err), -1);
    assert_int_equal(err.code, BP_ERR_LIMIT);
    unlink(beside);
}

static void test_supervisor_is_prepared(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    int reaper = 0;
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &reaper), 0);
    assert_int_equal(reaper, 1);
}

int main(int argc, char **argv)
{
    lab_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_supervisor_is_prepared),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_worker_is_missing),
        cmocka_unit_test(test_daemons_die),
        cmocka_unit_test(test_supervisor_dies),
        cmocka_unit_test(test_supervisor_is_gone),
        cmocka_unit_test(test_find_worker),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
