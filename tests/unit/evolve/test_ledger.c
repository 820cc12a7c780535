/* The ledger: champion, duplicates, provisional observations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/evolve/ledger.h"

static struct bp_space space = {.knob_count = 1,
                                .knobs = {{.name = "A", .value_count = 3, .values = {1, 2, 3}}}};

/* The SHA-256 of "KIND-NUMBER", in storage of its own for the next few calls. */
static const char *hash_of(const char *kind, uint32_t number)
{
    static char hashes[4][BP_HASH_TEXT];
    static unsigned next;
    char text[32], *hash = hashes[next++ % 4];
    int length = snprintf(text, sizeof text, "%s-%u", kind, number);
    bp_hash_text(text, (size_t)length, hash);
    return hash;
}

static void book(struct bp_ledger *ledger, const struct bp_recorded *recorded,
                 const struct bp_point *point)
{
    struct bp_error err;
    if (bp_ledger_add(ledger, recorded, point, &err) < 0)
        fail_msg("%s", err.msg);
}

static void add(struct bp_ledger *ledger, uint32_t number, enum bp_verdict verdict, double score,
                const struct bp_point *point, bool promoted)
{
    book(ledger,
         &(struct bp_recorded){
             .number = number,
             .verdict = verdict,
             .score = score,
             .has_score = point || number > 1, /* number 1 without a point: the eager kernel */
             .promoted = promoted,
             .source_hash = hash_of("source", number),
             .object_hash = verdict == BP_VERDICT_COMPILE_ERROR ? "" : hash_of("object", number),
         },
         point);
}

static void champion_is_the_last_promoted(void **state)
{
    struct bp_ledger ledger;
    const struct bp_history *view = &ledger.history;
    const struct bp_point points[3] = {{{0}}, {{1}}, {{2}}};
    (void)state;
    bp_ledger_init(&ledger, &space);
    assert_int_equal(view->champion, UINT32_MAX);
    add(&ledger, 1, BP_VERDICT_PASS, 0, NULL, false); /* eager: no point of the space */
    add(&ledger, 2, BP_VERDICT_PASS, 1, &points[0], true);
    add(&ledger, 3, BP_VERDICT_PASS, 1.5, &points[1], false); /* faster on paper, not promoted */
    assert_int_equal(view->count, 2);
    assert_int_equal(view->observations[view->champion].evaluation, 2);
    add(&ledger, 4, BP_VERDICT_PASS, 1.2, &points[2], true);
    assert_int_equal(view->observations[view->champion].evaluation, 4);
    assert_int_equal(ledger.champion_number, 4);
    assert_true(ledger.champion_score == 1.2);
    assert_int_equal(ledger.verdicts[BP_VERDICT_PASS], 4);
    bp_ledger_free(&ledger);
}

/* The one before it is champion, and what is the same as it has failed too. */
static void a_champion_can_fall(void **state)
{
    struct bp_ledger ledger;
    const struct bp_history *view = &ledger.history;
    const struct bp_point points[] = {{{0}}, {{1}}, {{2}}};
    (void)state;
    bp_ledger_init(&ledger, &space);
    add(&ledger, 1, BP_VERDICT_PASS, 0, NULL, false);
    add(&ledger, 2, BP_VERDICT_PASS, 1, &points[0], true);
    add(&ledger, 3, BP_VERDICT_PASS, 1.2, &points[1], true);
    add(&ledger, 4, BP_VERDICT_PASS, 1.5, &points[2], true);
    book(&ledger,
         &(struct bp_recorded){.number = 5,
                               .verdict = BP_VERDICT_PASS,
                               .score = 1.5,
                               .has_score = true,
                               .duplicate = true,
                               .source_hash = hash_of("source", 5),
                               .object_hash = hash_of("object", 4)},
         &points[2]);
    bp_ledger_demote(&ledger, 4, BP_VERDICT_CRASH);
    assert_int_equal(ledger.champion_number, 3);
    assert_true(ledger.champion_score == 1.2);
    assert_int_equal(view->observations[view->champion].evaluation, 3);
    assert_int_equal(view->best_count, 2);
    assert_int_equal(view->observations[view->best[0]].evaluation, 3);
    assert_int_equal(view->observations[view->best[1]].evaluation, 2);
    assert_int_equal(bp_ledger_find_source(&ledger, hash_of("source", 5))->verdict,
                     BP_VERDICT_CRASH);
    assert_int_equal(bp_ledger_find_object(&ledger, hash_of("object", 4))->verdict,
                     BP_VERDICT_CRASH);
    assert_true(bp_ledger_find_object(&ledger, hash_of("object", 4))->score == 0);
    bp_ledger_demote(&ledger, 3, BP_VERDICT_TAMPER);
    assert_int_equal(ledger.champion_number, 2);
    assert_int_equal(view->observations[view->champion].evaluation, 2);
    add(&ledger, 6, BP_VERDICT_PASS, 1.1, &points[1], true);
    assert_int_equal(ledger.champion_number, 6);
    bp_ledger_free(&ledger);
}

