/* How a child ended -> what that says of the candidate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "harness/supervise/outcome.h"

/* `concerned`: a compile child had its request, another the candidate's filter. */
static enum bp_verdict of_end(enum bp_stage stage, enum bp_child_cause cause, int wait_status,
                              bool concerned)
{
    struct bp_child_end end = {.cause = cause,
                               .wait_status = wait_status,
                               .asked = stage != BP_STAGE_compile || concerned,
                               .candidate_ran = stage != BP_STAGE_compile && concerned};
    struct bp_outcome outcome;
    bp_outcome_of_end(stage, &end, 1000, &outcome);
    return outcome.verdict;
}

static void ends_become_verdicts(void **state)
{
    (void)state;
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_EXITED, SIGSEGV, true), BP_VERDICT_CRASH);
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_EXITED, SIGABRT, true), BP_VERDICT_CRASH);
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_EXITED, SIGSYS, true), BP_VERDICT_POLICY);
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_EXITED, 0, true), BP_VERDICT_PROTOCOL);
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_DEADLINE, SIGKILL, true),
                     BP_VERDICT_RUN_TIMEOUT);
    assert_int_equal(of_end(BP_STAGE_time, BP_CHILD_DEADLINE, SIGKILL, true),
                     BP_VERDICT_RUN_TIMEOUT);
    assert_int_equal(of_end(BP_STAGE_compile, BP_CHILD_DEADLINE, SIGKILL, true),
                     BP_VERDICT_COMPILE_TIMEOUT);
    assert_int_equal(of_end(BP_STAGE_compile, BP_CHILD_EXITED, SIGSEGV, true),
                     BP_VERDICT_COMPILER_CRASH);
    assert_int_equal(of_end(BP_STAGE_compile, BP_CHILD_EXITED, 20 << 8, true),
                     BP_VERDICT_COMPILER_CRASH);
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_PROTOCOL, SIGKILL, true), BP_VERDICT_PROTOCOL);
}

static enum bp_verdict of_kill(enum bp_stage stage, bool out_of_memory)
{
    struct bp_child_end end = {.cause = BP_CHILD_EXITED,
                               .wait_status = SIGKILL,
                               .asked = true,
                               .candidate_ran = true,
                               .out_of_memory = out_of_memory};
    struct bp_outcome outcome;
    bp_outcome_of_end(stage, &end, 1000, &outcome);
    return outcome.verdict;
}

/* Without a sign of the kernel's, a SIGKILL came from another hand: that is nobody's fault here. */
static void a_kill_is_the_candidates_only_for_want_of_memory(void **state)
{
    (void)state;
    assert_int_equal(of_kill(BP_STAGE_run, true), BP_VERDICT_OOM_HOST);
    assert_int_equal(of_kill(BP_STAGE_compile, true), BP_VERDICT_COMPILE_LIMIT);
    assert_int_equal(of_kill(BP_STAGE_run, false), BP_VERDICT_INFRA);
    assert_int_equal(of_kill(BP_STAGE_time, false), BP_VERDICT_INFRA);
    assert_int_equal(of_kill(BP_STAGE_compile, false), BP_VERDICT_INFRA);
}

static void trusted_stages_never_blame_the_candidate(void **state)
{
    (void)state;
    for (int cause = BP_CHILD_EXITED; cause <= BP_CHILD_BROKEN; cause++) {
        assert_int_equal(of_end(BP_STAGE_judge, cause, SIGSEGV, false), BP_VERDICT_INFRA);
        assert_int_equal(of_end(BP_STAGE_prepare, cause, SIGSEGV, false), BP_VERDICT_INFRA);
        assert_int_equal(of_end(BP_STAGE_run, cause, SIGSEGV, false), BP_VERDICT_INFRA);
    }
    assert_int_equal(of_end(BP_STAGE_run, BP_CHILD_BROKEN, SIGKILL, true), BP_VERDICT_INFRA);
}

/* A compile child that could not set itself up, say for want of a process, knows no source. */
static void before_its_request_a_compile_child_blames_nobody(void **state)
{
    (void)state;
    for (int cause = BP_CHILD_EXITED; cause <= BP_CHILD_BROKEN; cause++) {
        assert_int_equal(of_end(BP_STAGE_compile, cause, 20 << 8, false), BP_VERDICT_INFRA);
        assert_int_equal(of_end(BP_STAGE_compile, cause, SIGSEGV, false), BP_VERDICT_INFRA);
    }
}

static void denials_name_the_call(void **state)
{
    struct bp_child_end end = {.cause = BP_CHILD_DENIED, .candidate_ran = true};
    struct bp_outcome outcome;
    (void)state;
    end.denial.call = SYS_openat;
    end.denial.arch = 0xc000003e; /* AUDIT_ARCH_X86_64 */
    bp_outcome_of_end(BP_STAGE_run, &end, 1000, &outcome);
    assert_int_equal(outcome.verdict, BP_VERDICT_POLICY);
    assert_non_null(strstr(outcome.message, "openat"));
}

