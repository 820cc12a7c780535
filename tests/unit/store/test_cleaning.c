/* Which run directories go; that only such do, and never one in use. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/store/cleaning.h"
#include "tests/unit/store/sample.h"

#define DAY_MS INT64_C(86400000)
enum { RUNS = 5 };

/* Runs of 1, 2, … days ago; the second is in use, the last was named. */
static struct bp_found_runs some_runs(struct bp_found_run runs[RUNS])
{
    memset(runs, 0, RUNS * sizeof *runs);
    for (int i = 0; i < RUNS; i++)
        runs[i].changed_ms = (100 - (i + 1)) * DAY_MS;
    runs[1].pid = 42;
    runs[4].named = true;
    return (struct bp_found_runs){.runs = runs, .count = RUNS};
}

static void check_plan(const struct bp_cleaning *cleaning, const char *expected)
{
    struct bp_found_run runs[RUNS];
    struct bp_found_runs found = some_runs(runs);
    bool gone[RUNS];
    uint32_t count = 0;
    char got[RUNS + 1] = {0};
    uint32_t told = bp_cleaning_plan(&found, cleaning, 100 * DAY_MS, gone);
    for (int i = 0; i < RUNS; i++) {
        got[i] = gone[i] ? 'x' : '.';
        count += gone[i];
    }
    assert_string_equal(got, expected);
    assert_int_equal(told, count);
}

static void plans(void **state)
{
    (void)state;
    check_plan(&(struct bp_cleaning){0}, "....x");
    check_plan(&(struct bp_cleaning){.by_age = true, .older_than_days = 2.5}, "..xxx");
    check_plan(&(struct bp_cleaning){.by_age = true, .older_than_days = 0}, "x.xxx");
    check_plan(&(struct bp_cleaning){.by_age = true, .older_than_days = 90}, ".....");
    check_plan(&(struct bp_cleaning){.by_count = true, .keep = 0}, "x.xxx");
    check_plan(&(struct bp_cleaning){.by_count = true, .keep = 3}, "...xx");
    check_plan(&(struct bp_cleaning){.by_count = true, .keep = 9}, ".....");
    check_plan(
        &(struct bp_cleaning){.by_age = true, .older_than_days = 4.5, .by_count = true, .keep = 1},
        "....x");
}

static struct bp_store *make_run(const char *dir, const char *name)
{
    struct bp_error err;
    struct bp_store *store;
    const char *path = sample_path(dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
    must(bp_store_create(path, 1, &store, &err), &err);
    return store;
}

static void make_file(const char *path)
{
    BP_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "x", 1), 1);
}

static void only_runs_are_found(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_found_runs found = {0};
    struct bp_store *used = make_run(dir, "used");
    must(bp_store_close(make_run(dir, "free"), &err), &err);
    assert_int_equal(mkdir(sample_path(dir, "empty"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "fake"), 0755), 0);
    make_file(sample_path(dir, "fake/run.db"));
    assert_int_equal(symlink("free", sample_path(dir, "link")), 0);
    must(bp_runs_find(&found, dir, &err), &err);
    assert_int_equal(found.count, 2);
    for (uint32_t i = 0; i < found.count; i++) {
        bool is_used = strstr(found.runs[i].path, "/used") != NULL;
        assert_int_equal(found.runs[i].pid, is_used ? getpid() : 0);
        assert_false(found.runs[i].named);
        assert_true(found.runs[i].bytes > 4096);
    }
    assert_int_equal(bp_runs_find(&found, sample_path(dir, "link"), &err), -1);
    assert_non_null(strstr(err.msg, "symbolic link"));
    assert_int_equal(bp_runs_find(&found, sample_path(dir, "nothing"), &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    bp_runs_free(&found);
    must(bp_store_close(used, &err), &err);
}

/* Killed before its first checkpoint: all of the record is in the write-ahead log. */
static void fresh_record_is_recognised(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = make_run(dir, "run");
    BP_AUTO_FD int fd = open(sample_path(dir, "run"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(bp_run_recognise(fd));
    must(bp_store_close(store, &err), &err);
    assert_true(bp_run_recognise(fd));
}

static void removal(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_store *store = make_run(dir, "run");
    BP_AUTO_FREE char *path = strdup(sample_path(dir, "run"));
    assert_int_equal(bp_cleaning_remove_run(path, &err), -1);
    assert_non_null(strstr(err.msg, "another bulletproof"));
    must(bp_store_close(store, &err), &err);
    make_file(sample_path(dir, "outside"));
    assert_int_equal(mkdir(sample_path(dir, "run/best"), 0755), 0);
    make_file(sample_path(dir, "run/best/kernel.hip"));
    assert_int_equal(symlink("../outside", sample_path(dir, "run/link")), 0);
    must(bp_cleaning_remove_run(path, &err), &err);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(sample_path(dir, "outside"), F_OK), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(bp_cleaning_remove_run(path, &err), -1);
    assert_non_null(strstr(err.msg, "no run"));
}

static void temporary_files(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    uint32_t count = 0;
    uint64_t bytes = 0;
    must(bp_store_close(make_run(dir, "run"), &err), &err);
    BP_AUTO_FREE char *path = strdup(sample_path(dir, "run"));
    make_file(sample_path(dir, "run/eval_00001.json.tmp"));
    make_file(sample_path(dir, "run/eval_00001.json"));
    assert_int_equal(mkdir(sample_path(dir, "run/best.tmp"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "run/failures"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "run/failures/00002.tmp"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "run/failures/00001"), 0755), 0);
    must(bp_cleaning_temporary(path, BP_CLEANING_LOOK, &count, &bytes, &err), &err);
    assert_int_equal(count, 3);
    assert_true(bytes > 0);
    assert_int_equal(access(sample_path(dir, "run/best.tmp"), F_OK), 0);
    count = 0;
    must(bp_cleaning_temporary(path, BP_CLEANING_REMOVE, &count, &bytes, &err), &err);
    assert_int_equal(count, 3);
    assert_int_not_equal(access(sample_path(dir, "run/best.tmp"), F_OK), 0);
    assert_int_not_equal(access(sample_path(dir, "run/failures/00002.tmp"), F_OK), 0);
    assert_int_not_equal(access(sample_path(dir, "run/eval_00001.json.tmp"), F_OK), 0);
    assert_int_equal(access(sample_path(dir, "run/eval_00001.json"), F_OK), 0);
    assert_int_equal(access(sample_path(dir, "run/failures/00001"), F_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans), CASE(only_runs_are_found), CASE(fresh_record_is_recognised),
        CASE(removal),           CASE(temporary_files),
    };
    return cmocka_run_group_tests_name("store/cleaning", tests, NULL, NULL);
}
