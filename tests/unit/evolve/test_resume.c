/* A run's state, rebuilt from its record, is the state that the record was written from. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/evolve/resume.h"
#include "harness/evolve/standings.h"
#include "harness/store/demotion.h"
#include "harness/store/run_state.h"
#include "tests/unit/store/sample.h"

#define SHAPES 2

static struct bp_config config = {
    .budget = {.evaluations = 80},
    .head.space = {.knob_count = 2,
                   .knobs = {{.name = "A", .value_count = 3, .values = {1, 2, 4}},
                             {.name = "B", .value_count = 2, .values = {10, 20}}}},
};

static void init(struct bp_run *run, const char *dir)
{
    memset(run, 0, sizeof *run);
    run->config = &config;
    run->eager.object_fd = run->baseline.object_fd = run->champion.object_fd = -1;
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    snprintf(run->recorder.dir, sizeof run->recorder.dir, "%s", dir);
    bp_ledger_init(&run->ledger, &config.head.space);
    bp_progress_start(&run->progress);
}

static void close_run(struct bp_run *run)
{
    struct bp_error err;
    if (run->recorder.store)
        assert_int_equal(bp_store_close(run->recorder.store, &err), 0);
    bp_run_drop(&run->eager);
    bp_run_drop(&run->baseline);
    bp_run_drop(&run->champion);
    bp_ledger_free(&run->ledger);
}

static struct bp_evaluation *evaluation_of(uint32_t number, enum bp_verdict verdict, double score,
                                           const struct bp_point *point)
{
    struct bp_evaluation *evaluation = sample_evaluation(number, verdict);
    static const enum bp_origin origins[] = {BP_ORIGIN_EAGER, BP_ORIGIN_BASELINE, BP_ORIGIN_SEARCH};
    evaluation->origin = origins[number < 3 ? number - 1 : 2];
    evaluation->has_score = number > 1;
    evaluation->score = score;
    evaluation->duplicate = false;
    evaluation->promoted = number == 2;
    snprintf(evaluation->source_hash, sizeof evaluation->source_hash, "%064x", number);
    evaluation->knob_count = point ? config.head.space.knob_count : 0;
    for (uint32_t i = 0; i < evaluation->knob_count; i++) {
        struct bp_define *knob = &evaluation->knobs[i];
        snprintf(knob->name, sizeof knob->name, "%s", config.head.space.knobs[i].name);
        snprintf(knob->value, sizeof knob->value, "%ld",
                 (long)bp_space_value(&config.head.space, point, i));
    }
    return evaluation;
}

static void record(struct bp_run *run, struct bp_evaluation *evaluation,
                   const struct bp_point *point)
{
    struct bp_recorded recorded;
    struct bp_error err;
    bp_evaluation_short(evaluation, &recorded);
    assert_int_equal(bp_ledger_add(&run->ledger, &recorded, point, &err), 0);
    assert_int_equal(bp_store_evaluation(run->recorder.store, evaluation, &err), 0);
    bp_evaluation_free(evaluation);
}

static void event(struct bp_run *run, const char *kind, json_t *json)
{
    struct bp_error err;
    assert_int_equal(bp_run_event(run, kind, json, &err), 0);
}

static void decide(struct bp_run *run, const struct bp_point *points, uint32_t count)
{
    struct bp_batch batch = {.count = count};
    for (uint32_t i = 0; i < count; i++)
        batch.members[i] = (struct bp_proposed){
            .decision = run->decision++, .number = run->ledger.count + 1 + i, .point = points[i]};
    event(run, "batch", bp_batch_json(&batch, &config.head.space));
}

/* A match that `challenger`, the next evaluation, wins or does not. */
static void play(struct bp_run *run, struct bp_evaluation *challenger, double log_ratio)
{
    struct bp_error err;
    struct bp_duel duel = {.challenger = challenger->number,
                           .incumbent = run->ledger.champion_number,
                           .result = {.rounds = 7,
                                      .log_ratio = {log_ratio, log_ratio - 0.01, log_ratio + 0.01},
                                      .median_ms = {{0.1, 0.7}, {0.3, 1.0 / 7}}}};
    challenger->score = bp_ladder_match(&run->ladder, &duel.result, SHAPES, &duel.promoted);
    challenger->promoted = duel.promoted;
    duel.ladder = run->ladder;
    assert_int_equal(bp_run_attach(run, "match", bp_duel_json(&duel, SHAPES), &err), 0);
}

