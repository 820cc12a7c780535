/* Directory trees: sizes, and removal that never leaves the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/tree.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/bulletproof-tree-XXXXXX");
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct bp_error err;
    (void)state;
    if (chdir("/") < 0)
        return -1;
    return bp_tree_remove(AT_FDCWD, dir, &err);
}

static void make_file(const char *name, size_t bytes)
{
    char data[4096] = "x";
    BP_AUTO_FD int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    for (size_t done = 0; done < bytes; done += sizeof data)
        assert_int_equal(write(fd, data, sizeof data), sizeof data);
    fsync(fd);
}

static void make_tree(void)
{
    assert_int_equal(mkdir("tree", 0755), 0);
    assert_int_equal(mkdir("tree/below", 0755), 0);
    make_file("tree/one", 40960);
    make_file("tree/below/two", 40960);
    make_file("outside", 409600);
    assert_int_equal(symlink("../outside", "tree/link"), 0);
    assert_int_equal(symlink("..", "tree/below/up"), 0);
}

static void bytes_follow_no_link(void **state)
{
    (void)state;
    make_tree();
    assert_in_range(bp_tree_bytes(AT_FDCWD, "tree"), 81920, 409600 - 1);
    assert_int_equal(bp_tree_bytes(AT_FDCWD, "nothing"), 0);
}

static void removal_follows_no_link(void **state)
{
    struct bp_error err;
    (void)state;
    make_tree();
    assert_int_equal(bp_tree_remove(AT_FDCWD, "tree", &err), 0);
    assert_int_not_equal(access("tree", F_OK), 0);
    assert_int_equal(access("outside", F_OK), 0);
    assert_int_equal(bp_tree_remove(AT_FDCWD, "tree", &err), 0);
}

static void removal_of_a_link_is_of_the_link(void **state)
{
    struct bp_error err;
    (void)state;
    make_tree();
    assert_int_equal(symlink("tree", "also"), 0);
    assert_int_equal(bp_tree_remove(AT_FDCWD, "also", &err), 0);
    assert_int_equal(access("tree/below/two", F_OK), 0);
}

static bool is_one(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "one") == 0;
}

static void entries_but_those_kept(void **state)
{
    struct bp_error err;
    (void)state;
    make_tree();
    BP_AUTO_FD int fd = open("tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(bp_tree_remove_entries(fd, is_one, NULL, &err), 0);
    assert_int_equal(access("tree/one", F_OK), 0);
    assert_int_not_equal(access("tree/below", F_OK), 0);
    assert_int_equal(access("outside", F_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bytes_follow_no_link),
        CASE(removal_follows_no_link),
        CASE(removal_of_a_link_is_of_the_link),
        CASE(entries_but_those_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