static void identities_are_found(void **state)
{
    struct bp_ledger ledger;
    (void)state;
    bp_ledger_init(&ledger, &space);
    for (uint32_t i = 1; i <= 200; i++)
        add(&ledger, i, i % 5 ? BP_VERDICT_PASS : BP_VERDICT_COMPILE_ERROR, 1, NULL, false);
    assert_int_equal(bp_ledger_find_source(&ledger, hash_of("source", 137))->number, 137);
    assert_int_equal(bp_ledger_find_object(&ledger, hash_of("object", 199))->number, 199);
    assert_null(bp_ledger_find_object(&ledger, hash_of("object", 5))); /* it has no object */
    assert_null(bp_ledger_find_source(&ledger, hash_of("source", 202)));
    /* The eager kernel has no score to answer with, and a failure of ours says nothing. */
    assert_null(bp_ledger_find_source(&ledger, hash_of("source", 1)));
    assert_null(bp_ledger_find_object(&ledger, hash_of("object", 1)));
    add(&ledger, 201, BP_VERDICT_INFRA, 0, NULL, false);
    assert_null(bp_ledger_find_source(&ledger, hash_of("source", 201)));
    /* Candidates without an object are not each other's duplicates. */
    assert_null(bp_ledger_find_object(&ledger, ""));
    bp_ledger_free(&ledger);
}

static void a_harness_failure_is_nobodys_duplicate(void **state)
{
    struct bp_ledger ledger;
    (void)state;
    bp_ledger_init(&ledger, &space);
    add(&ledger, 1, BP_VERDICT_INFRA, 0, NULL, false);
    assert_null(bp_ledger_find_source(&ledger, hash_of("source", 1)));
    assert_null(bp_ledger_find_object(&ledger, hash_of("object", 1)));
    /* The same candidate, evaluated after all. */
    book(&ledger,
         &(struct bp_recorded){.number = 2,
                               .verdict = BP_VERDICT_WRONG_RESULT,
                               .has_score = true,
                               .source_hash = hash_of("source", 1),
                               .object_hash = hash_of("object", 1)},
         NULL);
    assert_int_equal(bp_ledger_find_source(&ledger, hash_of("source", 1))->number, 2);
    assert_int_equal(bp_ledger_find_object(&ledger, hash_of("object", 1))->number, 2);
    bp_ledger_free(&ledger);
}

static void expectations_are_forgotten(void **state)
{
    struct bp_ledger ledger;
    const struct bp_history *view = &ledger.history;
    struct bp_error err;
    const struct bp_point point = {{1}};
    (void)state;
    bp_ledger_init(&ledger, &space);
    add(&ledger, 1, BP_VERDICT_PASS, 1, &point, true);
    assert_int_equal(bp_ledger_expect(&ledger, &point, &err), 0);
    assert_int_equal(view->count, 2);
    bp_ledger_settle(&ledger, 1);
    assert_int_equal(view->count, 1);
    bp_ledger_free(&ledger);
}

/* However many there are, and whatever the order: the first lasting one of each hash. */
static void the_first_of_many_is_found(void **state)
{
    enum { COUNT = 20000, KINDS = 7000 };
    struct bp_ledger ledger;
    char text[BP_HASH_TEXT];
    (void)state;
    bp_ledger_init(&ledger, &space);
    assert_null(bp_ledger_find_source(&ledger, hash_of("source", 1)));
    for (uint32_t i = 1; i <= COUNT; i++)
        book(&ledger,
             &(struct bp_recorded){.number = i,
                                   .has_score = i % 3 != 0,
                                   .source_hash = hash_of("source", i % KINDS),
                                   .object_hash = "not a hash"},
             NULL);
    for (uint32_t kind = 1; kind < KINDS; kind++) {
        uint32_t first = kind;
        while (first % 3 == 0)
            first += KINDS;
        const struct bp_ledger_row *row = bp_ledger_find_source(&ledger, hash_of("source", kind));
        assert_int_equal(row->number, first);
        bp_ledger_source_hash(row, text);
        assert_string_equal(text, hash_of("source", kind));
    }
    assert_null(bp_ledger_find_object(&ledger, "not a hash"));
    bp_ledger_free(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(champion_is_the_last_promoted),
        cmocka_unit_test(a_champion_can_fall),
        cmocka_unit_test(identities_are_found),
        cmocka_unit_test(a_harness_failure_is_nobodys_duplicate),
        cmocka_unit_test(the_first_of_many_is_found),
        cmocka_unit_test(expectations_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
