/* Halves, alone and two a register, and in sums of floats. */
#include "tests/unit/isa/fixture.h"
#include <math.h>

/* Independent of the processor's conversions: from the definition of binary16. */
static double value_of(uint32_t bits)
{
    const int exponent = bits >> 10 & 31;
    const double fraction = bits & 0x3ff, sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

/* The half nearest to a value, ties to even, by search among all of them. `rest` says on which side of
 * the double `x` the exact value lies. */
static uint32_t nearest(double x, double rest)
{
    const uint32_t sign = signbit(x) ? 0x8000 : 0;
    uint32_t low = 0, high = 0x7c00;
    const double size = fabs(x), beyond = signbit(x) ? -rest : rest;
    if (isnan(x))
        return 0x7e00;
    if (isinf(x))
        return sign | 0x7c00;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (value_of(middle) < size || (value_of(middle) == size && beyond >= 0))
            low = middle;
        else
            high = middle;
    }
    const double upper = high == 0x7c00 ? 65536 : value_of(high);
    const double tie = (value_of(low) + upper) / 2;
    const bool up = size > tie || (size == tie && (beyond > 0 || (beyond == 0 && low & 1)));
    return sign | (up ? high : low);
}

static uint32_t fused(uint32_t a, uint32_t b, uint32_t c)
{
    const long double product = (long double)value_of(a) * value_of(b);
    const long double sum = product + value_of(c); /* 64 bits: exact but for the far ends */
    return nearest((double)sum, (double)(sum - (double)sum));
}

#define HALF(name, expression)                                                                     \
    static uint32_t name(uint32_t a, uint32_t b, uint32_t c, uint32_t before)                      \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)before;                                                   \
        const uint32_t result = (expression);                                                      \
        return (before & 0xffff0000) | result;                                                     \
    }
#define V(x) value_of((x)&0xffff)

HALF(sum, nearest(V(a) + V(b), 0))
HALF(difference, nearest(V(a) - V(b), 0))
HALF(product, nearest(V(a) * V(b), 0))
HALF(fma_, fused(a & 0xffff, b & 0xffff, c & 0xffff))
HALF(root, nearest(sqrt(V(a)), 0))
HALF(upper_sum, nearest(V(a >> 16) + V(b), 0))

static bool is_nan(uint32_t half)
{
    return (half & 0x7fff) > 0x7c00;
}

/* NaN differ in their bits; so compares by hand what isa_check_vectors() compares. */
static void check(const struct isa_vector *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (uint32_t round = 0; round < 20; round++) {
            struct isa isa;
            uint32_t before[4][EMU_LANES];
            isa_open(&isa, 11);
            for (uint32_t v = 1; v < 4; v++)
                isa_fill_halves(isa.wave->vgpr[v], round * 16 + v);
            memcpy(before, isa.wave->vgpr, sizeof before);
            isa_must_run(&isa, cases[i].text);
            for (int lane = 0; lane < EMU_LANES; lane++) {
                const uint32_t got = isa.wave->vgpr[0][lane];
                const uint32_t wanted = cases[i].wanted(before[1][lane], before[2][lane],
                                                        before[3][lane], before[0][lane]);
                const bool same_low =
                    (got ^ wanted) << 16 == 0 || (is_nan(got & 0xffff) && is_nan(wanted & 0xffff));
                const bool same_high =
                    got >> 16 == wanted >> 16 || (is_nan(got >> 16) && is_nan(wanted >> 16));
                if (!same_low || !same_high)
                    fail_msg("%s: lane %d of %08x, %08x, %08x is %08x, not %08x", cases[i].text,
                             lane, before[1][lane], before[2][lane], before[3][lane], got, wanted);
            }
            isa_close(&isa);
        }
}

static void single(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_add_f16_e32 v0, v1, v2", sum},
        {"v_sub_f16_e32 v0, v1, v2", difference},
        {"v_mul_f16_e32 v0, v1, v2", product},
        {"v_fma_f16 v0, v1, v2, v3", fma_},
        {"v_sqrt_f16_e32 v0, v1", root},
        {"v_add_f16_e64 v0, v1, v2 op_sel:[1,0,0]", upper_sum},
        {"v_add_f16_e32 v0.l, v1.h, v2.l", upper_sum},
    };
    check(cases, sizeof cases / sizeof cases[0]);
}

#define PAIR(name, low, high)                                                                      \
    static uint32_t name(uint32_t a, uint32_t b, uint32_t c, uint32_t before)                      \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)before;                                                   \
        return (low) | (high) << 16;                                                               \
    }
PAIR(two_sums, nearest(V(a) + V(b), 0), nearest(V(a >> 16) + V(b >> 16), 0))
PAIR(two_products, nearest(V(a) * V(b), 0), nearest(V(a >> 16) * V(b >> 16), 0))
PAIR(two_fmas, fused(a & 0xffff, b & 0xffff, c & 0xffff), fused(a >> 16, b >> 16, c >> 16))
PAIR(crossed, nearest(V(a >> 16) + V(b), 0), nearest(V(a) - V(b >> 16), 0))
PAIR(with_one, nearest(V(a) + 1, 0), nearest(V(a >> 16) + 1, 0))
PAIR(short_sums, (a + b) & 0xffff, (a >> 16) + (b >> 16))
PAIR(short_mads, (a * b + c) & 0xffff, (a >> 16) * (b >> 16) + (c >> 16))
PAIR(shifts, (b << a % 16) & 0xffff, b >> 16 << (a >> 16) % 16)

