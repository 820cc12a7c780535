/* Events of batches and matches: what is written is what is read, bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/evolve/decisions.h"

static struct bp_space space = {.knob_count = 2,
                                .knobs = {{.name = "A", .value_count = 3, .values = {1, 20, -3}},
                                          {.name = "B", .value_count = 2, .values = {7, 8}}}};

static char *text_of(json_t *json)
{
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static void a_batch_comes_back(void **state)
{
    struct bp_batch batch = {.count = 3}, again;
    struct bp_error err;
    (void)state;
    batch.members[0] =
        (struct bp_proposed){.decision = 40, .number = 12, .parent = 3, .point = {{2, 1}}};
    batch.members[1] = (struct bp_proposed){.decision = 41,
                                            .number = 13,
                                            .point = {{0, 0}},
                                            .answered = true,
                                            .verdict = BP_VERDICT_CRASH,
                                            .duplicate_of = 7};
    batch.members[2] = (struct bp_proposed){.decision = 42,
                                            .number = 14,
                                            .point = {{1, 0}},
                                            .answered = true,
                                            .verdict = BP_VERDICT_INVALID_CONFIG};
    char *text = text_of(bp_batch_json(&batch, &space));
    memset(&again, 0xff, sizeof again);
    assert_int_equal(bp_batch_parse(text, &space, &again, &err), 0);
    assert_int_equal(again.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct bp_proposed *a = &batch.members[i], *b = &again.members[i];
        assert_int_equal(a->decision, b->decision);
        assert_int_equal(a->number, b->number);
        assert_int_equal(a->parent, b->parent);
        assert_memory_equal(&a->point, &b->point, sizeof a->point);
        assert_int_equal(a->answered, b->answered);
        assert_int_equal(a->verdict, b->verdict);
        assert_int_equal(a->duplicate_of, b->duplicate_of);
    }
    free(text);
}

static void a_batch_that_does_not_fit_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"proposals\":[]}",
        "{\"proposals\":[{\"decision\":0,\"number\":3,\"knobs\":{\"C\":1},\"parent\":0,"
        "\"answer\":null}]}",
        "{\"proposals\":[{\"decision\":0,\"number\":3,\"knobs\":{\"A\":2},\"parent\":0,"
        "\"answer\":null}]}",
        "{\"proposals\":[{\"decision\":0,\"number\":3,\"knobs\":{\"A\":\"1\"},\"parent\":0,"
        "\"answer\":null}]}",
        "{\"proposals\":[{\"decision\":0,\"number\":3,\"knobs\":{},\"parent\":0,"
        "\"answer\":{\"verdict\":\"FINE\",\"duplicate_of\":1}}]}",
        "{\"proposals\":[{\"decision\":0,\"number\":3,\"knobs\":{},\"parent\":0,\"answer\":null},"
        "{\"decision\":1,\"number\":5,\"knobs\":{},\"parent\":0,\"answer\":null}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bp_batch batch;
        struct bp_error err;
        assert_int_equal(bp_batch_parse(texts[i], &space, &batch, &err), -1);
        assert_int_equal(err.code, BP_ERR_USAGE);
    }
}

static void the_reals_of_a_match_keep_every_bit(void **state)
{
    struct bp_error err;
    struct bp_duel again;
    struct bp_duel duel = {.challenger = 9,
                           .incumbent = 2,
                           .promoted = true,
                           .result = {.rounds = 11,
                                      .log_ratio = {0.1, -DBL_MIN, nextafter(1, 2)},
                                      .median_ms = {{1.0 / 3, 5e-324}, {M_PI, 1e300}}},
                           .ladder = {.level = exp(0.3), .baseline_ms = 0.7 / 3}};
    (void)state;
    char *text = text_of(bp_duel_json(&duel, 2));
    assert_int_equal(bp_duel_parse(text, &again, &err), 0);
    assert_int_equal(again.challenger, 9);
    assert_int_equal(again.incumbent, 2);
    assert_true(again.promoted);
    assert_int_equal(again.result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(again.result.rounds, 11);
    assert_memory_equal(&again.result.log_ratio, &duel.result.log_ratio,
                        sizeof duel.result.log_ratio);
    assert_memory_equal(again.result.median_ms, duel.result.median_ms,
                        sizeof duel.result.median_ms);
    assert_memory_equal(&again.ladder, &duel.ladder, sizeof duel.ladder);
    free(text);
}

static void a_match_that_failed_says_who_and_why(void **state)
{
    struct bp_error err;
    struct bp_duel again;
    struct bp_duel duel = {.challenger = 9,
                           .incumbent = 2,
                           .result = {.outcome = {BP_VERDICT_RUN_TIMEOUT, "no answer \"\xff\""},
                                      .failed_side = BP_RING_B,
                                      .log_ratio = {NAN, -INFINITY, INFINITY}}};
    (void)state;
    char *text = text_of(bp_duel_json(&duel, 2));
    assert_int_equal(bp_duel_parse(text, &again, &err), 0);
    assert_int_equal(again.result.outcome.verdict, BP_VERDICT_RUN_TIMEOUT);
    assert_string_equal(again.result.outcome.message, "no answer \"?\"");
    assert_int_equal(again.result.failed_side, BP_RING_B);
    assert_false(again.promoted);
    free(text);
    assert_int_equal(bp_duel_parse("{\"challenger\":1}", &again, &err), -1);
    assert_int_equal(bp_duel_parse("nonsense", &again, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back),
        cmocka_unit_test(a_batch_that_does_not_fit_is_refused),
        cmocka_unit_test(the_reals_of_a_match_keep_every_bit),
        cmocka_unit_test(a_match_that_failed_says_who_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
