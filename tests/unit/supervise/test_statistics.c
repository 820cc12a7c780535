/* Medians and intervals: known values and coverage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/random.h"
#include "evaluator/statistics.h"

static void known_values(void **state)
{
    const double six[] = {3, 1, 2, 6, 5, 4};
    const double seven[] = {3, 1, 2, 6, 5, 4, 7};
    (void)state;
    struct bp_interval interval = bp_statistics_median(six, 6);
    assert_true(interval.estimate == 3.5 && interval.low == 1 && interval.high == 6);
    interval = bp_statistics_median(seven, 7);
    assert_true(interval.estimate == 4 && interval.low == 1 && interval.high == 7);
    interval = bp_statistics_mean(six, 6);
    /* mean 3.5, sd sqrt(3.5), t(5) = 2.571 */
    assert_true(fabs(interval.high - (3.5 + 2.571 * sqrt(3.5 / 6))) < 1e-9);
    interval = bp_statistics_median(six, 1);
    assert_true(interval.estimate == 3 && interval.low == 0 && isinf(interval.high));
    /* ln 1, ln 2, ln 4: mean ln 2, sd ln 2, t(2) = 4.303; a normal interval would start below 0. */
    const double three[] = {1, 4, 2};
    interval = bp_statistics_median(three, 3);
    assert_true(fabs(interval.low - 2 * exp(-4.303 * log(2) / sqrt(3))) < 1e-9);
    assert_true(interval.low > 0 && interval.estimate == 2);
    assert_true(fabs(bp_statistics_t95(60) - 2.000) < 0.002);
}

static double coverage(uint32_t n, struct bp_interval (*of)(const double *, uint32_t))
{
    enum { TRIALS = 4000 };
    struct bp_key key;
    struct bp_random random;
    int covered = 0;
    bp_key_from_seed(n, &key);
    bp_random_start(&random, &key);
    for (int t = 0; t < TRIALS; t++) {
        double x[64];
        for (uint32_t i = 0; i < n; i++)
            x[i] = 10 + bp_random_normal(&random);
        struct bp_interval interval = of(x, n);
        covered += interval.low <= 10 && 10 <= interval.high;
    }
    return (double)covered / TRIALS;
}

static void intervals_cover(void **state)
{
    (void)state;
    const uint32_t sizes[] = {6, 7, 10, 20, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(coverage(sizes[i], bp_statistics_median) > 0.94);
        assert_true(fabs(coverage(sizes[i], bp_statistics_mean) - 0.95) < 0.015);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(intervals_cover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
