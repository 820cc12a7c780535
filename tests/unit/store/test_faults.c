/* What the store and the artifacts do when the machine fails them: one clear line, nothing torn. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/store/faults.h"

static void missing_directory(void **state)
{
    struct bp_store *store;
    struct bp_error err;
    const char *dir = sample_path(*state, "missing");
    assert_int_equal(bp_store_create(dir, 1, &store, &err), -1);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.msg, dir));
}

/* Root may write anywhere, so a child gives that up first. */
static void read_only_directory(void **state)
{
    int answer[2], status;
    struct bp_error err = {0};
    assert_int_equal(chmod(*state, 0555), 0);
    assert_int_equal(pipe(answer), 0);
    pid_t child = fork();
    if (child == 0) {
        struct bp_store *store;
        if ((geteuid() == 0 && setuid(65534) < 0) || bp_store_create(*state, 1, &store, &err) == 0)
            _exit(1);
        _exit(write(answer[1], &err, sizeof err) == sizeof err ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(answer[0], &err, sizeof err), sizeof err);
    close(answer[0]);
    close(answer[1]);
    assert_int_equal(err.sys_errno, EACCES);
    assert_non_null(strstr(err.msg, *state));
    assert_null(strchr(err.msg, '\n'));
    assert_int_not_equal(access(sample_path(*state, "run.db"), F_OK), 0);
}

/* In a child, because closing a descriptor of run.db here would drop SQLite's locks on it. */
static void overwrite_record(const char *dir)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char garbage[4096];
        struct stat info;
        int fd = open(sample_path(dir, "run.db"), O_WRONLY);
        memset(garbage, 0xa5, sizeof garbage);
        if (fd < 0 || fstat(fd, &info) < 0)
            _exit(1);
        for (off_t at = 4096; at < info.st_size; at += 4096)
            if (pwrite(fd, garbage, sizeof garbage, at) != sizeof garbage)
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void corrupted_record(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 5, &err), 5);
    /* A write by another connection makes the store's forget the pages that it has read. */
    sqlite3_free(sample_execute(dir, "INSERT INTO meta VALUES('x','y');"
                                     "PRAGMA wal_checkpoint(TRUNCATE)"));
    overwrite_record(dir);
    assert_int_equal(fill_until_failure(store, 6, 5, &err), 0);
    print_message("corrupted: %s\n", err.msg);
    assert_int_equal(err.code, BP_ERR_SYSTEM);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db")));
    assert_non_null(strstr(err.msg, "malformed"));
    assert_int_equal(bp_store_close(store, &err), -1);
}

#define PATIENCE_MS 30000

/* Another process that takes the database for itself when told, and gives it back. It starts before
 * this one has opened the file: SQLite's knowledge of its own locks must not be inherited. */
struct holder {
    pid_t pid;
    int told[2], done[2];
};

static void hold(const struct holder *holder, const char *path)
{
    char byte;
    sqlite3 *handle;
    close(holder->told[1]);
    if (read(holder->told[0], &byte, 1) != 1 || sqlite3_open(path, &handle) != SQLITE_OK ||
        sqlite3_busy_timeout(handle, PATIENCE_MS) != SQLITE_OK ||
        sqlite3_exec(handle, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK ||
        write(holder->done[1], "h", 1) != 1)
        _exit(1);
    _exit(read(holder->told[0], &byte, 1) == 1 && sqlite3_close(handle) == SQLITE_BUSY ? 1 : 0);
}

static void holder_start(struct holder *holder, const char *dir)
{
    assert_int_equal(pipe2(holder->told, O_CLOEXEC), 0);
    assert_int_equal(pipe2(holder->done, O_CLOEXEC), 0);
    holder->pid = fork();
    if (holder->pid == 0)
        hold(holder, sample_path(dir, "run.db"));
}

static void holder_take(struct holder *holder)
{
    char byte;
    assert_int_equal(write(holder->told[1], "t", 1), 1);
    assert_int_equal(read(holder->done[0], &byte, 1), 1);
}

static void holder_end(struct holder *holder)
{
    int status;
    assert_int_equal(write(holder->told[1], "e", 1), 1);
    assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(holder->told[i]);
        close(holder->done[i]);
    }
}

static void a_lock_held_for_long_stops_the_record(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct holder holder;
    holder_start(&holder, dir);
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 2, &err), 2);
    holder_take(&holder);
    uint64_t start = bp_clock_ns();
    assert_int_equal(bp_store_event(store, "start", "{}", &err), 0);
    assert_int_equal(bp_store_flush(store, &err), -1);
    double waited_ms = bp_ns_to_ms(bp_clock_ns() - start);
    print_message("locked: after %.0f ms: %s\n", waited_ms, err.msg);
    assert_true(waited_ms >= 9000);
    assert_int_equal(err.sys_errno, EBUSY);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db")));
    assert_int_equal(bp_store_close(store, &err), -1);
    holder_end(&holder);
    go_on_after(dir, 2);
}

