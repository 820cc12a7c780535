/* A record opened again: what was written comes back, and is gone on with. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/unit/store/sample.h"

static struct bp_store *reopen(const char *dir)
{
    struct bp_store *store = NULL;
    struct bp_error err;
    if (bp_store_open(dir, &store, &err) < 0)
        fail_msg("%s", err.msg);
    return store;
}

static void finish(struct bp_store *store)
{
    struct bp_error err;
    must(bp_store_close(store, &err), &err);
}

static void key_seed_and_sessions_come_back(void **state)
{
    const char *dir = *state;
    struct bp_key first, second;
    struct bp_error err;
    uint32_t session = 0;
    struct bp_store *store = sample_create(dir, 77);
    bp_store_run_key(store, &first);
    must(bp_store_begin_session(store, &session, &err), &err);
    assert_int_equal(session, 1);
    finish(store);
    for (uint32_t start = 2; start <= 3; start++) {
        store = reopen(dir);
        bp_store_run_key(store, &second);
        assert_memory_equal(&first, &second, sizeof first);
        assert_int_equal(bp_store_seed(store), 77);
        must(bp_store_begin_session(store, &session, &err), &err);
        assert_int_equal(session, start);
        /* Durable when the call returns. */
        assert_int_equal(sample_integer(dir, "SELECT value FROM meta WHERE name='sessions'"),
                         start);
        finish(store);
    }
}