static void start(struct bp_run *run, uint32_t session)
{
    event(run, "run",
          json_pack("{s:i, s:i, s:f}", "session", (int)session, "evaluations", 60 + (int)session,
                    "seconds", 2.5));
}

/* Two evaluations, then a batch of three of which the second wins a match. */
static void record_run(struct bp_run *run)
{
    static const struct bp_point points[] = {{{0, 0}}, {{1, 0}}, {{2, 1}}, {{0, 1}}};
    start(run, 1);
    record(run, evaluation_of(1, BP_VERDICT_PASS, 0, NULL), NULL);
    struct bp_evaluation *baseline = evaluation_of(2, BP_VERDICT_PASS, 1, &points[0]);
    double geomean_ms = bp_standings_geomean_ms(baseline);
    record(run, baseline, &points[0]);
    bp_ladder_start(&run->ladder, geomean_ms);
    decide(run, &points[1], 3);
    record(run, evaluation_of(3, BP_VERDICT_CRASH, 0, &points[1]), &points[1]);
    struct bp_evaluation *winner = evaluation_of(4, BP_VERDICT_PASS, 0, &points[2]);
    play(run, winner, 0.123456789);
    record(run, winner, &points[2]);
    struct bp_evaluation *loser = evaluation_of(5, BP_VERDICT_PASS, 0, &points[3]);
    play(run, loser, -0.02);
    record(run, loser, &points[3]);
}

/* Number 6 plays champion 4, which fails; then, before it is recorded, the one before that. */
static void record_fall(struct bp_run *run, double log_ratio)
{
    static const struct bp_point point = {{1, 1}};
    struct bp_error err;
    struct bp_duel duel = {
        .challenger = 6,
        .incumbent = 4,
        .ladder = run->ladder,
        .result = {.outcome = {.verdict = BP_VERDICT_CRASH, .message = "it fell"},
                   .failed_side = BP_RING_B}};
    decide(run, &point, 1);
    assert_int_equal(bp_store_flush(run->recorder.store, &err), 0);
    struct bp_evaluation *challenger = evaluation_of(6, BP_VERDICT_PASS, 1.1, &point);
    assert_int_equal(bp_run_attach(run, "match", bp_duel_json(&duel, SHAPES), &err), 0);
    bp_run_drop(&run->champion);
    assert_int_equal(
        bp_store_load_evaluation(run->recorder.store, 4, &run->champion.evaluation, &err), 0);
    assert_int_equal(bp_run_demote(run, &duel.result.outcome, BP_STAGE_time, bp_run_attach, &err),
                     0);
    assert_int_equal(run->champion.evaluation->number, 2);
    assert_true(run->ladder.level == 1);
    play(run, challenger, log_ratio);
    record(run, challenger, &point);
}

static void create(struct bp_run *run, const char *dir)
{
    struct bp_error err;
    init(run, dir);
    assert_int_equal(bp_store_create(dir, 5, &run->recorder.store, &err), 0);
}

/* Closes `before`'s store and rebuilds its state as `after`. */
static int reopen(struct bp_run *before, struct bp_run *after, struct bp_resumed *resumed,
                  struct bp_error *err)
{
    assert_int_equal(bp_store_close(before->recorder.store, err), 0);
    before->recorder.store = NULL;
    init(after, before->dir);
    assert_int_equal(bp_store_open(before->dir, &after->recorder.store, err), 0);
    return bp_resume(after, resumed, err);
}

