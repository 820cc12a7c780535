/* Floors from ceilings: worked out by hand for one shape that computes and one that reads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "evaluator/ceilings.h"

static const struct bp_ceilings machine = {
    .margin = BP_CEILING_MARGIN,
    .isa = "base",
    .threads = 2,
    .gflops = 100,
    .half_factor = 2,
    .stream_count = 3,
    .streams = {{1 << 10, 400}, {1 << 20, 200}, {1 << 30, 20}},
};

static void test_rate_of_a_set(void **state)
{
    (void)state;
    assert_true(bp_ceilings_gbps(&machine, 1) == 400); /* below the smallest: its own */
    assert_true(bp_ceilings_gbps(&machine, 1 << 10) == 400);
    assert_true(bp_ceilings_gbps(&machine, (1 << 20) - 1) == 400);
    assert_true(bp_ceilings_gbps(&machine, 1 << 20) == 200);
    assert_true(bp_ceilings_gbps(&machine, 1 << 29) == 200);
    assert_true(bp_ceilings_gbps(&machine, 0x1p40) == 20);
    struct bp_ceilings disturbed = machine;
    disturbed.streams[0].gbps = 3; /* a small set cannot be slower than a large one */
    assert_true(bp_ceilings_gbps(&disturbed, 1 << 10) == 200);
}

static void test_floor(void **state)
{
    (void)state;
    /* 4 * 64 * 8 * 512 * 512 = 2^29 operations, 4 * 512 * 64 * 8 elements. */
    static const struct bp_shape computes = {"computes", 1, 8, 8, 512, 512, 64};
    double flops = 0x1p29, single_ms = flops / 100 * 1e-6;
    assert_true(bp_shape_flops_useful(&computes) == flops);
    assert_true(fabs(bp_ceilings_best_ms(&machine, &computes, BP_DTYPE_F32) - single_ms) < 1e-9);
    assert_true(fabs(bp_ceilings_best_ms(&machine, &computes, BP_DTYPE_F16) - single_ms / 2) <
                1e-9);
    assert_true(fabs(bp_ceilings_floor_ms(&machine, &computes, BP_DTYPE_F32) - single_ms / 1.25) <
                1e-9);

    /* One query on 2^20 keys of 8 heads: 2 * 2^20 * 8 * 64 elements of two bytes, q and o beside. */
    static const struct bp_shape reads = {"reads", 1, 8, 8, 1, 1 << 20, 64};
    double bytes = 0x1p31 + 2 * 8 * 64 * 2;
    assert_true(fabs(bp_ceilings_best_ms(&machine, &reads, BP_DTYPE_BF16) - bytes / 20 * 1e-6) <
                1e-6);
}

static void test_nothing_measured(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"any", 1, 8, 8, 512, 512, 64};
    struct bp_ceilings none = {0};
    assert_true(bp_ceilings_floor_ms(&none, &shape, BP_DTYPE_F16) == 0);
    assert_false(bp_ceilings_are_sound(&none));
}

static void test_sound(void **state)
{
    (void)state;
    assert_true(bp_ceilings_are_sound(&machine));
    struct bp_ceilings bad = machine;
    bad.gflops = 0;
    assert_false(bp_ceilings_are_sound(&bad));
    bad.gflops = NAN;
    assert_false(bp_ceilings_are_sound(&bad));
    bad = machine;
    bad.streams[1].gbps = -1;
    assert_false(bp_ceilings_are_sound(&bad));
    bad = machine;
    bad.streams[2].bytes = bad.streams[1].bytes;
    assert_false(bp_ceilings_are_sound(&bad));
    bad = machine;
    bad.threads = 0;
    assert_false(bp_ceilings_are_sound(&bad));
    bad = machine;
    bad.stream_count = BP_MAX_STREAMS + 1;
    assert_false(bp_ceilings_are_sound(&bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_of_a_set),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