static void texts_are_fixed(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    char text[64];
    struct bp_store *store = sample_create(dir, 77);
    assert_int_equal(bp_store_text(store, "config_hash", text, sizeof text, &err), 0);
    must(bp_store_set_text(store, "config_hash", "abc", &err), &err);
    must(bp_store_set_text(store, "parallel", "2", &err), &err);
    assert_int_equal(bp_store_set_text(store, "parallel", "3", &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    assert_int_equal(bp_store_set_text(store, "run_key", "known", &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    finish(store);
    store = reopen(dir);
    assert_int_equal(bp_store_text(store, "config_hash", text, sizeof text, &err), 1);
    assert_string_equal(text, "abc");
    assert_int_equal(bp_store_text(store, "parallel", text, sizeof text, &err), 1);
    assert_string_equal(text, "2");
    assert_int_equal(bp_store_text(store, "config_hash", text, 3, &err), -1);
    assert_int_equal(err.code, BP_ERR_LIMIT);
    finish(store);
}

static void assert_same_lists(const struct bp_evaluation *a, const struct bp_evaluation *b)
{
    assert_int_equal(a->attempt_count, b->attempt_count);
    for (uint32_t i = 0; i < a->attempt_count; i++) {
        assert_int_equal(a->attempts[i].outcome, b->attempts[i].outcome);
        assert_int_equal(a->attempts[i].stage, b->attempts[i].stage);
        assert_string_equal(a->attempts[i].message, b->attempts[i].message);
        assert_true(a->attempts[i].duration_ms == b->attempts[i].duration_ms);
    }
    assert_int_equal(a->timing_count, b->timing_count);
    assert_memory_equal(a->timings, b->timings, a->timing_count * sizeof *a->timings);
    assert_int_equal(a->plan_count, b->plan_count);
    assert_memory_equal(a->plans, b->plans, a->plan_count * sizeof *a->plans);
    assert_int_equal(a->case_count, b->case_count);
    assert_memory_equal(a->cases, b->cases, a->case_count * sizeof *a->cases);
    assert_int_equal(a->unseen.count, b->unseen.count);
    for (uint32_t i = 0; i < a->unseen.count; i++) {
        const struct bp_unseen_shape *one = &a->unseen.shapes[i], *other = &b->unseen.shapes[i];
        assert_string_equal(one->shape, other->shape);
        assert_string_equal(one->message, other->message);
        assert_int_equal(one->verdict, other->verdict);
        assert_int_equal(one->stage, other->stage);
        assert_int_equal(one->rows, other->rows);
        assert_true(one->max_ratio == other->max_ratio);
    }
    assert_int_equal(a->counted, b->counted);
    assert_memory_equal(&a->counters, &b->counters, sizeof a->counters);
    assert_int_equal(a->knob_count, b->knob_count);
    for (uint32_t i = 0; i < a->knob_count; i++) {
        assert_string_equal(a->knobs[i].name, b->knobs[i].name);
        assert_string_equal(a->knobs[i].value, b->knobs[i].value);
    }
}

static void assert_same(const struct bp_evaluation *a, const struct bp_evaluation *b)
{
#define SAME_TEXT(field) assert_string_equal(a->field, b->field)
#define SAME_VALUE(field) assert_true(a->field == b->field)
    SAME_TEXT(strategy), SAME_TEXT(kernel_name), SAME_TEXT(source_hash), SAME_TEXT(object_hash);
    SAME_TEXT(device_name), SAME_TEXT(device_kind), SAME_TEXT(device_arch);
    SAME_TEXT(device_driver), SAME_TEXT(suite), SAME_TEXT(sandbox), SAME_TEXT(message);
    SAME_TEXT(diagnostics);
    SAME_VALUE(number), SAME_VALUE(origin), SAME_VALUE(parent), SAME_VALUE(dtype);
    SAME_VALUE(verdict), SAME_VALUE(stage), SAME_VALUE(has_score), SAME_VALUE(score);
    SAME_VALUE(duplicate), SAME_VALUE(duplicate_of), SAME_VALUE(promoted);
    SAME_VALUE(finished_wall_ms), SAME_VALUE(source_bytes);
    assert_memory_equal(&a->duration, &b->duration, sizeof a->duration);
    assert_memory_equal(&a->safety, &b->safety, sizeof a->safety);
    assert_memory_equal(&a->profile, &b->profile, sizeof a->profile);
    assert_memory_equal(a->source, b->source, a->source_bytes + 1);
    assert_same_lists(a, b);
}

static void whole_evaluations_come_back(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_evaluation *loaded;
    struct bp_store *store = sample_create(dir, 77);
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_PASS);
    e->promoted = true;
    e->source[3] = '\0'; /* a refused source may hold anything */
    e->plans[0].workspace_bytes = UINT64_MAX;
    e->gate = (struct bp_gate_note){.gates = 3, .shapes = 5, .compile_ms = 7.5, .run_ms = 0.5};
    must(bp_store_evaluation(store, e, &err), &err);
    /* The same candidate in other bytes: each evaluation keeps the ones it was given. */
    struct bp_evaluation *twin = sample_evaluation(2, BP_VERDICT_CRASH);
    strcpy(twin->source_hash, e->source_hash);
    strcpy(twin->source, "/* kernel \"x\" */");
    twin->source_bytes = strlen(twin->source);
    must(bp_store_evaluation(store, twin, &err), &err);
    finish(store);
    store = reopen(dir);
    must(bp_store_load_evaluation(store, 1, &loaded, &err), &err);
    assert_same(e, loaded);
    bp_evaluation_free(loaded);
    must(bp_store_load_evaluation(store, 2, &loaded, &err), &err);
    assert_same(twin, loaded);
    bp_evaluation_free(loaded);
    assert_int_equal(bp_store_load_evaluation(store, 3, &loaded, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, "no evaluation 3"));
    finish(store);
    bp_evaluation_free(e);
    bp_evaluation_free(twin);
}

static void what_is_not_known_stays_unknown(void **state)
{
    struct bp_error err;
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_INVALID_SOURCE), *loaded;
    struct bp_store *store = sample_create(*state, 77);
    e->has_score = false;
    e->score = 0;
    e->cases[0].max_ratio = NAN;
    e->object_hash[0] = e->strategy[0] = '\0';
    free(e->diagnostics);
    e->diagnostics = NULL;
    must(bp_store_evaluation(store, e, &err), &err);
    must(bp_store_flush(store, &err), &err);
    must(bp_store_load_evaluation(store, 1, &loaded, &err), &err);
    assert_false(loaded->has_score);
    assert_true(isnan(loaded->cases[0].max_ratio));
    assert_null(loaded->diagnostics);
    assert_string_equal(loaded->object_hash, "");
    assert_string_equal(loaded->strategy, "");
    bp_evaluation_free(loaded);
    bp_evaluation_free(e);
    finish(store);
}

struct walk {
    uint32_t numbers[8], count, most;
    int64_t event;
    struct bp_recorded last;
    char text[400];
};

static int note_recorded(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    struct walk *walk = context;
    (void)err;
    walk->numbers[walk->count++] = recorded->number;
    walk->last = *recorded;
    snprintf(walk->text, sizeof walk->text, "%s %s %s %s=%s %s=%s", recorded->strategy,
             recorded->source_hash, recorded->object_hash, recorded->knobs[0].name,
             recorded->knobs[0].value, recorded->knobs[1].name, recorded->knobs[1].value);
    return walk->count == walk->most;
}

static void order_is_that_of_recording(void **state)
{
    struct bp_error err;
    struct bp_store *store = sample_create(*state, 77);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    sample_record(store, sample_evaluation(3, BP_VERDICT_PASS)); /* answered at once */
    struct bp_evaluation *e = sample_evaluation(2, BP_VERDICT_CRASH);
    e->duplicate = true;
    e->duplicate_of = 1;
    e->promoted = true;
    sample_record(store, e);
    finish(store);
    must(bp_store_read(*state, &store, &err), &err);
    struct walk walk = {0}, ended = {.most = 2};
    must(bp_store_load_evaluations(store, note_recorded, &walk, &err), &err);
    assert_int_equal(walk.count, 3);
    assert_int_equal(walk.numbers[0], 1);
    assert_int_equal(walk.numbers[1], 3);
    assert_int_equal(walk.numbers[2], 2);
    assert_string_equal(walk.text, "local source2 object2 BM=64 PATH=wide");
    assert_int_equal(walk.last.event, 3);
    assert_int_equal(walk.last.verdict, BP_VERDICT_CRASH);
    assert_int_equal(walk.last.stage, BP_STAGE_run);
    assert_int_equal(walk.last.origin, BP_ORIGIN_SEARCH);
    assert_int_equal(walk.last.parent, 1);
    assert_true(walk.last.has_score && walk.last.score == 0);
    assert_true(walk.last.duplicate && walk.last.promoted);
    assert_int_equal(walk.last.duplicate_of, 1);
    assert_int_equal(walk.last.safety.memory_violations, 3);
    assert_int_equal(walk.last.safety.retries, 2);
    assert_true(walk.last.total_ms == 21);
    must(bp_store_load_evaluations(store, note_recorded, &ended, &err), &err);
    assert_int_equal(ended.count, 2);
    finish(store);
}

struct script {
    char text[600];
    int fail_at, seen;
};

static int note_event(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    struct script *script = context;
    size_t used = strlen(script->text);
    snprintf(script->text + used, sizeof script->text - used, "%d%s%s ", (int)event->number,
             event->kind, strcmp(event->kind, "evaluation") == 0 ? "" : event->json);
    if (++script->seen == script->fail_at)
        return bp_fail(err, BP_ERR_STATE, "enough");
    return 0;
}

static void events_go_on_counting(void **state)
{
    struct bp_error err;
    struct bp_store *store = sample_create(*state, 77);
    must(bp_store_event(store, "run", "{\"session\":1}", &err), &err);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    finish(store);
    store = reopen(*state);
    must(bp_store_event(store, "run", "{\"session\":2}", &err), &err);
    sample_record(store, sample_evaluation(2, BP_VERDICT_PASS));
    must(bp_store_flush(store, &err), &err);
    struct script all = {0}, runs = {0}, rest = {0}, failed = {.fail_at = 2};
    must(bp_store_load_events(store, NULL, 1, note_event, &all, &err), &err);
    assert_string_equal(all.text,
                        "1run{\"session\":1} 2evaluation 3run{\"session\":2} 4evaluation ");
    must(bp_store_load_events(store, "run", 1, note_event, &runs, &err), &err);
    assert_string_equal(runs.text, "1run{\"session\":1} 3run{\"session\":2} ");
    must(bp_store_load_events(store, NULL, 4, note_event, &rest, &err), &err);
    assert_string_equal(rest.text, "4evaluation ");
    assert_int_equal(bp_store_load_events(store, NULL, 1, note_event, &failed, &err), -1);
    assert_string_equal(err.msg, "enough");
    finish(store);
}

/* However fast the writer is: an attached event is in the evaluation's transaction. A rollback of
 * that shows it. */
static void attached_events_share_the_transaction(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 77);
    must(bp_store_attach(store, "match", "{\"challenger\":1}", &err), &err);
    must(bp_store_event(store, "batch", "{}", &err), &err);
    must(bp_store_flush(store, &err), &err);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event"), 1);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    must(bp_store_flush(store, &err), &err);
    struct script script = {0};
    must(bp_store_load_events(store, NULL, 1, note_event, &script, &err), &err);
    assert_string_equal(script.text, "1batch{} 2match{\"challenger\":1} 3evaluation ");
    must(bp_store_attach(store, "match", "{\"challenger\":2}", &err), &err);
    must(bp_store_flush(store, &err), &err);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS)); /* that number is taken: fails */
    assert_int_equal(bp_store_flush(store, &err), -1);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event"), 3);
    assert_int_equal(bp_store_close(store, &err), -1);
    store = reopen(dir);
    must(bp_store_attach(store, "match", "{}", &err), &err); /* nothing follows */
    finish(store);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event"), 3);
}

