/* A disk that is full, read-only, or grants no more: one clear line, nothing torn. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
#include "tests/unit/store/faults.h"

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)
#define DISK_TEST(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, small_disk_setup, small_disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(full_disk),
        DISK_TEST(a_disk_full_for_a_moment_is_waited_for),
        DISK_TEST(full_disk_leaves_whole_artifacts),
        TEST(file_size_limit),
        TEST(half_a_history_line_is_cut_off),
        TEST(create_on_a_full_disk_leaves_nothing),
        DISK_TEST(read_only_file_system),
    };
    return cmocka_run_group_tests_name("store/disk", tests, NULL, NULL);
}