static void check_same_ledger(const struct bp_ledger *a, const struct bp_ledger *b)
{
    const struct bp_history *one_view = &a->history, *other_view = &b->history;
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->champion_number, b->champion_number);
    assert_memory_equal(&a->champion_score, &b->champion_score, sizeof a->champion_score);
    assert_memory_equal(a->verdicts, b->verdicts, sizeof a->verdicts);
    assert_int_equal(a->duplicates, b->duplicates);
    assert_memory_equal(&a->safety, &b->safety, sizeof a->safety);
    assert_int_equal(one_view->count, other_view->count);
    assert_int_equal(one_view->champion, other_view->champion);
    for (uint32_t i = 0; i < one_view->count; i++) {
        const struct bp_observation *one = &one_view->observations[i];
        const struct bp_observation *other = &other_view->observations[i];
        assert_memory_equal(&one->point, &other->point, sizeof one->point);
        assert_int_equal(one->evaluation, other->evaluation);
        assert_int_equal(one->verdict, other->verdict);
        assert_memory_equal(&one->score, &other->score, sizeof one->score);
    }
    for (uint32_t number = 1; number <= a->count; number++) {
        char hash[BP_HASH_TEXT];
        snprintf(hash, sizeof hash, "%064x", number);
        const struct bp_ledger_row *one = bp_ledger_find_source(a, hash);
        const struct bp_ledger_row *other = bp_ledger_find_source(b, hash);
        assert_int_equal(one == NULL, other == NULL);
        assert_true(!one || (one->number == other->number && one->verdict == other->verdict &&
                             one->score == other->score));
    }
}

static void the_state_is_what_it_was(void **state)
{
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    bp_progress_resume(&before.progress, 100);
    event(&before, "end", json_pack("{s:s, s:b}", "status", "interrupted", "exhausted", 0));
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    check_same_ledger(&before.ledger, &after.ledger);
    assert_memory_equal(&before.ladder, &after.ladder, sizeof after.ladder);
    assert_true(after.ladder.level > 1.13);
    assert_int_equal(after.decision, before.decision);
    assert_int_equal(after.ledger.champion_number, 4);
    assert_int_equal(after.champion.evaluation->number, 4);
    assert_int_equal(after.baseline.evaluation->number, 2);
    assert_int_equal(after.eager.evaluation->number, 1);
    assert_false(resumed.has_pending);
    assert_false(resumed.finished);
    assert_false(after.compared);
    assert_int_equal(resumed.evaluations, 61);
    assert_true(resumed.seconds == 2.5);
    assert_true(resumed.elapsed_s >= 100 && resumed.elapsed_s < 160);
    close_run(&before);
    close_run(&after);
}

static void a_fallen_champion_stays_down(void **state)
{
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    record_fall(&before, -0.05);
    assert_int_equal(before.ledger.champion_number, 2);
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    check_same_ledger(&before.ledger, &after.ledger);
    assert_memory_equal(&before.ladder, &after.ladder, sizeof after.ladder);
    assert_int_equal(after.champion.evaluation->number, 2);
    close_run(&before);
    close_run(&after);
}

static void who_comes_after_a_fall_is_champion(void **state)
{
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_run_state seen;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    record_fall(&before, 0.2);
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    check_same_ledger(&before.ledger, &after.ledger);
    assert_memory_equal(&before.ladder, &after.ladder, sizeof after.ladder);
    assert_int_equal(after.champion.evaluation->number, 6);
    assert_int_equal(bp_run_state_read(*state, &seen, &err), 0);
    assert_int_equal(seen.best_number, 6);
    close_run(&before);
    close_run(&after);
}

static void a_fall_of_nobody_is_refused(void **state)
{
    static const uint32_t nobody[] = {0, 2, 3, 5, 99};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        char dir[300];
        struct bp_demotion demotion = {.evaluation = nobody[i],
                                       .verdict = BP_VERDICT_CRASH,
                                       .since = 6,
                                       .champion = 2,
                                       .score = 1};
        struct bp_run before, after;
        struct bp_resumed resumed;
        struct bp_error err;
        snprintf(dir, sizeof dir, "%s/%zu", (const char *)*state, i);
        assert_int_equal(mkdir(dir, 0700), 0);
        create(&before, dir);
        record_run(&before);
        event(&before, "demoted", bp_demotion_json(&demotion));
        assert_int_equal(reopen(&before, &after, &resumed, &err), -1);
        assert_int_equal(err.code, BP_ERR_UNAVAILABLE);
        close_run(&before);
        close_run(&after);
    }
}

