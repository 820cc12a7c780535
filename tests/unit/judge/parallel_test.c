#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "evaluator/parallel.h"

#define ITEMS 1000

struct counts {
    atomic_uint done[ITEMS];
    atomic_uint workers; /* bit mask */
};

static void count_one(void *context, uint32_t index, uint32_t worker)
{
    struct counts *counts = context;
    atomic_fetch_add(&counts->done[index], 1);
    atomic_fetch_or(&counts->workers, 1u << worker);
}

static void test_each_index_once(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 17, ITEMS};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct counts *counts = calloc(1, sizeof *counts);
        bp_parallel_for(sizes[s], count_one, counts);
        for (uint32_t i = 0; i < ITEMS; i++)
            assert_int_equal(counts->done[i], i < sizes[s]);
        assert_int_equal(counts->workers >> bp_parallel_workers(), 0);
        free(counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_index_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
