/* What the store and the artifacts do when the machine fails them: one clear line, nothing torn. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/report/artifacts.h"
#include "tests/unit/store/sample.h"

/* Records evaluations from first on until one fails; returns how many were committed. */
static uint32_t fill_until_failure(struct bp_store *store, uint32_t first, uint32_t most,
                                   struct bp_error *err)
{
    for (uint32_t done = 0; done < most; done++) {
        struct bp_evaluation *e = sample_evaluation(first + done, BP_VERDICT_PASS);
        e->number = first + done;
        int result = bp_store_evaluation(store, e, err);
        bp_evaluation_free(e);
        if (result < 0 || bp_store_flush(store, err) < 0)
            return done;
    }
    return most;
}

/* Every evaluation that is there has all its rows and its event, and no row is without one. */
static void assert_whole(const char *dir, int64_t at_least)
{
    char sql[600];
    char *check = sample_text(dir, "PRAGMA integrity_check");
    assert_string_equal(check, "ok");
    free(check);
    int64_t count = sample_integer(dir, "SELECT count(*) FROM evaluation");
    assert_true(count >= at_least);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM evaluation e WHERE"
             " (SELECT count(*) FROM attempt WHERE evaluation=e.number)=%d AND"
             " (SELECT count(*) FROM timing WHERE evaluation=e.number)=%d AND"
             " (SELECT count(*) FROM correctness WHERE evaluation=e.number)=%d AND"
             " EXISTS(SELECT 1 FROM event WHERE kind='evaluation' AND"
             " json_extract(json,'$.number')=e.number) AND"
             " EXISTS(SELECT 1 FROM candidate WHERE source_hash=e.source_hash)",
             SAMPLE_ATTEMPTS, SAMPLE_TIMINGS, SAMPLE_CASES);
    assert_int_equal(sample_integer(dir, sql), count);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event WHERE kind='evaluation'"),
                     count);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM attempt"), count * SAMPLE_ATTEMPTS);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM candidate"), count);
}

static int count_recorded(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    (void)recorded, (void)err;
    ++*(uint32_t *)context;
    return 0;
}

/* The cause is gone: the record opens, holds what was reported, and takes more. */
static void go_on_after(const char *dir, uint32_t reported)
{
    struct bp_store *store;
    struct bp_error err;
    uint32_t count = 0;
    if (bp_store_open(dir, &store, &err) < 0 ||
        bp_store_load_evaluations(store, count_recorded, &count, &err) < 0)
        fail_msg("%s", err.msg);
    assert_in_range(count, reported, reported + 1);
    assert_int_equal(fill_until_failure(store, count + 1, 3, &err), 3);
    assert_int_equal(bp_store_close(store, &err), 0);
    assert_whole(dir, count + 3);
}

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

static int small_disk_setup(void **state)
{
    if (sample_setup(state) < 0)
        return -1;
    if (mount("tmpfs", *state, "tmpfs", 0, "size=768k") < 0 && errno != EPERM)
        return -1;
    return 0;
}

static int small_disk_teardown(void **state)
{
    umount2(*state, MNT_DETACH);
    return sample_teardown(state);
}

static bool is_small_disk(const char *dir)
{
    struct stat inside, outside;
    assert_int_equal(stat(dir, &inside), 0);
    assert_int_equal(stat(sample_path(dir, ".."), &outside), 0);
    return inside.st_dev != outside.st_dev;
}

static void full_disk(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0}, later = {0};
    if (!is_small_disk(dir)) {
        print_message("skipped: only a user who may mount can make a small disk\n");
        skip();
    }
    struct bp_store *store = sample_create(dir, 1);
    uint32_t done = fill_until_failure(store, 1, 5000, &err);
    print_message("full disk after %u evaluations: %s\n", done, err.msg);
    assert_in_range(done, 1, 4999);
    assert_int_equal(err.code, BP_ERR_SYSTEM);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db")));
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(bp_store_event(store, "later", "{}", &later), -1);
    assert_string_equal(later.msg, err.msg);
    assert_int_equal(bp_store_close(store, &later), -1);
    assert_string_equal(later.msg, err.msg);
    assert_whole(dir, done);

    assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, "size=4m"), 0);
    go_on_after(dir, done);
}

#define FILLER "filler"
#define FULL_FOR_MS 300

/* A file that takes what is left of the disk. */
static void fill_disk(const char *dir)
{
    char block[4096] = {1};
    BP_AUTO_FD int fd = open(sample_path(dir, FILLER), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
}

/* A process of its own makes room again. */
static pid_t make_room_later(const char *dir)
{
    pid_t child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_nsec = FULL_FOR_MS * 1000000l}, NULL);
        _exit(unlink(sample_path(dir, FILLER)) == 0 ? 0 : 1);
    }
    return child;
}

/* Numbers of events that were rolled back are given again. */
static void a_disk_full_for_a_moment_is_waited_for(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    int status;
    if (!is_small_disk(dir)) {
        print_message("skipped: only a user who may mount can make a small disk\n");
        skip();
    }
    bp_log_set_level(BP_LOG_ERROR);
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 2, &err), 2);
    fill_disk(dir);
    uint64_t began_ns = bp_clock_ns();
    pid_t child = make_room_later(dir);
    if (fill_until_failure(store, 3, 10, &err) != 10)
        fail_msg("%s", err.msg);
    assert_true(bp_ns_to_ms(bp_clock_ns() - began_ns) >= FULL_FOR_MS / 2);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(bp_store_close(store, &err), 0);
    assert_whole(dir, 12);
    assert_int_equal(sample_integer(dir, "SELECT max(number) = count(*) FROM event"), 1);
    bp_log_set_level(BP_LOG_WARNING);
}

