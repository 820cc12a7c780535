/* run.db as the store writes it, read back by SQLite alone. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness/store/connection.h"
#include "tests/unit/store/sample.h"

static void expect(const char *dir, const char *sql, const char *text)
{
    char *found = sample_text(dir, sql);
    assert_string_equal(found, text);
    free(found);
}

static void evaluation_round_trip(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, UINT64_MAX);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    sample_record(store, sample_evaluation(2, BP_VERDICT_CRASH));
    must(bp_store_flush(store, &err), &err);

    expect(dir, "PRAGMA journal_mode", "wal");
    expect(dir, "PRAGMA user_version", "4");
    expect(dir, "SELECT value FROM meta WHERE name='seed'", "18446744073709551615");
    expect(dir,
           "SELECT number||' '||origin||' '||strategy||' '||ifnull(parent,'-')||' '||verdict||' '||"
           "stage||' '||score||' '||duplicate||' '||ifnull(duplicate_of,'-') FROM evaluation"
           " WHERE number=1",
           "1 search local - PASS time 1.001 0 -");
    expect(dir, "SELECT parent||' '||verdict||' '||score FROM evaluation WHERE number=2",
           "1 CRASH 0.0");
    expect(dir,
           "SELECT device_name||','||device_kind||','||device_arch||','||device_driver||','||suite"
           "||','||sandbox||','||diagnostics FROM evaluation WHERE number=1",
           "Some CPU,cpu,x86-64-v3,clang 14,quick,no_new_privs,seccomp,warning: unused");
    expect(dir,
           "SELECT prepare_ms||' '||compile_ms||' '||run_ms||' '||judge_ms||' '||time_ms||' '||"
           "overhead_ms||' '||total_ms||' '||finished_wall_ms FROM evaluation WHERE number=1",
           "1.0 2.0 3.0 4.0 5.0 6.0 21.0 1700000000000");
    expect(dir,
           "SELECT memory_violations||' '||total_errors||' '||retries||' '||safety_score"
           " FROM evaluation WHERE number=2",
           "3 3 2 0.0");
    expect(dir, "SELECT json_extract(plan,'$[0].launches[1].block') FROM evaluation LIMIT 1",
           "[32,1,1]");
    expect(dir, "SELECT knobs||kernel||dtype||object_hash FROM candidate WHERE first_evaluation=1",
           "{\"BM\":64,\"PATH\":\"wide\"}cpu_flashbf16object1");
    expect(dir, "SELECT count(*)||' '||text FROM source", "1 " SAMPLE_SOURCE);
    expect(dir,
           "SELECT outcome||' '||stage||' '||message||' '||duration_ms FROM attempt"
           " WHERE evaluation=2 AND ordinal=1",
           "CRASH run attempt 1 11.5");
    expect(dir,
           "SELECT shape||' '||median_ms||' '||ci_low_ms||' '||ci_high_ms||' '||gflops||' '||"
           "gflops_full||' '||gbps||' '||batches||' '||calls_per_batch FROM timing"
           " WHERE evaluation=1 AND ordinal=0",
           "shape_0 8.36 8.3 8.4 70.0 131.6 12.5 7 3");
    expect(dir,
           "SELECT shape||' '||family||' '||verdict||' '||max_ratio||' '||rms_ratio||' '||pooled"
           "||' '||alpha||' '||rows FROM correctness WHERE evaluation=1 AND ordinal=1",
           "shape_1 shift PASS 0.25 0.125 0.0 1.0 512");
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM correctness"), 2 * SAMPLE_CASES);
    must(bp_store_close(store, &err), &err);
}

static void events_keep_their_order(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 1);
    must(bp_store_event(store, "start", "{\"a\":1}", &err), &err);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    must(bp_store_event(store, "promote", "{\"number\":1}", &err), &err);
    must(bp_store_close(store, &err), &err);
    expect(dir, "SELECT group_concat(number||kind) FROM (SELECT * FROM event ORDER BY number)",
           "1start,2evaluation,3promote");
    expect(dir, "SELECT json FROM event WHERE number=2",
           "{\"number\":1,\"verdict\":\"PASS\",\"duplicate\":false}");
    assert_true(sample_integer(dir, "SELECT min(wall_ms) FROM event") > 1600000000000);
}

static void events_cannot_be_changed(void **state)
{
    static const char *const attempts[] = {
        "UPDATE event SET kind='other' WHERE number=1",
        "DELETE FROM event WHERE number=1",
        "INSERT OR REPLACE INTO event VALUES(1,0,'other','{}')",
        "REPLACE INTO event VALUES(1,0,'other','{}')",
        "INSERT INTO event VALUES(1,0,'x','{}') ON CONFLICT DO UPDATE SET kind='other'",
    };
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 1);
    must(bp_store_event(store, "start", "{}", &err), &err);
    must(bp_store_close(store, &err), &err);
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        char *message = sample_execute(dir, attempts[i]);
        assert_non_null(message);
        assert_string_equal(message, "event is append-only");
        sqlite3_free(message);
    }
    expect(dir, "SELECT count(*)||kind FROM event", "1start");
}

static void candidate_gets_its_object_later(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 1);
    for (uint32_t number = 1; number <= 3; number++) {
        struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
        strcpy(e->source_hash, "same");
        e->object_hash[0] = '\0';
        if (number == 2)
            strcpy(e->object_hash, "object");
        e->duplicate = number == 3;
        e->duplicate_of = 2;
        sample_record(store, e);
    }
    must(bp_store_close(store, &err), &err);
    expect(dir, "SELECT count(*)||object_hash||first_evaluation FROM candidate", "1object1");
    expect(dir, "SELECT group_concat(ifnull(duplicate_of,'-')) FROM evaluation", "-,-,2");
}

static void nan_and_null_bytes_are_kept_out_and_in(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = sample_create(dir, 1);
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_INVALID_SOURCE);
    e->source[3] = '\0';
    e->cases[0].max_ratio = __builtin_nan("");
    e->has_score = false;
    strcpy(e->message, "bytes \xff\xfe");
    sample_record(store, e);
    must(bp_store_close(store, &err), &err);
    assert_int_equal(sample_integer(dir, "SELECT length(text) FROM source"), strlen(SAMPLE_SOURCE));
    expect(dir, "SELECT max_ratio FROM correctness WHERE ordinal=0", "NULL");
    expect(dir, "SELECT score FROM evaluation", "NULL");
    expect(dir, "PRAGMA integrity_check", "ok");
}

static void file_is_private_and_key_is_kept(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_key key, zero = {{0}};
    struct stat info;
    struct bp_store *store = sample_create(dir, 1);
    static const char *const files[] = {"run.db", "run.db-wal", "run.db-shm"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(sample_path(dir, files[i]), &info), 0);
        assert_int_equal(info.st_mode & 07777, 0600);
    }
    bp_store_run_key(store, &key);
    assert_memory_not_equal(&key, &zero, sizeof key);
    must(bp_store_close(store, &err), &err);
    char hex[2 * BP_KEY_BYTES + 1];
    for (int i = 0; i < BP_KEY_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02X", key.bytes[i]);
    expect(dir, "SELECT hex(value) FROM meta WHERE name='run_key'", hex);
}

static void existing_record_is_refused(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    must(bp_store_close(sample_create(dir, 1), &err), &err);
    int64_t created = sample_integer(dir, "SELECT value FROM meta WHERE name='created_wall_ms'");
    struct bp_store *second = NULL;
    assert_int_equal(bp_store_create(dir, 2, &second, &err), -1);
    assert_null(second);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db exists already")));
    assert_int_equal(sample_integer(dir, "SELECT value FROM meta WHERE name='created_wall_ms'"),
                     created);
}

static void second_process_is_refused(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    char expected[4200];
    int answer[2], status;
    assert_int_equal(pipe(answer), 0);
    snprintf(expected, sizeof expected, "another bulletproof (pid %ld) is using %s", (long)getpid(),
             dir);
    int go[2];
    assert_int_equal(pipe(go), 0);
    pid_t child = fork(); /* before this process has a second thread */
    if (child == 0) {
        char byte;
        struct bp_store *store;
        close(go[1]); /* so that it ends with this test if the test fails before */
        struct bp_error refusal = {0};
        if (read(go[0], &byte, 1) != 1 || bp_store_create(dir, 1, &store, &refusal) == 0)
            _exit(1);
        _exit(write(answer[1], &refusal, sizeof refusal) == sizeof refusal ? 0 : 1);
    }
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(read(answer[0], &err, sizeof err), sizeof err);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_string_equal(err.msg, expected);
    must(bp_store_close(store, &err), &err);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(answer[i]);
    }
}

