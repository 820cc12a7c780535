/* A child that answers as it should, and children that do not: each comes to one end of the right
 * kind, in time, without holding up the loop and without leaving anything behind. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/supervise/child.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/loop.h"

#define DEADLINE_MS 300.0 /* of those that are to miss it */
#define PATIENCE_MS 60000.0

struct seen {
    struct bp_child *child;
    uint32_t answers;
    uint32_t wanted; /* requests to make, one after the other answer, at once */
    double timeout_ms;
    bool ended;
    struct bp_child_end end;
    double longest_step_ms;
    size_t log_bytes;
};

static void ask(struct seen *seen)
{
    struct bp_error err;
    struct bp_msg_batch_request request = {.calls = 1};
    assert_int_equal(bp_child_request(seen->child, BP_MESSAGE_batch_request, &request, NULL, 0,
                                      seen->timeout_ms, &err),
                     0);
}

static void answered(void *context, struct bp_child *child, enum bp_message_type type,
                     const void *message)
{
    struct seen *seen = context;
    (void)child, (void)message;
    if (type == BP_MESSAGE_batch_result)
        seen->answers++;
    if (seen->answers < seen->wanted)
        ask(seen);
    else
        bp_child_stop(seen->child);
}

static void ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct seen *seen = context;
    assert_false(seen->ended);
    seen->ended = true;
    seen->end = *end;
    seen->log_bytes = strlen(bp_child_log(child));
}

static const struct bp_child_handlers handlers = {answered, ended};

static void start(const char *how, uint32_t requests, double timeout_ms, struct seen *seen)
{
    struct bp_error err;
    struct bp_child_options options = {
        .loop = &loop,
        .worker_path = ODD_WORKER,
        .stage = how,
        .policy = BP_POLICY_JUDGE,
        .log_max_bytes = 1000,
        .handlers = &handlers,
        .context = seen,
    };
    *seen = (struct seen){.wanted = requests, .timeout_ms = timeout_ms};
    if (bp_child_start(&options, &seen->child, &err) < 0)
        fail_msg("%s", err.msg);
}

static void step(struct seen *seen)
{
    struct bp_error err;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(bp_loop_step(&loop, &err), 0);
    getrusage(RUSAGE_SELF, &after);
    double ms = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e3 +
                (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e3 +
                (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e3 +
                (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e3;
    if (ms > seen->longest_step_ms)
        seen->longest_step_ms = ms;
}

/* Runs a child to its end and checks that nothing of it is left. */
static void run_until(const char *how, uint32_t requests, double timeout_ms, struct seen *seen)
{
    uint32_t descriptors = open_descriptors();
    uint64_t give_up = bp_clock_ns() + (uint64_t)(2 * PATIENCE_MS * 1e6);
    start(how, requests, timeout_ms, seen);
    while (!seen->ended) {
        step(seen);
        assert_true(bp_clock_ns() < give_up);
    }
    bp_child_release(&seen->child);
    while (loop.child_count > 0) {
        step(seen);
        assert_true(bp_clock_ns() < give_up);
    }
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(loop.timer_count, 0);
}

static void run(const char *how, uint32_t requests, struct seen *seen)
{
    run_until(how, requests, PATIENCE_MS, seen);
}

static void an_honest_child_answers_every_request(void **state)
{
    struct seen seen;
    (void)state;
    run("honest", 100, &seen);
    assert_int_equal(seen.answers, 100);
    assert_int_equal(seen.end.cause, BP_CHILD_STOPPED);
}

static void no_request_can_be_answered_before_it_is_made(void **state)
{
    struct seen seen;
    (void)state;
    run("ahead", 2, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_PROTOCOL);
    assert_int_equal(seen.answers, 1);
    run("far_ahead", 1000, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_PROTOCOL);
    assert_int_equal(seen.answers, 1);
    /* Where nobody asks again, the second answer is one too many. */
    run("ahead", 1, &seen);
    assert_int_equal(seen.answers, 1);
}

static void a_huge_frame_holds_up_nobody(void **state)
{
    struct seen seen;
    (void)state;
    run("huge", 1, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_PROTOCOL);
#ifndef __SANITIZE_ADDRESS__ /* which takes memory and time of its own */
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    /* Of 4 MiB it would be 96 MiB, unpacked. */
    if (usage.ru_maxrss > 64 << 10)
        fail_msg("resident at most %ld KiB", usage.ru_maxrss);
    if (seen.longest_step_ms > 10)
        fail_msg("a step of the loop took %.1f ms", seen.longest_step_ms);
#endif
}

static void floods_end_at_the_deadline_or_before(void **state)
{
    struct seen seen;
    (void)state;
    run_until("log_flood", 1, DEADLINE_MS, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_DEADLINE);
    assert_true(seen.log_bytes <= 1000);
    run("frame_flood", 1, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_PROTOCOL);
    run_until("half", 1, DEADLINE_MS, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_DEADLINE);
}

static void a_child_that_closes_everything_has_ended(void **state)
{
    struct seen seen;
    (void)state;
    run("silent", 1, &seen);
    assert_true(seen.end.cause == BP_CHILD_EXITED || seen.end.cause == BP_CHILD_DENIED);
    assert_int_equal(seen.answers, 0);
}

static void unwanted_descriptors_are_closed(void **state)
{
    struct seen seen;
    (void)state;
    run("two_descriptors", 1, &seen);
    assert_int_equal(seen.end.cause, BP_CHILD_PROTOCOL);
}

static void released_at_any_moment_nothing_is_left(void **state)
{
    (void)state;
    for (int steps = 0; steps < 12; steps++) {
        struct seen seen;
        uint32_t descriptors = open_descriptors();
        start("honest", 1000000, PATIENCE_MS, &seen);
        for (int i = 0; i < steps; i++)
            step(&seen);
        bp_child_release(&seen.child);
        while (loop.child_count > 0)
            step(&seen);
        assert_false(seen.ended);
        assert_int_equal(open_descriptors(), descriptors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_child_answers_every_request),
        cmocka_unit_test(no_request_can_be_answered_before_it_is_made),
        cmocka_unit_test(a_huge_frame_holds_up_nobody),
        cmocka_unit_test(floods_end_at_the_deadline_or_before),
        cmocka_unit_test(a_child_that_closes_everything_has_ended),
        cmocka_unit_test(unwanted_descriptors_are_closed),
        cmocka_unit_test(released_at_any_moment_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
