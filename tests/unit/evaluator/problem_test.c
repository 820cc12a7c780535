#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/problem.h"

/* Value of a 16-bit pattern, from the format's definition. */
static double decode(enum bp_dtype dtype, unsigned bits)
{
    int mantissa_bits = dtype == BP_DTYPE_F16 ? 10 : 7;
    int bias = dtype == BP_DTYPE_F16 ? 15 : 127;
    int top = 2 * bias + 1;
    int exponent = (int)(bits >> mantissa_bits) & top;
    int mantissa = (int)(bits & ((1u << mantissa_bits) - 1));
    double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == top)
        return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * mantissa * pow(2, 1 - bias - mantissa_bits);
    return sign * (1 + mantissa / pow(2, mantissa_bits)) * pow(2, exponent - bias);
}

static void check_pattern(enum bp_dtype dtype, unsigned bits)
{
    uint16_t word = (uint16_t)bits, stored;
    double want = decode(dtype, bits), got = bp_dtype_load(dtype, &word);
    float quick;
    bp_dtype_to_floats(dtype, &word, 1, &quick);
    if (isnan(want)) {
        assert_true(isnan(got) && isnan(quick));
        bp_dtype_store(dtype, &stored, got);
        assert_true(isnan(decode(dtype, stored)));
        return;
    }
    assert_true(got == want && quick == want && signbit(got) == signbit(want));
    bp_dtype_store(dtype, &stored, got);
    assert_int_equal(stored, word);
}

static void test_every_pattern(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        check_pattern(BP_DTYPE_F16, bits);
        check_pattern(BP_DTYPE_BF16, bits);
    }
}

static unsigned store(enum bp_dtype dtype, double value)
{
    uint16_t word;
    bp_dtype_store(dtype, &word, value);
    return word;
}

/* Between each pair of neighbours: just below the middle, the middle (to even), just above. */
static void test_rounding(void **state)
{
    (void)state;
    for (int dtype = BP_DTYPE_F16; dtype <= BP_DTYPE_BF16; dtype++) {
        unsigned infinity = dtype == BP_DTYPE_F16 ? 0x7c00 : 0x7f80;
        for (unsigned bits = 0; bits + 1 < infinity; bits++) {
            double low = decode((enum bp_dtype)dtype, bits);
            double high = decode((enum bp_dtype)dtype, bits + 1);
            double middle = (low + high) / 2;
            unsigned even = bits % 2 ? bits + 1 : bits;
            assert_int_equal(store((enum bp_dtype)dtype, nextafter(middle, 0)), bits);
            assert_int_equal(store((enum bp_dtype)dtype, middle), even);
            assert_int_equal(store((enum bp_dtype)dtype, nextafter(middle, INFINITY)), bits + 1);
            assert_int_equal(store((enum bp_dtype)dtype, -middle), even | 0x8000);
        }
        double largest = decode((enum bp_dtype)dtype, infinity - 1);
        double step = largest - decode((enum bp_dtype)dtype, infinity - 2);
        assert_int_equal(store((enum bp_dtype)dtype, nextafter(largest + step / 2, 0)),
                         infinity - 1);
        assert_int_equal(store((enum bp_dtype)dtype, largest + step / 2), infinity);
        assert_int_equal(store((enum bp_dtype)dtype, 1e300), infinity);
    }
}

static void test_dtype_names(void **state)
{
    (void)state;
    for (int i = 0; i < BP_DTYPE_COUNT; i++) {
        enum bp_dtype parsed = BP_DTYPE_COUNT;
        assert_true(bp_dtype_parse(bp_dtype_name((enum bp_dtype)i), &parsed));
        assert_int_equal(parsed, i);
    }
    enum bp_dtype untouched = BP_DTYPE_BF16;
    assert_false(bp_dtype_parse("fp8", &untouched));
    assert_int_equal(untouched, BP_DTYPE_BF16);
}

