/* How long a silent process of a campaign is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/inject/process.h"

#define PATIENCE_S 0.2

static char directory[] = "/tmp/bulletproof-process-XXXXXX";

static int set_up(void **state)
{
    struct bp_error err;
    (void)state;
    return mkdtemp(directory) ? bp_process_prepare(&err) : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void run(const char *name, int (*body)(void *, const char *, struct bp_process_report *),
                struct bp_process_end *end)
{
    char dir[64];
    struct bp_error err;
    snprintf(dir, sizeof dir, "%s/%s", directory, name);
    struct bp_process process = {
        .dir = dir, .timeout_s = 60, .patience_s = PATIENCE_S, .run = body};
    assert_int_equal(bp_process_run(&process, end, &err), 0);
    assert_false(end->killed);
    assert_int_equal(end->survivors, 0);
}

static int be_busy(void *context, const char *dir, struct bp_process_report *report)
{
    (void)context, (void)dir, (void)report;
    usleep((useconds_t)(5 * PATIENCE_S * 1e6));
    return 7;
}

static void silence_before_a_fault_is_work(void **state)
{
    static struct bp_process_end end;
    (void)state;
    run("busy", be_busy, &end);
    assert_false(end.told);
    assert_true(WIFEXITED(end.wait_status));
    assert_int_equal(WEXITSTATUS(end.wait_status), 7);
}

static int wait_for_ever(void *context, const char *dir, struct bp_process_report *report)
{
    (void)context, (void)dir;
    report->fired = 1;
    while (pause() < 0)
        continue;
    return 0;
}

static void silence_after_it_is_a_wait(void **state)
{
    static struct bp_process_end end;
    (void)state;
    run("waiting", wait_for_ever, &end);
    assert_true(end.told);
    assert_int_equal(end.report.fired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_before_a_fault_is_work),
        cmocka_unit_test(silence_after_it_is_a_wait),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
