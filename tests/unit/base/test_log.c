/* log.txt: it ends at its cap, older lines stay beside it, and no line is lost when it cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/tree.h"

static char dir[64], path[96];

static int set_up(void **state)
{
    struct bp_error err;
    (void)state;
    strcpy(dir, "/tmp/bulletproof-log-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/log.txt", dir);
    return bp_log_open(path, &err);
}

static int tear_down(void **state)
{
    struct bp_error err;
    (void)state;
    bp_log_close();
    return bp_tree_remove(AT_FDCWD, dir, &err);
}

/* The file's text, empty when there is none; lives until the next call. */
static const char *text_of(const char *suffix)
{
    static char text[8192];
    char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    BP_AUTO_FILE FILE *file = fopen(name, "r");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[got] = '\0';
    return text;
}

static int exists(const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

static void rotates_when_asked(void **state)
{
    struct bp_error err;
    (void)state;
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 1 << 20, .kept = 2});
    for (int i = 1; i <= 4; i++) {
        bp_log(BP_LOG_INFO, "test", "line %d", i);
        assert_int_equal(bp_log_rotate(&err), 0);
    }
    bp_log(BP_LOG_INFO, "test", "line 5");
    assert_non_null(strstr(text_of(""), "INFO test: line 5\n"));
    assert_non_null(strstr(text_of(".1"), "line 4\n"));
    assert_non_null(strstr(text_of(".2"), "line 3\n"));
    assert_false(exists(".3"));
}

/* What a child wrote may be part of it. */
static void a_line_stays_one_and_moves_no_cursor(void **state)
{
    (void)state;
    bp_log(BP_LOG_INFO, "test", "it said: %s", "a\n12:00:00.000 ERROR b: \033[2Jc\xc2\x9b\xc3\xa9");
    assert_non_null(
        strstr(text_of(""), "INFO test: it said: a?12:00:00.000 ERROR b: ?[2Jc??\xc3\xa9\n"));
}

static void rotates_by_itself_at_the_cap(void **state)
{
    (void)state;
    char filler[400];
    memset(filler, 'x', sizeof filler);
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 1000, .kept = 1});
    for (int i = 0; i < 40; i++)
        bp_log(BP_LOG_INFO, "test", "%.*s", (int)sizeof filler, filler);
    struct stat now, before;
    char older[128];
    snprintf(older, sizeof older, "%s.1", path);
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(stat(older, &before), 0);
    assert_in_range(now.st_size, 400, 1000);
    assert_in_range(before.st_size, 400, 1000);
    assert_false(exists(".2"));
}

static void keeps_none_when_told(void **state)
{
    struct bp_error err;
    (void)state;
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 1 << 20, .kept = 0});
    bp_log(BP_LOG_INFO, "test", "old");
    assert_int_equal(bp_log_rotate(&err), 0);
    bp_log(BP_LOG_INFO, "test", "new");
    assert_null(strstr(text_of(""), "old"));
    assert_non_null(strstr(text_of(""), "new"));
    assert_false(exists(".1"));
}

/* What logrotate does before it sends SIGHUP. */
static void opens_anew_when_moved_away(void **state)
{
    struct bp_error err;
    char away[128];
    (void)state;
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 1 << 20, .kept = 2});
    bp_log(BP_LOG_INFO, "test", "before");
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(bp_log_rotate(&err), 0);
    bp_log(BP_LOG_INFO, "test", "after");
    assert_non_null(strstr(text_of(""), "after"));
    assert_non_null(strstr(text_of(".away"), "before"));
    assert_false(exists(".1"));
}

static void goes_on_where_it_cannot_rotate(void **state)
{
    struct bp_error err;
    char blocked[128];
    (void)state;
    snprintf(blocked, sizeof blocked, "%s.1", path);
    assert_int_equal(mkdir(blocked, 0755), 0);
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 1 << 20, .kept = 1});
    bp_log(BP_LOG_INFO, "test", "before");
    assert_int_equal(bp_log_rotate(&err), -1);
    assert_non_null(strstr(err.msg, "log.txt"));
    bp_log(BP_LOG_INFO, "test", "after");
    assert_non_null(strstr(text_of(""), "before"));
    assert_non_null(strstr(text_of(""), "after"));
}

static void *write_many(void *argument)
{
    for (int i = 0; i < 500; i++)
        bp_log(BP_LOG_INFO, argument, "a line that is the same every time");
    return NULL;
}

static void threads_write_whole_lines(void **state)
{
    (void)state;
    pthread_t other;
    bp_log_set_caps(&(struct bp_log_caps){.max_bytes = 2000, .kept = 3});
    assert_int_equal(pthread_create(&other, NULL, write_many, (void *)(uintptr_t) "other"), 0);
    write_many((void *)(uintptr_t) "main");
    pthread_join(other, NULL);
    char copy[8192];
    strcpy(copy, text_of(".1"));
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        assert_string_equal(line + strlen(line) - 10, "every time");
}

static void only_a_file_will_do(void **state)
{
    struct bp_error err;
    char name[128], target[128];
    (void)state;
    snprintf(name, sizeof name, "%s/fifo", dir);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_int_equal(bp_log_open(name, &err), -1); /* nobody reads it: must not wait */
    snprintf(name, sizeof name, "%s/link", dir);
    snprintf(target, sizeof target, "%s/elsewhere", dir);
    assert_int_equal(symlink(target, name), 0);
    assert_int_equal(bp_log_open(name, &err), -1);
    assert_int_not_equal(access(target, F_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rotates_when_asked),
        CASE(only_a_file_will_do),
        CASE(a_line_stays_one_and_moves_no_cursor),
        CASE(rotates_by_itself_at_the_cap),
        CASE(keeps_none_when_told),
        CASE(opens_anew_when_moved_away),
        CASE(goes_on_where_it_cannot_rotate),
        CASE(threads_write_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