static const struct bp_shape examples[] = {
    {"full", 2, 4, 2, 5, 9, 8},
    {"causal", 1, 4, 4, 7, 7, 8, .causal = 1},
    {"offset", 1, 2, 1, 3, 11, 8, .causal = 1},
    {"masked", 2, 2, 1, 9, 4, 8, .causal = 1},
    {"window", 1, 2, 2, 12, 12, 16, .causal = 1, .window = 3},
    {"window only", 1, 2, 2, 6, 20, 16, .window = 5},
    {"ragged", 3, 6, 2, 4, 10, 8, .causal = 1, .window = 6, .ragged = 1, .kv_lens = {10, 3, 0}},
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

/* The mask as the kernel contract writes it. */
static bool sees(const struct bp_shape *s, uint32_t b, int i, int j)
{
    int length = (int)(s->ragged ? s->kv_lens[b] : s->kv_len), shift = length - (int)s->q_len;
    return j < length && (!s->causal || j <= i + shift) &&
           (!s->window || j > i + shift - (int)s->window);
}

static void test_masks_and_counts(void **state)
{
    (void)state;
    for (int e = 0; e < EXAMPLES; e++) {
        const struct bp_shape *s = &examples[e];
        double pairs = 0, touched = 0;
        for (uint32_t b = 0; b < s->batch; b++) {
            bool seen[32] = {false};
            for (uint32_t i = 0; i < s->q_len; i++) {
                uint32_t begin, end;
                bp_shape_visible(s, b, i, &begin, &end);
                for (uint32_t j = 0; j < s->kv_len; j++) {
                    assert_int_equal(sees(s, b, (int)i, (int)j), j >= begin && j < end);
                    pairs += sees(s, b, (int)i, (int)j);
                    seen[j] |= sees(s, b, (int)i, (int)j);
                }
            }
            for (uint32_t j = 0; j < s->kv_len; j++)
                touched += seen[j];
        }
        assert_true(bp_shape_flops_useful(s) == 4.0 * s->head_dim * s->q_heads * pairs);
        assert_true(bp_shape_bytes(s, BP_DTYPE_BF16) ==
                    2 * (2.0 * s->batch * s->q_heads * s->q_len * s->head_dim +
                         2 * touched * s->kv_heads * s->head_dim));
    }
    assert_true(bp_shape_flops_full(&examples[0]) == 4.0 * 2 * 4 * 5 * 9 * 8);
}

static void expect_refusal(struct bp_shape shape, const char *field)
{
    struct bp_error err = {0};
    assert_int_equal(bp_shape_check(&shape, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, field));
}

static void test_check(void **state)
{
    (void)state;
    struct bp_error err = {0};
    for (int e = 0; e < EXAMPLES; e++)
        assert_int_equal(bp_shape_check(&examples[e], &err), 0);
    struct bp_shape bad = examples[0];
    bad.q_heads = 3;
    expect_refusal(bad, "q_heads");
    bad = examples[0];
    bad.kv_heads = 0;
    expect_refusal(bad, "kv_heads");
    bad = examples[0];
    bad.head_dim = 12;
    expect_refusal(bad, "head_dim");
    bad = examples[0];
    bad.batch = BP_MAX_BATCH + 1;
    expect_refusal(bad, "batch");
    bad = examples[6];
    bad.kv_lens[1] = 11;
    expect_refusal(bad, "kv_lens");
    bad = examples[0];
    bad.kv_len = UINT32_MAX;
    expect_refusal(bad, "kv_len");
    bad = examples[0];
    memset(bad.name, 'x', sizeof bad.name);
    expect_refusal(bad, "name");
}

static void test_abi(void **state)
{
    (void)state;
    struct gqa_shape abi;
    gqa_i32 lengths[2] = {9, 9};
    bp_shape_to_abi(&examples[0], lengths, &abi);
    assert_int_equal(abi.abi, GQA_ABI);
    assert_int_equal(abi.q_stride[0], 4 * 5 * 8);
    assert_int_equal(abi.k_stride[1], 9 * 8);
    assert_int_equal(abi.v_stride[2], 8);
    assert_int_equal(abi.o_stride[1], 5 * 8);
    assert_ptr_equal(abi.kv_lens, lengths);
    assert_true(fabs(abi.scale - 1 / sqrt(8)) < 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pattern), cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_dtype_names),   cmocka_unit_test(test_masks_and_counts),
        cmocka_unit_test(test_check),         cmocka_unit_test(test_abi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
