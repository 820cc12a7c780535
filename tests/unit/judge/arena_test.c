#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "evaluator/shelf.h"

#define SIZE (3 * BP_ARENA_GRAIN + 4096)

static int descriptor_of(size_t size)
{
    struct bp_error err;
    int fd = bp_io_memfd("arena", size, &err);
    assert_true(fd >= 0);
    return fd;
}

static struct bp_arena map(int fd, enum bp_arena_access access)
{
    struct bp_error err;
    struct bp_arena arena;
    int copy = dup(fd);
    assert_true(copy >= 0);
    assert_int_equal(bp_arena_map(copy, "test", access, &arena, &err), 0);
    return arena;
}

static size_t mappings(void)
{
    size_t lines = 0;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        lines++;
    fclose(maps);
    return lines;
}

static void mappings_start_at_a_grain(void **state)
{
    static const size_t sizes[] = {1, 4096, 5000, BP_ARENA_GRAIN, SIZE};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = descriptor_of(sizes[i]);
        struct bp_arena arena = map(fd, BP_ARENA_WRITE);
        assert_int_equal((uintptr_t)arena.base % BP_ARENA_GRAIN, 0);
        assert_int_equal(arena.size, sizes[i]);
        memset(arena.base, 1, arena.size);
        bp_arena_unmap(&arena);
        assert_null(arena.base);
        close(fd);
    }
}

static void nothing_stays_mapped(void **state)
{
    (void)state;
    int fd = descriptor_of(SIZE);
    struct bp_arena arena = map(fd, BP_ARENA_READ);
    bp_arena_unmap(&arena); /* whatever the first round allocates is there now */
    size_t before = mappings();
    arena = map(fd, BP_ARENA_READ);
    assert_int_equal(mappings(), before + 1);
    bp_arena_unmap(&arena);
    assert_int_equal(mappings(), before);
    close(fd);
}

static void huge_pages_keep_what_is_there(void **state)
{
    (void)state;
    int fd = descriptor_of(SIZE);
    struct bp_arena arena = map(fd, BP_ARENA_WRITE);
    for (size_t i = 0; i < SIZE; i += 4096 * 3)
        arena.base[i] = (uint8_t)(i >> 12 | 1);
    bp_arena_use_huge_pages(&arena);
    struct bp_arena other = map(fd, BP_ARENA_READ);
    for (size_t i = 0; i < SIZE; i += 4096)
        assert_int_equal(other.base[i], i % (4096 * 3) == 0 ? (uint8_t)(i >> 12 | 1) : 0);
    bp_arena_unmap(&arena);
    bp_arena_unmap(&other);
    close(fd);
}

static void an_empty_arena_maps_nothing(void **state)
{
    (void)state;
    int fd = descriptor_of(0);
    struct bp_arena arena = map(fd, BP_ARENA_WRITE);
    assert_null(arena.base);
    bp_arena_use_huge_pages(&arena);
    bp_arena_unmap(&arena);
    close(fd);
}

static struct bp_arena take(struct bp_shelf *shelf, int fd)
{
    struct bp_error err;
    struct bp_arena arena;
    int copy = dup(fd);
    assert_true(copy >= 0);
    assert_int_equal(bp_shelf_take(shelf, copy, "test", &arena, &err), 0);
    return arena;
}

static void a_shelf_maps_a_file_once(void **state)
{
    struct bp_shelf shelf = {0};
    int fds[BP_SHELF_PLACES + 1];
    (void)state;
    for (int i = 0; i <= BP_SHELF_PLACES; i++)
        fds[i] = descriptor_of(4096);
    size_t before = mappings();
    struct bp_arena first = take(&shelf, fds[0]);
    first.base[0] = 7;
    for (int i = 1; i < BP_SHELF_PLACES; i++)
        assert_true(take(&shelf, fds[i]).base != first.base);
    assert_ptr_equal(take(&shelf, fds[0]).base, first.base);
    assert_int_equal(mappings(), before + BP_SHELF_PLACES);
    take(&shelf, fds[BP_SHELF_PLACES]); /* in place of the first */
    assert_int_equal(mappings(), before + BP_SHELF_PLACES);
    assert_int_equal(take(&shelf, fds[0]).base[0], 7);
    bp_shelf_clear(&shelf);
    assert_int_equal(mappings(), before);
    for (int i = 0; i <= BP_SHELF_PLACES; i++)
        close(fds[i]);
}

static void a_shelf_closes_what_it_cannot_map(void **state)
{
    struct bp_shelf shelf = {0};
    struct bp_error err;
    struct bp_arena arena;
    int fd = descriptor_of(4096), readonly = bp_io_reopen_readonly(fd, &err);
    (void)state;
    assert_true(readonly >= 0);
    assert_int_equal(bp_shelf_take(&shelf, readonly, "test", &arena, &err), -1);
    assert_int_equal(close(readonly), -1);
    assert_non_null(take(&shelf, fd).base);
    bp_shelf_clear(&shelf);
    close(fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_start_at_a_grain),
        cmocka_unit_test(nothing_stays_mapped),
        cmocka_unit_test(huge_pages_keep_what_is_there),
        cmocka_unit_test(an_empty_arena_maps_nothing),
        cmocka_unit_test(a_shelf_maps_a_file_once),
        cmocka_unit_test(a_shelf_closes_what_it_cannot_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