/* The writer says so only when it has waited for some time. */
static void wait_for_line(const char *path, const char *line)
{
    uint64_t give_up_ns = bp_clock_ns() + (uint64_t)PATIENCE_MS * 1000000;
    for (bool said = false; !said;) {
        assert_true(bp_clock_ns() < give_up_ns);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        BP_AUTO_FILE FILE *file = fopen(path, "re");
        char text[4096] = "";
        said = file && fread(text, 1, sizeof text - 1, file) > 0 && strstr(text, line);
    }
}

static void a_lock_held_for_a_while_is_waited_for(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct holder holder;
    holder_start(&holder, dir);
    struct bp_store *store = sample_create(dir, 1);
    BP_AUTO_FREE char *path = strdup(sample_path(dir, "run.db is locked by another process"));
    BP_AUTO_FREE char *log = strdup(sample_path(dir, "log.txt"));
    assert_int_equal(bp_log_open(log, &err), 0);
    holder_take(&holder);
    assert_int_equal(bp_store_event(store, "start", "{}", &err), 0);
    wait_for_line(log, path); /* which the caller did not wait for: the lock is still held */
    assert_false(bp_store_idle(store));
    holder_end(&holder);
    assert_int_equal(fill_until_failure(store, 1, 3, &err), 3);
    assert_int_equal(bp_store_close(store, &err), 0);
    bp_log_close();
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event"), 4);
}

/* SQLite would go on writing to a file without a name, and report that all is well. */
static void record_taken_away(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 2, &err), 2);
    assert_int_equal(unlink(sample_path(dir, "run.db")), 0);
    assert_int_equal(fill_until_failure(store, 3, 1, &err), 0);
    print_message("taken away: %s\n", err.msg);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db was taken away")));
    assert_int_equal(bp_store_close(store, &err), -1);
}

static void record_replaced(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 2, &err), 2);
    BP_AUTO_FREE char *other = strdup(sample_path(dir, "other"));
    fclose(fopen(other, "w"));
    assert_int_equal(rename(other, sample_path(dir, "run.db")), 0);
    assert_int_equal(fill_until_failure(store, 3, 1, &err), 0);
    print_message("replaced: %s\n", err.msg);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db was replaced")));
    assert_int_equal(bp_store_close(store, &err), -1);
}

/* Records for ever; says which evaluation the store has reported as committed. */
static void record_until_killed(const char *dir, int reported)
{
    struct bp_store *store;
    struct bp_error err;
    if (bp_store_create(dir, 1, &store, &err) < 0)
        _exit(1);
    for (uint32_t number = 1;; number++) {
        struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
        if (bp_store_event(store, "decision", "{}", &err) < 0 ||
            bp_store_evaluation(store, e, &err) < 0 || bp_store_flush(store, &err) < 0 ||
            write(reported, &number, sizeof number) != sizeof number)
            _exit(1);
        bp_evaluation_free(e);
    }
}

static void kill_at_any_moment(void **state)
{
    for (int round = 0; round < 6; round++) {
        char name[16];
        int reported[2], status;
        uint32_t number = 0, last = 0;
        struct bp_error err;
        struct bp_store *store;
        snprintf(name, sizeof name, "run%d", round);
        BP_AUTO_FREE char *dir = strdup(sample_path(*state, name));
        assert_int_equal(mkdir(dir, 0755), 0);
        assert_int_equal(pipe2(reported, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0)
            record_until_killed(dir, reported[1]);
        close(reported[1]);
        assert_int_equal(read(reported[0], &last, sizeof last), sizeof last);
        nanosleep(&(struct timespec){.tv_nsec = 7000000 + round * 17300000}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(reported[0], &number, sizeof number) == sizeof number)
            last = number;
        close(reported[0]);
        print_message("killed after %u reported evaluations\n", last);
        assert_whole(dir, last);
        assert_true(sample_integer(dir, "SELECT max(number) FROM evaluation") <= last + 1);
        /* The lock died with the process. */
        assert_int_equal(bp_store_create(dir, 1, &store, &err), -1);
        assert_non_null(strstr(err.msg, "exists already"));
        go_on_after(dir, last);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_directory),
        TEST(read_only_directory),
        TEST(corrupted_record),
        TEST(a_lock_held_for_long_stops_the_record),
        TEST(a_lock_held_for_a_while_is_waited_for),
        TEST(record_taken_away),
        TEST(record_replaced),
        TEST(kill_at_any_moment),
    };
    return cmocka_run_group_tests_name("store/faults", tests, NULL, NULL);
}
