#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "evaluator/arena.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_start_at_a_grain),
        cmocka_unit_test(nothing_stays_mapped),
        cmocka_unit_test(huge_pages_keep_what_is_there),
        cmocka_unit_test(an_empty_arena_maps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
