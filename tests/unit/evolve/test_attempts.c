/* Tables of outcome sequences and what follows from them; pauses; who is suspected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/evolve/attempts.h"

static const struct bp_attempts_policy policy = {
    .attempts = 4, .base_ms = 100, .factor = 2, .cap_ms = 350};

#define PASS BP_VERDICT_PASS
#define INFRA BP_VERDICT_INFRA
#define FAULT BP_VERDICT_GPU_FAULT
#define HANG BP_VERDICT_GPU_HANG
#define WRONG BP_VERDICT_WRONG_RESULT

static void sequences(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        enum bp_verdict outcomes[4];
        enum bp_attempts_next next;
    } rows[] = {
        {1, {PASS}, BP_ATTEMPTS_STAND},
        {1, {WRONG}, BP_ATTEMPTS_STAND},
        {1, {INFRA}, BP_ATTEMPTS_BACK_OFF},
        {2, {INFRA, PASS}, BP_ATTEMPTS_STAND},
        {2, {INFRA, INFRA}, BP_ATTEMPTS_BACK_OFF},
        {3, {INFRA, INFRA, INFRA}, BP_ATTEMPTS_BACK_OFF},
        {4, {INFRA, INFRA, INFRA, INFRA}, BP_ATTEMPTS_STAND}, /* used up */
        {2, {INFRA, WRONG}, BP_ATTEMPTS_STAND},
        {1, {FAULT}, BP_ATTEMPTS_AGAIN},
        {2, {FAULT, PASS}, BP_ATTEMPTS_STAND},
        {2, {FAULT, FAULT}, BP_ATTEMPTS_STAND}, /* the same candidate repeats it */
        {2, {FAULT, HANG}, BP_ATTEMPTS_STAND},
        {2, {FAULT, WRONG}, BP_ATTEMPTS_STAND},
        {2, {FAULT, INFRA}, BP_ATTEMPTS_BACK_OFF},
        {3, {FAULT, INFRA, HANG}, BP_ATTEMPTS_STAND},
        {2, {INFRA, FAULT}, BP_ATTEMPTS_AGAIN}, /* the first was the device's: a failed probe */
        {3, {INFRA, FAULT, PASS}, BP_ATTEMPTS_STAND},
        {4, {INFRA, INFRA, INFRA, FAULT}, BP_ATTEMPTS_STAND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (bp_attempts_next(&policy, rows[i].outcomes, rows[i].count) != rows[i].next)
            fail_msg("row %zu", i);
}

/* Of every verdict: whether one alone is retried. Only a device's and our own failures are. */
static void only_device_and_harness_are_retried(void **state)
{
    (void)state;
    for (int i = 0; i < BP_VERDICT_COUNT; i++) {
        enum bp_verdict outcome = (enum bp_verdict)i;
        enum bp_blame blame = bp_verdict_blame(outcome);
        bool retried = bp_attempts_next(&policy, &outcome, 1) != BP_ATTEMPTS_STAND;
        assert_int_equal(retried, blame == BP_BLAME_DEVICE || blame == BP_BLAME_HARNESS);
        struct bp_attempts_policy once = policy;
        once.attempts = 1;
        assert_int_equal(bp_attempts_next(&once, &outcome, 1), BP_ATTEMPTS_STAND);
    }
}

static void only_a_pass_and_ours_are_no_failure(void **state)
{
    (void)state;
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        assert_int_equal(bp_attempts_is_failure((enum bp_verdict)i),
                         i != BP_VERDICT_PASS && i != BP_VERDICT_INFRA);
}

static void pauses_grow_to_the_cap(void **state)
{
    (void)state;
    static const double wanted[] = {100, 200, 350, 350};
    for (uint32_t retry = 1; retry <= 4; retry++)
        assert_float_equal(bp_attempts_longest_pause_ms(&policy, retry), wanted[retry - 1], 1e-9);
    assert_float_equal(bp_attempts_longest_pause_ms(&policy, 100000), 350, 0);
}

static void who_is_suspected(void **state)
{
    (void)state;
    for (int s = 0; s < BP_STAGE_COUNT; s++) {
        for (int v = 0; v < BP_VERDICT_COUNT; v++) {
            enum bp_stage stage = (enum bp_stage)s;
            enum bp_health_event event = BP_HEALTH_EVENT_COUNT;
            bool on_device = stage == BP_STAGE_run || stage == BP_STAGE_time;
            bool hang = v == BP_VERDICT_RUN_TIMEOUT || v == BP_VERDICT_GPU_HANG;
            bool fault = v == BP_VERDICT_CRASH || v == BP_VERDICT_GPU_FAULT ||
                         v == BP_VERDICT_OOM_HOST || v == BP_VERDICT_OOM_DEVICE;
            bool suspects = bp_attempts_suspects(stage, (enum bp_verdict)v, &event);
            assert_int_equal(suspects, on_device && (hang || fault));
            if (suspects)
                assert_int_equal(event, hang ? BP_HEALTH_EVENT_hang : BP_HEALTH_EVENT_fault);
        }
    }
}

static void a_failed_probe_takes_the_blame(void **state)
{
    (void)state;
    struct bp_outcome outcome = {BP_VERDICT_CRASH, "killed by SIGSEGV"};
    bp_attempts_blame_device(&outcome, "no answer within 3 s");
    assert_int_equal(outcome.verdict, BP_VERDICT_INFRA);
    assert_non_null(strstr(outcome.message, "CRASH"));
    assert_non_null(strstr(outcome.message, "killed by SIGSEGV"));
    assert_non_null(strstr(outcome.message, "no answer within 3 s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences),
        cmocka_unit_test(only_device_and_harness_are_retried),
        cmocka_unit_test(only_a_pass_and_ours_are_no_failure),
        cmocka_unit_test(pauses_grow_to_the_cap),
        cmocka_unit_test(who_is_suspected),
        cmocka_unit_test(a_failed_probe_takes_the_blame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
