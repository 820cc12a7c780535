/* What is no run's record, or no longer whole, is refused, and left as it is. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/unit/store/sample.h"

static void finish(struct bp_store *store)
{
    struct bp_error err;
    must(bp_store_close(store, &err), &err);
}

static void expect_refusal(const char *dir, enum bp_errc code, const char *part)
{
    int (*const openers[])(const char *, struct bp_store **, struct bp_error *) = {bp_store_open,
                                                                                   bp_store_read};
    for (size_t i = 0; i < 2; i++) {
        struct bp_store *store = NULL;
        struct bp_error err = {0};
        assert_int_equal(openers[i](dir, &store, &err), -1);
        assert_null(store);
        print_message("%s\n", err.msg);
        assert_int_equal(err.code, code);
        assert_non_null(strstr(err.msg, part));
        assert_non_null(strstr(err.msg, dir));
        assert_null(strchr(err.msg, '\n'));
    }
}

static void what_is_no_run_is_refused(void **state)
{
    const char *dir = *state;
    expect_refusal(dir, BP_ERR_USAGE, "holds no record of a run");
    assert_int_not_equal(access(sample_path(dir, "run.lock"), F_OK), 0);
    expect_refusal(sample_path(dir, "missing"), BP_ERR_USAGE, "holds no record of a run");

    sqlite3 *other;
    assert_int_equal(sqlite3_open(sample_path(dir, "run.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    expect_refusal(dir, BP_ERR_USAGE, "not the record of a run");

    assert_int_equal(unlink(sample_path(dir, "run.db")), 0);
    assert_int_equal(mkfifo(sample_path(dir, "run.db"), 0600), 0); /* nobody will write to it */
    expect_refusal(dir, BP_ERR_USAGE, "is not a regular file");
}

static void another_version_is_refused(void **state)
{
    const char *dir = *state;
    finish(sample_create(dir, 77));
    sqlite3_free(sample_execute(dir, "PRAGMA user_version=1"));
    expect_refusal(dir, BP_ERR_USAGE, "has version 1 of the record, this program reads version 4");
    sqlite3_free(sample_execute(dir, "PRAGMA user_version=5"));
    expect_refusal(dir, BP_ERR_USAGE, "has version 5 of the record, this program reads version 4");
    assert_int_equal(sample_integer(dir, "PRAGMA user_version"), 5);
}

/* Writes bytes over the file from `at` on; -1: cuts it there. */
static void damage(const char *path, off_t at, int bytes)
{
    char garbage[8192];
    memset(garbage, 0xa5, sizeof garbage);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    if (bytes < 0)
        assert_int_equal(ftruncate(fd, at), 0);
    else
        assert_int_equal(pwrite(fd, garbage, (size_t)bytes, at), bytes);
    close(fd);
}

static void damaged_files_are_refused_unchanged(void **state)
{
    static const struct {
        const char *name;
        off_t at;
        int bytes;
    } damages[] = {{"header", 0, 100},
                   {"schema", 100, 2000},
                   {"middle", 32768, 8192},
                   {"half", 20480, -1},
                   {"empty", 0, -1}};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        BP_AUTO_FREE char *dir = strdup(sample_path(*state, damages[i].name));
        assert_int_equal(mkdir(dir, 0755), 0);
        struct bp_store *store = sample_create(dir, 77);
        for (uint32_t number = 1; number <= 40; number++)
            sample_record(store, sample_evaluation(number, BP_VERDICT_PASS));
        finish(store);
        damage(sample_path(dir, "run.db"), damages[i].at, damages[i].bytes);
        char *before = sample_hash(dir, "run.db");
        struct bp_error err;
        assert_int_equal(bp_store_open(dir, &store, &err), -1);
        print_message("%s: %s\n", damages[i].name, err.msg);
        assert_int_equal(err.code, BP_ERR_UNAVAILABLE);
        assert_non_null(strstr(err.msg, sample_path(dir, "run.db is damaged")));
        assert_null(strchr(err.msg, '\n'));
        char *after = sample_hash(dir, "run.db");
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_run_is_refused),
        TEST(another_version_is_refused),
        TEST(damaged_files_are_refused_unchanged),
    };
    return cmocka_run_group_tests_name("store/refuse", tests, NULL, NULL);
}