static void reading_beside_a_live_run(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 77), *reader;
    struct walk walk = {0}, again = {0};
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    must(bp_store_flush(store, &err), &err);
    must(bp_store_read(dir, &reader, &err), &err);
    must(bp_store_load_evaluations(reader, note_recorded, &walk, &err), &err);
    assert_int_equal(walk.count, 1);
    sample_record(store, sample_evaluation(2, BP_VERDICT_PASS));
    must(bp_store_flush(store, &err), &err);
    must(bp_store_load_evaluations(reader, note_recorded, &again, &err), &err);
    assert_int_equal(again.count, 2);
    assert_int_equal(bp_store_event(reader, "x", "{}", &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    assert_int_equal(bp_store_attach(reader, "x", "{}", &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    uint32_t session;
    assert_int_equal(bp_store_begin_session(reader, &session, &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    finish(reader);
    /* The writer is not disturbed by a reader's end. */
    sample_record(store, sample_evaluation(3, BP_VERDICT_PASS));
    finish(store);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM evaluation"), 3);
}

/* An archive: the directory may not be written, and no log is left in it. In a child, because root
 * may write anywhere. */
static void reading_an_archive(void **state)
{
    const char *dir = *state;
    int status;
    struct bp_store *store = sample_create(dir, 77);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    finish(store);
    assert_int_not_equal(access(sample_path(dir, "run.db-wal"), F_OK), 0);
    assert_int_equal(chmod(sample_path(dir, "run.db"), 0644), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        struct bp_error err = {0};
        struct walk walk = {0};
        if ((geteuid() == 0 && setuid(65534) < 0) || bp_store_read(dir, &store, &err) < 0 ||
            bp_store_load_evaluations(store, note_recorded, &walk, &err) < 0)
            fprintf(stderr, "%s\n", err.msg);
        _exit(walk.count == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(dir, 0755), 0);
}

static void a_second_process_cannot_go_on(void **state)
{
    const char *dir = *state;
    int status;
    finish(sample_create(dir, 77));
    int ready[2], go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        struct bp_store *store;
        struct bp_error err;
        char byte;
        close(go[1]);
        if (bp_store_open(dir, &store, &err) < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        _exit(read(go[0], &byte, 1) == 0 && bp_store_close(store, &err) == 0 ? 0 : 1);
    }
    char byte, expected[64];
    struct bp_store *store = NULL;
    struct bp_error err;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(bp_store_open(dir, &store, &err), -1);
    snprintf(expected, sizeof expected, "another bulletproof (pid %ld) is using", (long)child);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, expected));
    close(go[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    finish(reopen(dir));
    close(go[0]), close(ready[0]), close(ready[1]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key_seed_and_sessions_come_back),
        TEST(texts_are_fixed),
        TEST(whole_evaluations_come_back),
        TEST(what_is_not_known_stays_unknown),
        TEST(order_is_that_of_recording),
        TEST(events_go_on_counting),
        TEST(attached_events_share_the_transaction),
        TEST(reading_beside_a_live_run),
        TEST(reading_an_archive),
        TEST(a_second_process_cannot_go_on),
    };
    return cmocka_run_group_tests_name("store/load", tests, NULL, NULL);
}
