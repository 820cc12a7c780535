/* A session with real children, some of which fail as told: what is retried and what is not, what the
 * device goes through, and that no failure of ours ends the run. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/descriptors.h"
#include "tests/unit/evolve/session_lab.h"

/* Process 1 of a stage's child, a child of ours, or -1. */
static pid_t find_child(const char *stage)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *children = fopen(path, "r");
    int pid = -1, found = -1;
    while (children && fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        int fd = open(path, O_RDONLY);
        ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        text[length > 0 ? length : 0] = '\0';
        if (length > 0 && strcmp(text + strlen(text) + 1, stage) == 0)
            found = pid;
        close(fd);
    }
    if (children)
        fclose(children);
    return found;
}

/* For one that was just launched, as a process has no arguments yet while exec goes on. */
static pid_t await_child(const char *stage)
{
    uint64_t give_up = bp_clock_ns() + 10000000000u;
    pid_t found;
    while ((found = find_child(stage)) < 0 && bp_clock_ns() < give_up)
        usleep(1000);
    return found;
}

/* ---- tests ---- */

static void our_failures_are_retried_to_the_end(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("judge", "xx");
    LAB_EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    assert_int_equal(candidate.evaluation->safety.retries, 2);
    assert_int_equal(candidate.evaluation->safety.fallbacks, 0);
    assert_int_equal(lab_seen.probes, 0);
    lab_drop(&candidate);
}

static void attempts_are_bounded(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("judge", "xxxxx");
    LAB_EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_INFRA);
    assert_int_equal(bp_evaluation_blame(candidate.evaluation), BP_BLAME_HARNESS);
    lab_drop(&candidate);
}

static void candidates_failures_are_not(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("run", "ll");
    LAB_EXPECT(&candidate, BP_VERDICT_LAUNCH_ERROR);
    lab_drop(&candidate);
}

static void a_fault_that_does_not_come_back_was_the_devices(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("run", "f");
    LAB_EXPECT(&candidate, BP_VERDICT_GPU_FAULT, BP_VERDICT_PASS);
    assert_string_equal(lab_seen.moves, "suspect>probing>healthy");
    assert_int_equal(lab_seen.probes, 1);
    assert_int_equal(lab_seen.waits, 0);
    lab_drop(&candidate);
}

static void a_fault_that_comes_back_is_the_candidates(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("run", "fff");
    LAB_EXPECT(&candidate, BP_VERDICT_GPU_FAULT, BP_VERDICT_GPU_FAULT);
    assert_int_equal(bp_evaluation_blame(candidate.evaluation), BP_BLAME_CANDIDATE);
    assert_string_equal(lab_seen.moves, "suspect>probing>healthy>suspect>probing>healthy");
    lab_drop(&candidate);
}

static void a_device_that_fails_probes_is_waited_for(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_moods("run", "f");
    lab_moods("probe", "xx");
    LAB_EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    assert_string_equal(
        lab_seen.moves,
        "suspect>probing>quarantined>suspect>probing>quarantined>suspect>probing>healthy");
    assert_int_equal(lab_seen.probes, 3);
    assert_int_equal(lab_seen.passed, 1);
    assert_int_equal(lab_seen.waits, 2);
    printf("%s\n", lab_seen.waiting);
    assert_non_null(strstr(lab_seen.waiting, "device cpu is quarantined (the child ended"));
    assert_non_null(
        strstr(lab_seen.waiting, "next probe in 0.02 s")); /* twice as long as at first */
    assert_non_null(strstr(candidate.evaluation->attempts[0].message, "GPU_FAULT"));
    lab_drop(&candidate);
}

static void the_wait_can_be_interrupted(void **state)
{
    struct bp_candidate candidate;
    struct bp_error err;
    (void)state;
    lab_config->health.pause_ms = lab_config->health.cap_ms = 60000;
    lab_moods("run", "f");
    lab_moods("probe", "x");
    lab_seen.interrupt = true;
    uint64_t started = bp_clock_ns();
    assert_int_equal(lab_evaluate(&candidate, &err), -1);
    assert_int_equal(err.code, BP_ERR_INTERRUPTED);
    assert_true(bp_ns_to_ms(bp_clock_ns() - started) < 20000);
    lab_drop(&candidate);
    /* So that the other tests can use the lab_session: what a new run would do. */
    lab_session->loop.stop_signal = 0;
    lab_session->slots.list[0].health = (struct bp_health){0};
}

static pid_t killed;

/* No assertion in what the session calls: a jump out of it would leave it in the middle. */
static void kill_prepare(void)
{
    killed = await_child("prepare");
    if (killed > 0 && kill(killed, SIGKILL) < 0)
        killed = -1;
}