static enum bp_verdict of_failure(enum bp_stage stage, enum bp_verdict claim, bool candidate_ran)
{
    struct bp_msg_failure failure = {.verdict = claim, .message = "claim"};
    struct bp_outcome outcome;
    bp_outcome_of_failure(stage, &failure, candidate_ran, &outcome);
    return outcome.verdict;
}

/* Invariant 1: no candidate-reachable process can produce a verdict in its favour. */
static void claims_are_limited_by_stage(void **state)
{
    (void)state;
    for (int claim = 0; claim < BP_VERDICT_COUNT; claim++) {
        enum bp_verdict verdict = (enum bp_verdict)claim;
        for (int ran = 0; ran < 2; ran++) {
            assert_int_not_equal(of_failure(BP_STAGE_run, verdict, ran), BP_VERDICT_PASS);
            assert_int_not_equal(of_failure(BP_STAGE_compile, verdict, ran), BP_VERDICT_PASS);
            assert_int_not_equal(of_failure(BP_STAGE_time, verdict, ran), BP_VERDICT_PASS);
        }
    }
    assert_int_equal(of_failure(BP_STAGE_run, BP_VERDICT_INFRA, true), BP_VERDICT_PROTOCOL);
    assert_int_equal(of_failure(BP_STAGE_run, BP_VERDICT_INFRA, false), BP_VERDICT_INFRA);
    assert_int_equal(of_failure(BP_STAGE_run, BP_VERDICT_WRONG_RESULT, true), BP_VERDICT_PROTOCOL);
    assert_int_equal(of_failure(BP_STAGE_run, BP_VERDICT_RESOURCE_LIMIT, true),
                     BP_VERDICT_RESOURCE_LIMIT);
    struct bp_outcome outcome;
    bp_outcome_of_claim(BP_STAGE_run, BP_VERDICT_PASS, "", &outcome);
    assert_int_equal(outcome.verdict, BP_VERDICT_PROTOCOL);
    bp_outcome_of_claim(BP_STAGE_compile, BP_VERDICT_COMPILE_ERROR, "", &outcome);
    assert_int_equal(outcome.verdict, BP_VERDICT_COMPILE_ERROR);
    bp_outcome_of_claim(BP_STAGE_judge, BP_VERDICT_COMPILE_ERROR, "", &outcome);
    assert_int_equal(outcome.verdict, BP_VERDICT_INFRA);
}

/* A gate objects or does not; its PASS only lets the run begin. */
static void gates_object_or_not(void **state)
{
    static const enum bp_verdict allowed[] = {BP_VERDICT_PASS, BP_VERDICT_RACE, BP_VERDICT_CRASH};
    struct bp_outcome outcome;
    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        bp_outcome_of_claim(BP_STAGE_gate, allowed[i], "", &outcome);
        assert_int_equal(outcome.verdict, allowed[i]);
    }
    for (int claim = 0; claim < BP_VERDICT_COUNT; claim++) {
        bool is_allowed =
            claim == BP_VERDICT_PASS || claim == BP_VERDICT_RACE || claim == BP_VERDICT_CRASH;
        bp_outcome_of_claim(BP_STAGE_gate, (uint32_t)claim, "", &outcome);
        assert_true(is_allowed || outcome.verdict == BP_VERDICT_PROTOCOL);
    }
}

/* What a candidate says is shown on terminals. */
static void messages_cannot_steer_a_terminal(void **state)
{
    static const struct {
        const char *said, *shown;
    } cases[] = {
        {"\033[2J\033]0;owned\007", "?[2J?]0;owned?"},
        {"line\nevaluation 7: PASS\r", "line?evaluation 7: PASS?"},
        {"\302\233"
         "2J",
         "??2J"}, /* U+009B, CSI in one character */
        {"\233"
         "2J",
         "?2J"},
        {"\342\200\256nuf", "???nuf"}, /* U+202E */
        {"\177", "?"},
        {"µ and é – ≤", "µ and é – ≤"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bp_outcome outcome;
        struct bp_msg_failure failure = {.verdict = BP_VERDICT_CRASH};
        snprintf(failure.message, sizeof failure.message, "%s", cases[i].said);
        bp_outcome_of_failure(BP_STAGE_run, &failure, true, &outcome);
        assert_string_equal(outcome.message, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_become_verdicts),
        cmocka_unit_test(a_kill_is_the_candidates_only_for_want_of_memory),
        cmocka_unit_test(trusted_stages_never_blame_the_candidate),
        cmocka_unit_test(before_its_request_a_compile_child_blames_nobody),
        cmocka_unit_test(denials_name_the_call),
        cmocka_unit_test(claims_are_limited_by_stage),
        cmocka_unit_test(gates_object_or_not),
        cmocka_unit_test(messages_cannot_steer_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
