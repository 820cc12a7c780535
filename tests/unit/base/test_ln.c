/* bp_ln against libm's logarithm, and its bits against stored ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ln.h"
#include "base/random.h"

static void expect_near(double x)
{
    double expected = log(x);
    if (!(fabs(bp_ln(x) - expected) <= 0x1p-51 * fabs(expected)))
        fail_msg("bp_ln(%a) is %a, not %a", x, bp_ln(x), expected);
}

static void near_libm(void **state)
{
    static const double edges[] = {1,
                                   2,
                                   0.5,
                                   0x1p-53,
                                   0x1p-1022,
                                   0x1.fffffffffffffp+1023,
                                   0.99,
                                   1.01,
                                   0x1.6a09e667f3bccp+0,
                                   0x1.6a09e667f3bcep+0,
                                   0x1.fffffffffffffp-1};
    struct bp_key key;
    struct bp_random random;
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        expect_near(edges[i]);
    bp_key_from_seed(1, &key);
    bp_random_start(&random, &key);
    for (int i = 0; i < 200000; i++) {
        expect_near(bp_random_unit(&random));
        expect_near(ldexp(1 + bp_random_unit(&random), (int)bp_random_below(&random, 2000) - 1000));
    }
}

/* The same sum on every machine, compiler and build type. */
static void same_bits(void **state)
{
    struct bp_key key;
    struct bp_random random;
    uint64_t sum = 0;
    (void)state;
    bp_key_from_seed(2, &key);
    bp_random_start(&random, &key);
    for (int i = 0; i < 100000; i++) {
        double value = bp_ln(bp_random_unit(&random));
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        sum = sum * 31 + bits;
    }
    assert_int_equal(sum, UINT64_C(0x186805063d2e71fc));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_libm),
        cmocka_unit_test(same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