static void packed(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_pk_add_f16 v0, v1, v2", two_sums},
        {"v_pk_mul_f16 v0, v1, v2", two_products},
        {"v_pk_fma_f16 v0, v1, v2, v3", two_fmas},
        {"v_pk_add_f16 v0, v1, v2 op_sel:[1,0] op_sel_hi:[0,1] neg_hi:[0,1]", crossed},
        {"v_pk_add_f16 v0, v1, 1.0 op_sel_hi:[1,0]", with_one},
    };
    check(cases, sizeof cases / sizeof cases[0]);
    static const struct isa_vector integers[] = {
        {"v_pk_add_u16 v0, v1, v2", short_sums},
        {"v_pk_mad_u16 v0, v1, v2, v3", short_mads},
        {"v_pk_lshlrev_b16 v0, v1, v2", shifts},
    };
    isa_check_vectors(integers, sizeof integers / sizeof integers[0], isa_fill_integers);
}

static void conversions(void **state)
{
    (void)state;
    struct isa isa;
    for (uint32_t round = 0; round < 20; round++) {
        isa_open(&isa, 10);
        isa_fill_halves(isa.wave->vgpr[1], round);
        isa_fill_floats(isa.wave->vgpr[2], round);
        isa.wave->vgpr[2][0] = emu_bits(65519.99f); /* the last one that is not infinite */
        isa.wave->vgpr[2][1] = emu_bits(0x1p-25f);  /* half of the least subnormal */
        isa.wave->vgpr[2][2] = emu_bits(0x1.8p-24f);
        isa_must_run(&isa, "v_cvt_f32_f16_e32 v3, v1\n"
                           "v_cvt_f32_f16_sdwa v4, v1 dst_sel:DWORD dst_unused:UNUSED_PAD "
                           "src0_sel:WORD_1\n"
                           "v_mov_b32_e32 v5, 0xabcd1234\n"
                           "v_cvt_f16_f32_e32 v5, v2\n"
                           "v_cvt_pkrtz_f16_f32_e32 v6, v2, 1.0\n");
        for (int lane = 0; lane < EMU_LANES; lane++) {
            const uint32_t halves = isa.wave->vgpr[1][lane], bits = isa.wave->vgpr[2][lane];
            isa_assert_float(isa.wave->vgpr[3][lane], emu_bits((float)V(halves)), "lower", lane);
            isa_assert_float(isa.wave->vgpr[4][lane], emu_bits((float)V(halves >> 16)), "upper",
                             lane);
            const uint32_t narrow = isa.wave->vgpr[5][lane],
                           exact = nearest((double)emu_float(bits), 0);
            assert_int_equal(narrow >> 16, 0xabcd);
            assert_true((narrow & 0xffff) == exact || (is_nan(exact) && is_nan(narrow & 0xffff)));
            const uint32_t zeroward = isa.wave->vgpr[6][lane];
            assert_int_equal(zeroward >> 16, 0x3c00);
            if (!is_nan(exact))
                assert_true(fabs(V(zeroward)) <= fabs((double)emu_float(bits)));
        }
        isa_close(&isa);
    }
}

static void mixed(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        isa.wave->vgpr[1][lane] = 0x3800c000; /* 0.5, -2 */
        isa.wave->vgpr[2][lane] = emu_bits((float)lane);
        isa.wave->vgpr[3][lane] = 0x00004200; /* 0, 3 */
        isa.wave->vgpr[6][lane] = isa.wave->vgpr[7][lane] = 0x11112222;
        isa.wave->vgpr[8][lane] = emu_bits(10.f);
    }
    isa_must_run(&isa, "v_fma_mix_f32 v4, v1, v2, v3 op_sel_hi:[1,0,1]\n"
                       "v_fma_mix_f32 v5, v1, -v2, 1.0 op_sel:[1,0,0] op_sel_hi:[1,0,0]\n"
                       "v_fma_mixlo_f16 v6, v1, v2, v3 op_sel_hi:[1,0,1]\n"
                       "v_fma_mixhi_f16 v7, v1, v2, v3 op_sel_hi:[1,0,1]\n"
                       "v_dot2_f32_f16 v9, v1, v1, v8\n");
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const float sum = -2.f * (float)lane + 3.f;
        assert_int_equal(isa.wave->vgpr[4][lane], emu_bits(sum));
        assert_int_equal(isa.wave->vgpr[5][lane], emu_bits(0.5f * (float)-lane + 1.f));
        assert_int_equal(isa.wave->vgpr[6][lane], 0x11110000 | nearest((double)sum, 0));
        assert_int_equal(isa.wave->vgpr[7][lane], 0x2222 | nearest((double)sum, 0) << 16);
        assert_int_equal(isa.wave->vgpr[9][lane], emu_bits(10.f + 4.f + 0.25f));
    }
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single),
        cmocka_unit_test(packed),
        cmocka_unit_test(conversions),
        cmocka_unit_test(mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