static void full_disk_leaves_whole_artifacts(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    if (!is_small_disk(dir)) {
        print_message("skipped: only a user who may mount can make a small disk\n");
        skip();
    }
    uint32_t number = 0;
    int result = 0;
    while (result == 0 && number < 5000) {
        struct bp_evaluation *e = sample_evaluation(++number, BP_VERDICT_PASS);
        result = bp_artifacts_best(dir, e, &err);
        if (result == 0)
            result = bp_artifacts_evaluation(dir, e, &err);
        bp_evaluation_free(e);
    }
    print_message("full disk after %u artifacts: %s\n", number, err.msg);
    assert_int_equal(result, -1);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_non_null(strstr(err.msg, dir));
    json_t *best = json_load_file(sample_path(dir, "best/result.json"), 0, NULL);
    assert_non_null(best);
    json_decref(best);
    assert_int_not_equal(access(sample_path(dir, "best.tmp"), F_OK), 0);

    char *history = sample_read(dir, "history.jsonl"), *rest = history, *line;
    uint32_t lines = 0;
    assert_int_equal(history[strlen(history) - 1], '\n');
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *entry = json_loads(line, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(entry, "number")), ++lines);
        json_decref(entry);
    }
    free(history);
    assert_in_range(lines, number - 2, number);
}

static void file_size_limit(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct rlimit before, small;
    struct bp_store *store = sample_create(dir, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 200000, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint32_t done = fill_until_failure(store, 1, 500, &err);
    struct bp_error ignored;
    int closed = bp_store_close(store, &ignored);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    print_message("file size limit after %u evaluations: %s\n", done, err.msg);
    assert_int_equal(closed, -1);
    assert_in_range(done, 1, 499);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db")));
    assert_whole(dir, done);
}

static int64_t size_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static void half_a_history_line_is_cut_off(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct rlimit before, small;
    struct bp_evaluation *e = sample_evaluation(1, BP_VERDICT_PASS);
    for (; e->number <= 40; e->number++)
        assert_int_equal(bp_artifacts_evaluation(dir, e, &err), 0);
    int64_t size = size_of(sample_path(dir, "history.jsonl"));
    assert_true(size > size_of(sample_path(dir, "eval_00001.json")));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = (rlim_t)size + 10, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = bp_artifacts_evaluation(dir, e, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(result, -1);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.msg, sample_path(dir, "history.jsonl")));
    assert_int_equal(size_of(sample_path(dir, "history.jsonl")), size);
    bp_evaluation_free(e);
}

static void create_on_a_full_disk_leaves_nothing(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 8192, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = bp_store_create(dir, 1, &store, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(result, -1);
    assert_int_equal(err.sys_errno, EFBIG);
    assert_non_null(strstr(err.msg, sample_path(dir, "run.db")));
    assert_int_not_equal(access(sample_path(dir, "run.db"), F_OK), 0);
    assert_int_not_equal(access(sample_path(dir, "run.db-wal"), F_OK), 0);
    assert_int_equal(bp_store_close(sample_create(dir, 1), &err), 0);
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

static void read_only_file_system(void **state)
{
    const char *dir = *state;
    struct bp_error err = {0};
    struct bp_store *store = NULL;
    uint32_t count = 0;
    if (!is_small_disk(dir)) {
        print_message("skipped: only a user who may mount can make one\n");
        skip();
    }
    store = sample_create(dir, 1);
    assert_int_equal(fill_until_failure(store, 1, 5, &err), 5);
    assert_int_equal(bp_store_close(store, &err), 0);
    assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(bp_store_open(dir, &store, &err), -1);
    print_message("read-only: %s\n", err.msg);
    assert_int_equal(err.sys_errno, EROFS);
    assert_non_null(strstr(err.msg, dir));
    assert_int_equal(bp_store_read(dir, &store, &err), 0);
    assert_int_equal(bp_store_load_evaluations(store, count_recorded, &count, &err), 0);
    assert_int_equal(count, 5);
    assert_int_equal(bp_store_close(store, &err), 0);
    assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, NULL), 0);
    go_on_after(dir, 5);
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
#define DISK_TEST(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, small_disk_setup, small_disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_directory),
        TEST(read_only_directory),
        DISK_TEST(full_disk),
        DISK_TEST(a_disk_full_for_a_moment_is_waited_for),
        DISK_TEST(full_disk_leaves_whole_artifacts),
        TEST(file_size_limit),
        TEST(half_a_history_line_is_cut_off),
        TEST(create_on_a_full_disk_leaves_nothing),
        TEST(corrupted_record),
        TEST(a_lock_held_for_long_stops_the_record),
        TEST(a_lock_held_for_a_while_is_waited_for),
        DISK_TEST(read_only_file_system),
        TEST(record_taken_away),
        TEST(record_replaced),
        TEST(kill_at_any_moment),
    };
    return cmocka_run_group_tests_name("store/faults", tests, NULL, NULL);
}