static void a_prepare_child_is_replaced(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_seen.before_trial = kill_prepare;
    LAB_EXPECT(&candidate, BP_VERDICT_PASS);
    assert_true(killed > 0);
    assert_true(await_child("prepare") > 0);
    assert_int_not_equal(await_child("prepare"), killed);
    lab_drop(&candidate);
}

static void a_prepare_child_that_does_not_come_back_costs_an_attempt(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_seen.before_trial = kill_prepare;
    lab_moods("prepare", "xxxx");
    LAB_EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    lab_drop(&candidate);
}

static struct rlimit descriptors;

static void grant_descriptors(void *context)
{
    (void)context;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

static void a_child_that_cannot_be_started_costs_an_attempt(void **state)
{
    struct bp_candidate candidate;
    struct bp_error err;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    struct rlimit few = {open_descriptors(), descriptors.rlim_max};
    lab_config->retry.base_ms = lab_config->retry.cap_ms = 400;
    lab_config->retry.attempts = 16;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    lab_seen.timer = (struct bp_timer){.expired = grant_descriptors};
    assert_int_equal(
        bp_loop_start_timer(&lab_session->loop, &lab_seen.timer, bp_clock_ns() + 20000000, &err),
        0);
    int result = lab_evaluate(&candidate, &err);
    grant_descriptors(NULL);
    assert_int_equal(result, 0);
    const struct bp_evaluation *evaluation = candidate.evaluation;
    printf("%u attempts, the first: %s\n", evaluation->attempt_count,
           evaluation->attempts[0].message);
    assert_int_equal(evaluation->verdict, BP_VERDICT_PASS);
    assert_true(evaluation->attempt_count > 1);
    assert_non_null(strstr(evaluation->attempts[0].message, "Too many open files"));
    lab_drop(&candidate);
}

static pid_t traced, tracer;

/* Nobody but its tracer can wait for a dead process: to us it is as one in state D. */
static void trace_run_child(void)
{
    int told[2];
    char byte;
    traced = await_child("run");
    tracer = traced > 0 && pipe2(told, O_CLOEXEC) == 0 ? fork() : -1;
    if (tracer < 0)
        return;
    if (tracer == 0) {
        if (ptrace(PTRACE_SEIZE, traced, 0, 0) < 0)
            _exit(errno);
        if (write(told[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(0);
    }
    close(told[1]);
    if (read(told[0], &byte, 1) != 1)
        tracer = -1;
    close(told[0]);
}

static void a_child_that_is_not_reaped_blocks_nothing(void **state)
{
    struct bp_candidate candidate, other;
    struct bp_error err;
    (void)state;
    lab_seen.before_trial = trace_run_child;
    LAB_EXPECT(&candidate, BP_VERDICT_PASS);
    assert_true(traced > 0);
    lab_drop(&candidate);
    if (tracer < 0) {
        assert_true(waitpid(-1, NULL, WNOHANG) >= 0);
        skip();
    }
    assert_string_equal(lab_seen.moves, "suspect>probing>healthy");
    uint32_t children = lab_session->loop.child_count;
    LAB_EXPECT(&other, BP_VERDICT_PASS);
    lab_drop(&other);
    assert_true(children >= 2); /* prepare, and the one that is left */
    kill(tracer, SIGKILL);
    assert_int_equal(waitpid(tracer, NULL, 0), tracer);
    uint64_t give_up = bp_clock_ns() + 5000000000u;
    while (lab_session->loop.child_count > 1 && bp_clock_ns() < give_up)
        assert_int_equal(bp_loop_step(&lab_session->loop, &err), 0);
    assert_int_equal(lab_session->loop.child_count, 1);
}

static void all_timed_calls_share_a_limit(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    lab_session->timing.limit_ms = 0.1;
    LAB_EXPECT(&candidate, BP_VERDICT_RUN_TIMEOUT);
    assert_int_equal(candidate.evaluation->stage, BP_STAGE_time);
    assert_non_null(strstr(candidate.evaluation->message, "in all"));
    assert_string_equal(lab_seen.moves, "suspect>probing>healthy");
    lab_drop(&candidate);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, lab_reset)
    const struct CMUnitTest tests[] = {
        TEST(our_failures_are_retried_to_the_end),
        TEST(attempts_are_bounded),
        TEST(candidates_failures_are_not),
        TEST(a_fault_that_does_not_come_back_was_the_devices),
        TEST(a_fault_that_comes_back_is_the_candidates),
        TEST(a_device_that_fails_probes_is_waited_for),
        TEST(the_wait_can_be_interrupted),
        TEST(a_prepare_child_is_replaced),
        TEST(a_prepare_child_that_does_not_come_back_costs_an_attempt),
        TEST(a_child_that_cannot_be_started_costs_an_attempt),
        TEST(a_child_that_is_not_reaped_blocks_nothing),
        TEST(all_timed_calls_share_a_limit),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
