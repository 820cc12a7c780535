/* What is done again, what is not, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/persist.h"

struct step {
    int failures; /* before it succeeds */
    int calls;
    enum bp_errc code;
    int sys_errno;
};

static int run(void *context, struct bp_error *err)
{
    struct step *step = context;
    if (++step->calls > step->failures)
        return 0;
    bp_fail(err, step->code, "failure %d", step->calls);
    err->sys_errno = step->sys_errno;
    return -1;
}

static void what_passes_is_done_again(void **state)
{
    static const struct {
        enum bp_errc code;
        int sys_errno;
    } rows[] = {{BP_ERR_SYSTEM, EIO},    {BP_ERR_SYSTEM, ENOSPC}, {BP_ERR_SYSTEM, EAGAIN},
                {BP_ERR_SYSTEM, EMFILE}, {BP_ERR_SYSTEM, EBUSY},  {BP_ERR_MEMORY, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step step = {.failures = 2, .code = rows[i].code, .sys_errno = rows[i].sys_errno};
        struct bp_error err = {0};
        assert_int_equal(bp_persist("test", run, &step, &err), 0);
        assert_int_equal(step.calls, 3);
    }
}

static void what_lasts_is_not(void **state)
{
    static const struct {
        enum bp_errc code;
        int sys_errno;
    } rows[] = {{BP_ERR_SYSTEM, ENOENT}, {BP_ERR_SYSTEM, EACCES},  {BP_ERR_SYSTEM, EROFS},
                {BP_ERR_USAGE, 0},       {BP_ERR_UNAVAILABLE, 0},  {BP_ERR_STATE, 0},
                {BP_ERR_SYSTEM, 0},      {BP_ERR_INTERRUPTED, EIO}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step step = {.failures = 2, .code = rows[i].code, .sys_errno = rows[i].sys_errno};
        struct bp_error err = {0};
        assert_int_equal(bp_persist("test", run, &step, &err), -1);
        assert_int_equal(step.calls, 1);
        assert_string_equal(err.msg, "failure 1");
    }
}

static void it_gives_up(void **state)
{
    struct step step = {.failures = 1000, .code = BP_ERR_SYSTEM, .sys_errno = ENOSPC};
    struct bp_error err = {0};
    (void)state;
    uint64_t began_ns = bp_clock_ns();
    assert_int_equal(bp_persist("test", run, &step, &err), -1);
    double spent_ms = bp_ns_to_ms(bp_clock_ns() - began_ns);
    assert_in_range((int)spent_ms, BP_PERSIST_MS / 2, 2 * BP_PERSIST_MS);
    assert_in_range(step.calls, 5, 20);
    assert_int_equal(err.sys_errno, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_done_again),
        cmocka_unit_test(what_lasts_is_not),
        cmocka_unit_test(it_gives_up),
    };
    bp_log_set_level(BP_LOG_ERROR);
    return cmocka_run_group_tests_name("base/persist", tests, NULL, NULL);
}
