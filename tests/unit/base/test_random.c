/* Keyed randomness: pure functions of key, purpose and number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/random.h"

static void derived_keys_depend_on_everything(void **state)
{
    struct bp_key a, b, keys[5];
    (void)state;
    bp_key_from_seed(1, &a);
    bp_key_from_seed(2, &b);
    bp_key_derive(&a, "x", 1, &keys[0]);
    bp_key_derive(&a, "x", 1, &keys[1]);
    bp_key_derive(&a, "x", 2, &keys[2]);
    bp_key_derive(&a, "y", 1, &keys[3]);
    bp_key_derive(&b, "x", 1, &keys[4]);
    assert_memory_equal(&keys[0], &keys[1], sizeof a);
    for (int i = 2; i < 5; i++)
        assert_memory_not_equal(&keys[0], &keys[i], sizeof a);
}

static void deviates_have_their_moments(void **state)
{
    enum { N = 200000 };
    struct bp_key key;
    struct bp_random random;
    double sum = 0, squares = 0, units = 0;
    uint32_t counts[7] = {0};
    (void)state;
    bp_key_from_seed(3, &key);
    bp_random_start(&random, &key);
    for (int i = 0; i < N; i++) {
        double x = bp_random_normal(&random);
        sum += x;
        squares += x * x;
        units += bp_random_unit(&random);
        counts[bp_random_below(&random, 7)]++;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(units / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    for (int i = 0; i < 7; i++)
        assert_true(fabs(counts[i] - N / 7.0) < 5 * sqrt(N / 7.0));
}

static void hash_is_sha256(void **state)
{
    char text[BP_HASH_TEXT];
    (void)state;
    bp_hash_text("abc", 3, text); /* FIPS 180-4, example 1 */
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derived_keys_depend_on_everything),
        cmocka_unit_test(deviates_have_their_moments),
        cmocka_unit_test(hash_is_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
