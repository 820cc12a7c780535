/* Power failures between a write and its sync, and logs cut anywhere: what opens is a prefix of what
 * was recorded, of whole evaluations, with everything in it that was reported as recorded. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/unit/store/crash_vfs.h"
#include "tests/unit/store/sample.h"

#define SEED 20260
#define EVALUATIONS 420 /* enough for the log to be emptied into the database more than once */
#define FAILURES 200

static void record_one(struct bp_store *store, uint32_t number)
{
    struct bp_error err;
    struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
    must(bp_store_attach(store, "match", "{}", &err), &err);
    must(bp_store_evaluation(store, e, &err), &err);
    must(bp_store_flush(store, &err), &err);
    bp_evaluation_free(e);
}

static int expect_next(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    uint32_t *count = context;
    (void)err;
    assert_int_equal(recorded->number, ++*count);
    assert_int_equal(recorded->event, 2 * recorded->number);
    return 0;
}

/* What a reader without the lock finds in the files of a dead process. */
static uint32_t read_and_count(const char *dir)
{
    struct bp_error err;
    struct bp_store *store = NULL;
    uint32_t count = 0;
    must(bp_store_read(dir, &store, &err), &err);
    must(bp_store_load_evaluations(store, expect_next, &count, &err), &err);
    must(bp_store_close(store, &err), &err);
    return count;
}

/* Opens what the failure left, as a resumed run does; returns how many evaluations are there. */
static uint32_t open_and_count(const char *dir, uint32_t *session)
{
    struct bp_error err;
    struct bp_store *store = NULL;
    uint32_t count = 0;
    must(bp_store_open(dir, &store, &err), &err);
    must(bp_store_load_evaluations(store, expect_next, &count, &err), &err);
    for (uint32_t i = 0; i < 3 && i < count; i++) {
        struct bp_evaluation *e;
        must(bp_store_load_evaluation(store, count - i, &e, &err), &err);
        assert_int_equal(e->attempt_count, SAMPLE_ATTEMPTS);
        assert_int_equal(e->timing_count, SAMPLE_TIMINGS);
        assert_int_equal(e->case_count, SAMPLE_CASES);
        bp_evaluation_free(e);
    }
    must(bp_store_begin_session(store, session, &err), &err);
    record_one(store, count + 1); /* and it goes on */
    must(bp_store_close(store, &err), &err);
    char *check = sample_text(dir, "PRAGMA integrity_check");
    assert_string_equal(check, "ok");
    free(check);
    return count;
}

static void power_failures(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_key key;
    struct bp_random random;
    struct bp_store *store;
    bp_key_from_seed(SEED, &key);
    bp_random_start(&random, &key);
    crash_vfs_install();
    must(bp_store_create(dir, SEED, &store, &err), &err);
    size_t first = crash_vfs_moments();
    for (uint32_t number = 1; number <= EVALUATIONS; number++) {
        record_one(store, number);
        crash_vfs_mark(number);
    }
    must(bp_store_close(store, &err), &err);
    size_t last = crash_vfs_moments();
    print_message("seed %d: %zu writes, syncs and truncations\n", SEED, last - first);
    uint32_t unreported = 0;
    for (uint32_t i = 0; i < FAILURES; i++) {
        uint32_t session = 0;
        BP_AUTO_FREE char *copy = strdup(sample_path(dir, "copy"));
        size_t moment = first + bp_random_below(&random, last - first + 1);
        assert_int_equal(mkdir(copy, 0755), 0);
        uint32_t reported = crash_vfs_fail(moment, dir, copy, &random);
        uint32_t found = open_and_count(copy, &session);
        if (found < reported || found > reported + 1)
            fail_msg("failure %u at moment %zu: %u of %u reported", i, moment, found, reported);
        assert_int_equal(session, 1);
        unreported += found > reported;
        unlink(sample_path(copy, "run.db"));
        unlink(sample_path(copy, "run.lock"));
        assert_int_equal(rmdir(copy), 0);
    }
    print_message("%d failures; in %u of them the evaluation under way was there too\n", FAILURES,
                  unreported);
    crash_vfs_forget();
}

static void copy_file(const char *from, const char *to, off_t cut, bool garbage)
{
    char buffer[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    ssize_t got;
    off_t at = 0;
    while ((got = read(in, buffer, sizeof buffer)) > 0) {
        ssize_t keep = at + got > cut ? (cut > at ? (ssize_t)(cut - at) : 0) : got;
        if (garbage)
            memset(buffer + keep, 0x5a, (size_t)(got - keep));
        ssize_t bytes = garbage ? got : keep;
        assert_int_equal(write(out, buffer, (size_t)bytes), bytes);
        at += got;
    }
    close(in);
    close(out);
}

static off_t size_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* Before the log is emptied for the first time its end says exactly what must be there. */
static void a_log_cut_anywhere(void **state)
{
    enum { COUNT = 40, CUTS = 60 };
    const char *dir = *state;
    struct bp_error err;
    struct bp_key key;
    struct bp_random random;
    struct bp_store *store;
    off_t ends[COUNT + 1];
    bp_key_from_seed(SEED + 1, &key);
    bp_random_start(&random, &key);
    must(bp_store_create(dir, SEED, &store, &err), &err);
    record_one(store, 1);
    ends[0] = 0;
    ends[1] = size_of(sample_path(dir, "run.db-wal"));
    for (uint32_t number = 2; number <= COUNT; number++) {
        record_one(store, number);
        ends[number] = size_of(sample_path(dir, "run.db-wal"));
    }
    BP_AUTO_FREE char *database = strdup(sample_path(dir, "run.db"));
    BP_AUTO_FREE char *log = strdup(sample_path(dir, "run.db-wal"));
    BP_AUTO_FREE char *copy = strdup(sample_path(dir, "copy"));
    for (uint32_t i = 0; i < CUTS; i++) {
        off_t cut =
            ends[1] + (off_t)bp_random_below(&random, (uint64_t)(ends[COUNT] - ends[1] + 1));
        uint32_t expected = COUNT, session = 0;
        while (ends[expected] > cut)
            expected--;
        assert_int_equal(mkdir(copy, 0755), 0);
        /* Closing these descriptors drops SQLite's locks on the original, which nobody else wants. */
        copy_file(database, sample_path(copy, "run.db"), INT64_MAX, false);
        copy_file(log, sample_path(copy, "run.db-wal"), cut, i % 2);
        assert_int_equal(read_and_count(copy), expected);
        assert_int_equal(open_and_count(copy, &session), expected);
        unlink(sample_path(copy, "run.db"));
        unlink(sample_path(copy, "run.lock"));
        assert_int_equal(rmdir(copy), 0);
    }
    must(bp_store_close(store, &err), &err);
    print_message("seed %d: %d cuts\n", SEED + 1, CUTS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    setenv("TMPDIR", "/dev/shm", 0); /* thousands of syncs, whose speed is not the question */
    const struct CMUnitTest tests[] = {
        TEST(a_log_cut_anywhere),
        TEST(power_failures),
    };
    return cmocka_run_group_tests_name("store/power", tests, NULL, NULL);
}
