/* Files, memfds and buffers: what callers rely on when things go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/io.h"

static void buffer_keeps_its_cap(void **state)
{
    struct bp_buffer buffer;
    struct bp_error err = {0};
    (void)state;
    bp_buffer_init(&buffer, 10);
    assert_int_equal(bp_buffer_add(&buffer, "12345678", 8, &err), 0);
    assert_int_equal(bp_buffer_add(&buffer, "abc", 3, &err), -1);
    assert_int_equal(err.code, BP_ERR_LIMIT);
    assert_string_equal(bp_buffer_text(&buffer), "12345678");
    assert_int_equal(bp_buffer_add_capped(&buffer, "abc", 3), 2);
    assert_string_equal(bp_buffer_text(&buffer), "12345678ab");
    bp_buffer_consume(&buffer, 4);
    assert_string_equal(bp_buffer_text(&buffer), "5678ab");
    bp_buffer_free(&buffer);
    assert_string_equal(bp_buffer_text(&buffer), "");
}

static void atomic_write_replaces_or_leaves(void **state)
{
    char dir[] = "/tmp/bp-io-XXXXXX", path[64], gone[64];
    struct bp_buffer text;
    struct bp_error err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(gone, sizeof gone, "%s/missing/file", dir);
    assert_int_equal(bp_io_write_file_atomic(path, "old", 3, &err), 0);
    assert_int_equal(bp_io_write_file_atomic(path, "newer", 5, &err), 0);
    bp_buffer_init(&text, 100);
    assert_int_equal(bp_io_read_file(path, &text, &err), 0);
    assert_string_equal(bp_buffer_text(&text), "newer");
    bp_buffer_free(&text);
    assert_int_equal(bp_io_write_file_atomic(gone, "x", 1, &err), -1);
    assert_int_equal(err.sys_errno, ENOENT);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left in it */
}

static void bad_inputs_are_usage_errors(void **state)
{
    struct bp_buffer text;
    struct bp_error err;
    (void)state;
    bp_buffer_init(&text, 4);
    assert_int_equal(bp_io_read_file("/no/such/file", &text, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_int_equal(bp_io_read_file("/tmp", &text, &err), -1);
    assert_non_null(strstr(err.msg, "directory"));
    assert_int_equal(bp_io_read_file("/dev/null", &text, &err), -1);
    assert_non_null(strstr(err.msg, "regular"));
    assert_int_equal(bp_io_read_file("/etc/passwd", &text, &err), -1);
    assert_non_null(strstr(err.msg, "larger than 4 bytes"));
    bp_buffer_free(&text);
}

static void sealed_memfd_cannot_change(void **state)
{
    struct bp_error err;
    (void)state;
    int fd = bp_io_memfd_sealed("test", "data", 4, &err);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_ptr_equal(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
}

static void readonly_descriptor_cannot_be_mapped_writable(void **state)
{
    struct bp_error err;
    (void)state;
    int fd = bp_io_memfd("test", 4096, &err);
    int readonly = bp_io_reopen_readonly(fd, &err);
    assert_true(readonly >= 0);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, readonly, 0), MAP_FAILED);
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, readonly, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map, 4096, PROT_READ | PROT_WRITE), -1);
    munmap(map, 4096);
    close(readonly);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_keeps_its_cap),
        cmocka_unit_test(atomic_write_replaces_or_leaves),
        cmocka_unit_test(bad_inputs_are_usage_errors),
        cmocka_unit_test(sealed_memfd_cannot_change),
        cmocka_unit_test(readonly_descriptor_cannot_be_mapped_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