static void a_batch_cut_short_is_pending(void **state)
{
    static const struct bp_point points[] = {{{1, 1}}, {{2, 0}}};
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    decide(&before, points, 2);
    record(&before, evaluation_of(6, BP_VERDICT_PASS, 0.5, &points[0]), &points[0]);
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    check_same_ledger(&before.ledger, &after.ledger);
    assert_true(resumed.has_pending);
    assert_int_equal(resumed.pending.count, 2);
    assert_int_equal(resumed.pending.members[1].number, 7);
    assert_memory_equal(&resumed.pending.members[1].point, &points[1], sizeof points[1]);
    assert_int_equal(after.decision, 5);
    close_run(&before);
    close_run(&after);
}

static void a_final_comparison_holds_for_its_champion_only(void **state)
{
    struct bp_duel final = {.challenger = 4,
                            .incumbent = 2,
                            .result = {.rounds = 30,
                                       .log_ratio = {0.1, 0.05, 0.15},
                                       .median_ms = {{0.1, 0.2}, {0.3, 0.4}}}};
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    event(&before, "final", bp_duel_json(&final, SHAPES));
    event(&before, "end", json_pack("{s:s, s:b}", "status", "finished", "exhausted", 1));
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    assert_true(resumed.finished);
    assert_true(after.exhausted);
    assert_true(after.compared);
    assert_memory_equal(&after.final.log_ratio, &final.result.log_ratio,
                        sizeof final.result.log_ratio);
    close_run(&before);

    static const struct bp_point better = {{1, 1}};
    start(&after, 2);
    decide(&after, &better, 1);
    struct bp_evaluation *winner = evaluation_of(6, BP_VERDICT_PASS, 0, &better);
    play(&after, winner, 0.2);
    record(&after, winner, &better);
    assert_int_equal(reopen(&after, &before, &resumed, &err), 0);
    assert_false(resumed.finished);
    assert_false(before.compared);
    assert_int_equal(resumed.evaluations, 62);
    assert_int_equal(before.champion.evaluation->number, 6);
    close_run(&before);
    close_run(&after);
}

static void a_run_of_which_nothing_is_evaluated_begins(void **state)
{
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    assert_int_equal(reopen(&before, &after, &resumed, &err), 0);
    assert_int_equal(after.ledger.count, 0);
    assert_null(after.champion.evaluation);
    assert_int_equal(resumed.evaluations, 80);
    assert_false(resumed.has_pending || resumed.finished);
    close_run(&before);
    close_run(&after);
}

static void a_record_with_a_hole_is_refused(void **state)
{
    static const struct bp_point point = {{1, 1}};
    struct bp_run before, after;
    struct bp_resumed resumed;
    struct bp_error err;
    create(&before, *state);
    record_run(&before);
    record(&before, evaluation_of(7, BP_VERDICT_PASS, 0.5, &point), &point);
    assert_int_equal(reopen(&before, &after, &resumed, &err), -1);
    assert_int_equal(err.code, BP_ERR_UNAVAILABLE);
    close_run(&before);
    close_run(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_state_is_what_it_was, sample_setup, sample_teardown),
        cmocka_unit_test_setup_teardown(a_fallen_champion_stays_down, sample_setup,
                                        sample_teardown),
        cmocka_unit_test_setup_teardown(who_comes_after_a_fall_is_champion, sample_setup,
                                        sample_teardown),
        cmocka_unit_test_setup_teardown(a_fall_of_nobody_is_refused, sample_setup, sample_teardown),
        cmocka_unit_test_setup_teardown(a_batch_cut_short_is_pending, sample_setup,
                                        sample_teardown),
        cmocka_unit_test_setup_teardown(a_final_comparison_holds_for_its_champion_only,
                                        sample_setup, sample_teardown),
        cmocka_unit_test_setup_teardown(a_run_of_which_nothing_is_evaluated_begins, sample_setup,
                                        sample_teardown),
        cmocka_unit_test_setup_teardown(a_record_with_a_hole_is_refused, sample_setup,
                                        sample_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