static void nonsense_is_refused_at_once(void **state)
{
    struct bp_error err;
    struct bp_store *store = sample_create(*state, 1);
    assert_int_equal(bp_store_event(store, "x", "{", &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    assert_int_equal(bp_store_event(store, "x", "[1]", &err), -1);
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_PASS);
    e->number = 0;
    assert_int_equal(bp_store_evaluation(store, e, &err), -1);
    assert_int_equal(err.code, BP_ERR_STATE);
    bp_evaluation_free(e);
    must(bp_store_close(store, &err), &err);
    assert_int_equal(sample_integer(*state, "SELECT count(*) FROM event"), 0);
}

/* A second evaluation of the same number would overwrite a verdict; nothing of it may stay. */
static void number_twice_is_a_failure(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = sample_create(dir, 1);
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    struct bp_evaluation *again = sample_evaluation(1, BP_VERDICT_CRASH);
    strcpy(again->source_hash, "another");
    sample_record(store, again);
    assert_int_equal(bp_store_flush(store, &err), -1);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db: UNIQUE constraint failed")));
    assert_int_equal(bp_store_event(store, "later", "{}", &err), -1);
    assert_int_equal(bp_store_close(store, &err), -1);
    expect(dir, "SELECT group_concat(verdict) FROM evaluation", "PASS");
    expect(dir, "SELECT group_concat(source_hash) FROM candidate", "source1");
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event"), 1);
}

struct probe {
    const char *dir;
    int64_t seen;
    sigset_t mask;
    pthread_t thread;
    int result, released;
};

static int run_probe(void *context, struct bp_error *err)
{
    struct probe *probe = context;
    probe->seen = sample_integer(probe->dir, "SELECT count(*) FROM evaluation");
    probe->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &probe->mask);
    return probe->result < 0 ? bp_fail(err, BP_ERR_UNAVAILABLE, "no paper") : 0;
}

