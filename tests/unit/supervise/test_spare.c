/* A child started ahead of need compiles like one that was not, ready or still starting; it serves one
 * job, and one that died is replaced unseen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "harness/supervise/compile_job.h"
#include "tests/lib/loop.h"

static const struct bp_child_settings children = {.loop = &loop,
                                                  .worker_path = WORKER,
                                                  .compile_ms = 60000,
                                                  .memory_bytes = 4ull << 30,
                                                  .log_max_bytes = 4096};

static void start(struct bp_compile_job *job, struct bp_spare *spare)
{
    static const char source[] = "this is no kernel";
    struct bp_error err;
    struct bp_compile_options options = {.children = children,
                                         .device = "cpu",
                                         .arch = "native",
                                         .source = source,
                                         .source_bytes = sizeof source - 1,
                                         .spare = spare};
    assert_int_equal(bp_compile_start(job, &options, &err), 0);
    assert_null(spare->child);
}

/* The compiler was asked, and nothing is left. */
static void finish(struct bp_compile_job *job)
{
    while (!job->done)
        step_loop();
    assert_int_equal(job->outcome.verdict, BP_VERDICT_COMPILE_ERROR);
    bp_compile_free(job);
    while (loop.child_count > 0)
        step_loop();
}

static void fill(struct bp_spare *spare)
{
    bp_spare_fill(spare, &children, "native");
    assert_non_null(spare->child);
    while (bp_spare_is_starting(spare))
        step_loop();
    assert_true(spare->ready);
}

static void a_ready_one_is_asked_at_once(void **state)
{
    struct bp_spare spare = {0};
    struct bp_compile_job job;
    (void)state;
    fill(&spare);
    const struct bp_child *child = spare.child;
    start(&job, &spare);
    assert_ptr_equal(job.child, child);
    assert_true(job.working);
    assert_int_equal(loop.child_count, 1);
    finish(&job);
}

static void one_that_is_starting_serves_too(void **state)
{
    struct bp_spare spare = {0};
    struct bp_compile_job job;
    (void)state;
    bp_spare_fill(&spare, &children, "native");
    assert_true(bp_spare_is_starting(&spare));
    start(&job, &spare);
    assert_false(job.working);
    assert_int_equal(loop.child_count, 1);
    finish(&job);
}

static pid_t only_child(void)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    BP_AUTO_FILE FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    return (pid_t)atoi(text);
}

static void a_dead_one_is_replaced(void **state)
{
    struct bp_spare spare = {0};
    struct bp_compile_job job;
    (void)state;
    fill(&spare);
    assert_int_equal(kill(only_child(), SIGKILL), 0);
    while (spare.child)
        step_loop();
    assert_false(spare.ready);
    start(&job, &spare);
    finish(&job);
}

static void it_is_filled_once_and_leaves_nothing(void **state)
{
    struct bp_spare spare = {0};
    (void)state;
    fill(&spare);
    bp_spare_fill(&spare, &children, "native");
    assert_int_equal(loop.child_count, 1);
    bp_spare_release(&spare);
    while (loop.child_count > 0)
        step_loop();
    bp_spare_release(&spare);
    assert_int_equal(loop.child_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_one_is_asked_at_once),
        cmocka_unit_test(one_that_is_starting_serves_too),
        cmocka_unit_test(a_dead_one_is_replaced),
        cmocka_unit_test(it_is_filled_once_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
