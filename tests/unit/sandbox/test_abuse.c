/* Calls that nobody needs: in every stage and behind the candidate's filter each is stopped, and by
 * name where it is no way out of the sandbox. */
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

#include "tests/unit/sandbox/abuse.h"
#include "tests/unit/sandbox/lab.h"

/* Behind which filter a call is made. */
static const struct context {
    enum abuse_context bit;
    enum bp_policy_id policy;
    const char *prefix; /* of what the fake worker is told */
    bool quiet;         /* what is not allowed is as if it did not exist: there is no listener */
    bool once;          /* only as who started the test: the user makes no difference to a filter */
} contexts[] = {
    {ABUSE_PREPARE, BP_POLICY_PREPARE, "", false},
    {ABUSE_COMPILE, BP_POLICY_COMPILE_CPU, "", false},
    {ABUSE_COMPILE_GPU, BP_POLICY_COMPILE_GPU, "", false},
    {ABUSE_RUN, BP_POLICY_RUN_CPU, "", true},
    {ABUSE_JUDGE, BP_POLICY_JUDGE, "", false},
    {ABUSE_PROBE, BP_POLICY_PROBE_CPU, "", false},
    {ABUSE_CANDIDATE, BP_POLICY_RUN_CPU, "candidate.", false},
    {ABUSE_EMULATED, BP_POLICY_RUN_EMULATED, "candidate.", false, true},
    {ABUSE_AMD, BP_POLICY_RUN_EMULATED, "amd.", false, true},
    {ABUSE_NVIDIA, BP_POLICY_RUN_EMULATED, "nvidia.", false, true},
};

static bool as_another; /* user */

static bool is_named(const char *denial, const char *call)
{
    size_t length = strlen(call);
    return strncmp(denial, call, length) == 0 && denial[length] == '(';
}

static bool is_stopped(const struct abuse *abuse, const struct context *context,
                       const struct lab_result *result)
{
    if (!result->layers[0] || !result->log_ended)
        return false;
    if (abuse->escape)
        return !result->done && !result->denied && result->reported &&
               WIFSIGNALED(result->wait_status) && WTERMSIG(result->wait_status) == SIGSYS;
    if (context->quiet)
        return result->done && !result->denied && result->error == ENOSYS;
    return !result->done && result->denied && is_named(result->denial, abuse->call);
}

static unsigned try_all(const struct context *context, unsigned *tried)
{
    unsigned failures = 0;
    for (const struct abuse *abuse = abuses; abuse->name; abuse++) {
        char act[64];
        struct lab_result result;
        if (abuse->spared & context->bit)
            continue;
        snprintf(act, sizeof act, "%s%s", context->prefix, abuse->name);
        lab_run(context->policy, act, NULL, NULL, &result);
        ++*tried;
        if (is_stopped(abuse, context, &result))
            continue;
        failures++;
        printf("%s %s: done %d errno %d denied %d '%s' status 0x%x log ended %d '%s'\n",
               bp_policy_name(context->policy), act, result.done, result.error, result.denied,
               result.denial, (unsigned)result.wait_status, result.log_ended, result.log);
    }
    return failures;
}

static void test_calls(void **state)
{
    (void)state;
    unsigned tried = 0, failures = 0;
    for (unsigned i = 0; i < sizeof contexts / sizeof contexts[0]; i++)
        failures += contexts[i].once && as_another ? 0 : try_all(&contexts[i], &tried);
    printf("%u calls tried, %u not stopped as they should be\n", tried, failures);
    assert_true(tried > 500);
    assert_int_equal(failures, 0);
}

int main(int argc, char **argv)
{
    lab_start(argc, argv);
    as_another = argc > 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
