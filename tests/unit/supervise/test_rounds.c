/* The value of a round: robust against outliers, unbiased under the coin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "harness/supervise/rounds.h"

enum { SHAPES = 4, ROUNDS = 12 };

static struct bp_interval play(double x[ROUNDS][SHAPES], uint32_t coins)
{
    static struct bp_rounds rounds;
    rounds.count = 0;
    rounds.shapes = SHAPES;
    for (uint32_t r = 0; r < ROUNDS; r++) {
        double flipped[SHAPES];
        for (uint32_t s = 0; s < SHAPES; s++)
            flipped[s] = coins >> r & 1 ? -x[r][s] : x[r][s];
        bp_rounds_add(&rounds, flipped);
    }
    return bp_rounds_interval(&rounds);
}

static void fill(double x[ROUNDS][SHAPES], uint64_t seed, double effect, double outlier)
{
    struct bp_key key;
    struct bp_random random;
    bp_key_from_seed(seed, &key);
    bp_random_start(&random, &key);
    for (uint32_t r = 0; r < ROUNDS; r++)
        for (uint32_t s = 0; s < SHAPES; s++) {
            x[r][s] = effect + 0.01 * bp_random_normal(&random);
            if (bp_random_unit(&random) < 0.1)
                x[r][s] += bp_random_unit(&random) < 0.5 ? outlier : -outlier;
        }
}

/* Over all patterns of coins the values of equals average to nothing: no side is favoured. */
static void coins_take_out_every_bias(void **state)
{
    double x[ROUNDS][SHAPES], sum = 0;
    (void)state;
    fill(x, 1, 0.03, 0.5); /* 0.03 here is an order effect, as both sides are the same kernel */
    for (uint32_t coins = 0; coins < 1u << ROUNDS; coins++)
        sum += play(x, coins).estimate;
    assert_true(fabs(sum / (1u << ROUNDS)) < 1e-12);
}

static void outliers_do_not_hide_a_gain(void **state)
{
    int found = 0, coverage = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        double x[ROUNDS][SHAPES];
        fill(x, seed, 0.05, 0.6);
        struct bp_interval interval = play(x, 0);
        found += interval.low > 0;
        coverage += interval.low <= 0.05 && 0.05 <= interval.high;
    }
    print_message("5 %% found in %d of 200, covered in %d\n", found, coverage);
    assert_true(found >= 180);
    assert_true(coverage >= 180);
}

static void equals_are_seldom_promoted(void **state)
{
    int promoted = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        double x[ROUNDS][SHAPES];
        fill(x, 1000 + seed, 0, 0.6);
        promoted += play(x, 0).low > 0;
    }
    print_message("equals promoted in %d of 2000\n", promoted);
    assert_true(promoted <= 80); /* 2.5 % would be 50 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coins_take_out_every_bias),
        cmocka_unit_test(outliers_do_not_hide_a_gain),
        cmocka_unit_test(equals_are_seldom_promoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
