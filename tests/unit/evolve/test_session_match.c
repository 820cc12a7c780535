/* Matches of a session with real children: what is played again, whose failure it is, and what is left to
 * see it by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/evolve/session_lab.h"

static uint32_t chances = 1; /* of the challenger */

static void play(const char *moods, const struct bp_candidate *a, const struct bp_candidate *b,
                 struct bp_match_result *result)
{
    struct bp_match_rules rules = {.rounds = 4, .chances = {chances, 2}};
    struct bp_error err;
    lab_moods("run", moods);
    lab_session->matches = 0;
    assert_int_equal(bp_session_match(lab_session, a, b, &rules, result, &err), 0);
    printf("%u plays, %s %s\n", (unsigned)lab_session->matches,
           bp_verdict_name(result->outcome.verdict), result->outcome.message);
}

/* A candidate whose calls crash, with the timings of one that passed. */
static void make_crashing(const struct bp_candidate *good, struct bp_candidate *bad)
{
    static char source[] = "#include \"gqa.h\"\n"
                           "GQA_KERNEL void gqa_plan(gqa_shape s, gqa_launch_plan *plan)\n"
                           "{ (void)s; gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0); }\n"
                           "GQA_KERNEL void gqa_kernel0(gqa_shape, const gqa_t *, const gqa_t *,\n"
                           "                            const gqa_t *, gqa_t *, void *)\n"
                           "{ *(volatile int *)nullptr = 1; }\n";
    char *text = lab_config->source;
    size_t bytes = lab_config->source_bytes;
    struct bp_error err;
    lab_config->source = source;
    lab_config->source_bytes = sizeof source - 1;
    int result = lab_evaluate(bad, &err);
    lab_config->source = text;
    lab_config->source_bytes = bytes;
    assert_int_equal(result, 0);
    assert_int_equal(bad->evaluation->verdict, BP_VERDICT_CRASH);
    assert_int_equal(bad->evaluation->attempt_count, 1);
    bad->evaluation->timing_count = good->evaluation->timing_count;
    memcpy(bad->evaluation->timings, good->evaluation->timings, sizeof bad->evaluation->timings);
}

static void matches_are_played_again(void **state)
{
    struct bp_candidate good, bad;
    struct bp_match_result result;
    (void)state;
    LAB_EXPECT(&good, BP_VERDICT_PASS);
    make_crashing(&good, &bad);
    play("", &good, &good, &result);
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(lab_session->matches, 1);
    play("x", &good, &good, &result); /* ours, whichever side it is */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(lab_session->matches, 2);
    play("f", &good, &good, &result); /* perhaps the device's */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(lab_session->matches, 2);
    play("", &bad, &good, &result); /* the challenger's own */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(lab_session->matches, 1);
    chances = 2; /* as the champion has them in the final comparison */
    play("", &bad, &good, &result);
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(lab_session->matches, 2);
    chances = 1;
    lab_config->retry.attempts = 1; /* however few there are */
    play("", &good, &bad, &result); /* the incumbent's, twice */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_B);
    assert_int_equal(lab_session->matches, 2);
    play("l", &good, &good, &result); /* once, of whoever takes it: an end, or a second chance */
    bool was_incumbent = result.outcome.verdict == BP_VERDICT_PASS;
    assert_int_equal(lab_session->matches, was_incumbent ? 2 : 1);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(lab_session->slots.list[0].health.state, BP_HEALTH_healthy);
    lab_drop(&good);
    lab_drop(&bad);
}

/* Of the last play, in which it failed. */
static void check_match_evidence(const struct bp_candidate *candidate)
{
    const struct bp_evidence *evidence = candidate->evaluation->evidence;
    assert_non_null(evidence);
    assert_true(evidence->in_match);
    assert_int_equal(evidence->match.matches + 1, lab_session->matches);
    assert_string_equal(evidence->cause, "exited");
    assert_true(evidence->position.evaluation >= 1);
    assert_memory_equal(&evidence->position.key, &evidence->match.key, sizeof evidence->match.key);
    assert_true(evidence->object_fd >= 0);
    assert_true(evidence->compile_command[0] != '\0');
}

static void either_side_leaves_evidence(void **state)
{
    struct bp_candidate good, bad;
    struct bp_match_result result;
    struct bp_error err;
    (void)state;
    LAB_EXPECT(&good, BP_VERDICT_PASS);
    make_crashing(&good, &bad);
    play("", &bad, &good, &result);
    check_match_evidence(&bad);
    assert_false(good.evaluation->evidence->in_match);
    play("", &good, &bad, &result);
    assert_int_equal(result.failed_side, BP_RING_B);
    check_match_evidence(&bad);
    bp_evidence_free(bad.evaluation->evidence); /* as of one that was loaded from a record */
    bad.evaluation->evidence = NULL;
    bp_close_fd(&bad.object_fd);
    assert_int_equal(bp_session_compile(lab_session, &bad, &err), 0);
    assert_false(bad.evaluation->evidence->in_match);
    play("", &good, &bad, &result);
    check_match_evidence(&bad);
    assert_false(good.evaluation->evidence->in_match);
    lab_drop(&good);
    lab_drop(&bad);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, lab_reset)
    const struct CMUnitTest tests[] = {
        TEST(matches_are_played_again),
        TEST(either_side_leaves_evidence),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