static void release_probe(void *context)
{
    ((struct probe *)context)->released++;
}

static void jobs_follow_commits(void **state)
{
    struct bp_error err;
    struct probe first = {.dir = *state}, last = {.dir = *state, .result = -1};
    struct bp_store *store = sample_create(*state, 1);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM));
    sample_record(store, sample_evaluation(1, BP_VERDICT_PASS));
    must(bp_store_run(store, (struct bp_store_job){run_probe, release_probe, &first}, &err), &err);
    sample_record(store, sample_evaluation(2, BP_VERDICT_PASS));
    must(bp_store_flush(store, &err), &err);
    assert_int_equal(first.seen, 1);
    assert_int_equal(first.released, 1);
    assert_false(pthread_equal(first.thread, pthread_self()));
    static const int signals[] = {SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGXFSZ};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        assert_true(sigismember(&first.mask, signals[i]));

    must(bp_store_run(store, (struct bp_store_job){run_probe, release_probe, &last}, &err), &err);
    assert_int_equal(bp_store_flush(store, &err), -1);
    assert_string_equal(err.msg, "no paper");
    struct probe never = {.dir = *state, .seen = -1};
    assert_int_equal(
        bp_store_run(store, (struct bp_store_job){run_probe, release_probe, &never}, &err), -1);
    assert_int_equal(never.released, 1);
    assert_int_equal(never.seen, -1);
    assert_int_equal(bp_store_close(store, &err), -1);
    assert_int_equal(last.released, 1);
}

/* Another process holds the database: calls return at once, the bound is kept, and what was
 * accepted is written when the lock goes. */
static void full_queue_does_not_block(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = sample_create(dir, 1);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(sample_path(dir, "run.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_PASS);
    free(e->source);
    e->source_bytes = (size_t)6 << 20;
    e->source = calloc(1, e->source_bytes + 1);
    assert_non_null(e->source);
    uint32_t accepted = 0;
    uint64_t start = bp_clock_ns();
    while (accepted < 100 && bp_store_evaluation(store, e, &err) == 0) {
        accepted++;
        e->number++;
        snprintf(e->source_hash, sizeof e->source_hash, "source%u", e->number);
    }
    /* Who waited would do so until the lock is given up for. */
    assert_true(bp_ns_to_ms(bp_clock_ns() - start) < 0.9 * BP_DATABASE_BUSY_MS);
    bp_evaluation_free(e);
    assert_int_equal(err.code, BP_ERR_LIMIT);
    assert_int_equal(accepted, 10);
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    must(bp_store_close(store, &err), &err);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM evaluation"), accepted);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints what one commit costs here, and that queuing costs nearly nothing of it. */
static void commit_latency(void **state)
{
    enum { COUNT = 60 };
    double queue_ms[COUNT], commit_ms[COUNT];
    struct bp_error err;
    struct bp_store *store = sample_create(*state, 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct bp_evaluation *e = sample_evaluation(i + 1, BP_VERDICT_PASS);
        uint64_t start = bp_clock_ns();
        must(bp_store_evaluation(store, e, &err), &err);
        queue_ms[i] = bp_ns_to_ms(bp_clock_ns() - start);
        must(bp_store_flush(store, &err), &err);
        commit_ms[i] = bp_ns_to_ms(bp_clock_ns() - start);
        bp_evaluation_free(e);
    }
    must(bp_store_close(store, &err), &err);
    qsort(queue_ms, COUNT, sizeof *queue_ms, by_value);
    qsort(commit_ms, COUNT, sizeof *commit_ms, by_value);
    print_message("one evaluation: queued in %.3f ms (largest %.3f), committed in %.3f ms (largest "
                  "%.3f)\n",
                  queue_ms[COUNT / 2], queue_ms[COUNT - 1], commit_ms[COUNT / 2],
                  commit_ms[COUNT - 1]);
    assert_true(queue_ms[COUNT / 2] < 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evaluation_round_trip),
        TEST(events_keep_their_order),
        TEST(events_cannot_be_changed),
        TEST(candidate_gets_its_object_later),
        TEST(nan_and_null_bytes_are_kept_out_and_in),
        TEST(file_is_private_and_key_is_kept),
        TEST(existing_record_is_refused),
        TEST(second_process_is_refused),
        TEST(nonsense_is_refused_at_once),
        TEST(number_twice_is_a_failure),
        TEST(jobs_follow_commits),
        TEST(full_queue_does_not_block),
        TEST(commit_latency),
    };
    return cmocka_run_group_tests_name("store/record", tests, NULL, NULL);
}
