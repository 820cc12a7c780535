/* An array keeps what it holds while it grows, and stays where it is while there is room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/array.h"

static void it_grows_and_keeps_what_it_holds(void **state)
{
    uint64_t *array = NULL;
    uint32_t capacity = 0, moves = 0;
    (void)state;
    for (uint32_t count = 0; count < 1000; count++) {
        uint32_t before = capacity;
        array = bp_array_grow(array, count, &capacity, sizeof *array);
        assert_non_null(array);
        assert_true(count < capacity);
        moves += capacity != before;
        array[count] = count;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_true(moves < 10);
    free(array);
}

static void without_memory_nothing_changes(void **state)
{
    static const struct {
        uint32_t capacity;
        size_t size;
    } too_much[] = {{1u << 30, SIZE_MAX / 4}, {1u << 31, 1}};
    char *array = malloc(1);
    (void)state;
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
        uint32_t capacity = too_much[i].capacity;
        assert_null(bp_array_grow(array, capacity, &capacity, too_much[i].size));
        assert_int_equal(capacity, too_much[i].capacity);
    }
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_what_it_holds),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
