/* Vector operations on floats, conversions, IEEE division, output modifiers, modes. */
#include "tests/unit/isa/fixture.h"
#include <math.h>

#define F(x) emu_float(x)
#define WANTED(name, expression)                                                                   \
    static uint32_t name(uint32_t a, uint32_t b, uint32_t c, uint32_t before)                      \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)before;                                                   \
        return emu_bits((float)(expression));                                                      \
    }
#define WANTED_BITS(name, expression)                                                              \
    static uint32_t name(uint32_t a, uint32_t b, uint32_t c, uint32_t before)                      \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)before;                                                   \
        return (uint32_t)(expression);                                                             \
    }

WANTED(sum, F(a) + F(b))
WANTED(difference, F(a) - F(b))
WANTED(product, F(a) * F(b))
WANTED(fused, fmaf(F(a), F(b), F(c)))
WANTED(accumulated, fmaf(F(a), F(b), F(before)))
WANTED(negated, -F(a) + fabsf(F(b)))
WANTED(both_modifiers, -fabsf(F(a)) * F(b))
WANTED(truncated, truncf(F(a)))
WANTED(nearest, nearbyintf(F(a)))
WANTED(doubled, (F(a) + F(b)) * 2)
WANTED(quarter, F(a) * 0.25f)
WANTED(from_unsigned, a)
WANTED(from_signed, (int32_t)a)
WANTED(scaled, ldexpf(F(a), (int32_t)b))
WANTED(largest, fmaxf(fmaxf(F(a), F(b)), F(c)))

static float in_unit(float x)
{
    return x != x ? 0.f : x < 0 ? 0.f : x > 1 ? 1.f : x;
}
WANTED(clamped, in_unit(F(a) + F(b)))

static uint32_t to_unsigned(float x)
{
    return isnan(x) || x <= 0 ? 0 : x >= 0x1p32f ? UINT32_MAX : (uint32_t)x;
}
static uint32_t to_signed(float x)
{
    return isnan(x)        ? 0
           : x >= 0x1p31f  ? 0x7fffffff
           : x <= -0x1p31f ? 0x80000000
                           : (uint32_t)(int32_t)x;
}
WANTED_BITS(as_unsigned, to_unsigned(F(a)))
WANTED_BITS(as_signed, to_signed(F(a)))

static void arithmetic(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_add_f32_e32 v0, v1, v2", sum},
        {"v_sub_f32_e32 v0, v1, v2", difference},
        {"v_subrev_f32_e32 v0, v2, v1", difference},
        {"v_mul_f32_e32 v0, v1, v2", product},
        {"v_fma_f32 v0, v1, v2, v3", fused},
        {"v_fmac_f32_e32 v0, v1, v2", accumulated},
        {"v_add_f32_e64 v0, -v1, |v2|", negated},
        {"v_mul_f32_e64 v0, -|v1|, v2", both_modifiers},
        {"v_add_f32_e64 v0, v1, v2 clamp", clamped},
        {"v_add_f32_e64 v0, v1, v2 mul:2", doubled},
        {"v_mul_f32_e32 v0, 0.25, v1", quarter},
        {"v_mul_f32_e32 v0, 0x3e800000, v1", quarter},
        {"v_trunc_f32_e32 v0, v1", truncated},
        {"v_rndne_f32_e32 v0, v1", nearest},
        {"v_max3_f32 v0, v1, v2, v3", largest},
        {"v_max3_num_f32 v0, v1, v2, v3", largest},
        {"v_cvt_u32_f32_e32 v0, v1", as_unsigned},
        {"v_cvt_i32_f32_e32 v0, v1", as_signed},
    };
    isa_check_float_vectors(cases, sizeof cases / sizeof cases[0], isa_fill_floats);
}

static void of_integers(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_cvt_f32_u32_e32 v0, v1", from_unsigned},
        {"v_cvt_f32_i32_e32 v0, v1", from_signed},
        {"v_ldexp_f32 v0, v1, v2", scaled},
    };
    isa_check_float_vectors(cases, sizeof cases / sizeof cases[0], isa_fill_integers);
}

/* Within a unit in the last place of what the C library gives for normal numbers. */
static void transcendental(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double (*wanted)(double x);
        float from, step;
    } cases[] = {
        {"v_exp_f32_e32 v0, v1", exp2, -120.f, 7.3f},
        {"v_log_f32_e32 v0, v1", log2, 0.001f, 91.f},
        {"v_sqrt_f32_e32 v0, v1", sqrt, 0.f, 0.7f},
        {"v_s_exp_f32 s0, s1", exp2, -3.f, 0.f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct isa isa;
        isa_open(&isa, 12);
        for (int lane = 0; lane < EMU_LANES; lane++)
            isa.wave->vgpr[1][lane] = emu_bits(cases[i].from + (float)lane * cases[i].step);
        isa.wave->sgpr[1] = emu_bits(cases[i].from);
        isa_must_run(&isa, cases[i].text);
        for (int lane = 0; lane < EMU_LANES; lane++) {
            const bool scalar = cases[i].step == 0.f;
            const float got = F(scalar ? isa.wave->sgpr[0] : isa.wave->vgpr[0][lane]);
            const double wanted = cases[i].wanted((double)F(isa.wave->vgpr[1][lane]));
            assert_true(fabs((double)got - wanted) <= fabs(wanted) * 0x1p-23);
        }
        isa_close(&isa);
    }
}

/* The sequence that compilers make of a / b must give the IEEE quotient. */
static void division(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 40; round++) {
        struct isa isa;
        isa_open(&isa, 10);
        isa_fill_floats(isa.wave->vgpr[1], 2 * round);
        isa_fill_floats(isa.wave->vgpr[2], 2 * round + 1);
        isa_must_run(&isa, "v_div_scale_f32 v3, s0, v2, v2, v1\n"
                           "v_div_scale_f32 v4, vcc_lo, v1, v2, v1\n"
                           "v_rcp_f32_e32 v5, v3\n"
                           "v_fma_f32 v6, -v3, v5, 1.0\n"
                           "v_fmac_f32_e32 v5, v6, v5\n"
                           "v_mul_f32_e32 v7, v4, v5\n"
                           "v_fma_f32 v8, -v3, v7, v4\n"
                           "v_fmac_f32_e32 v7, v8, v5\n"
                           "v_fma_f32 v4, -v3, v7, v4\n"
                           "v_div_fmas_f32 v4, v4, v5, v7\n"
                           "v_div_fixup_f32 v0, v4, v2, v1\n");
        for (int lane = 0; lane < EMU_LANES; lane++) {
            const float a = F(isa.wave->vgpr[1][lane]), b = F(isa.wave->vgpr[2][lane]);
            isa_assert_float(isa.wave->vgpr[0][lane], emu_bits(a / b), "division", lane);
        }
        isa_close(&isa);
    }
}

/* MODE decides whether subnormal floats are zeros. */
static void subnormals(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    isa.wave->vgpr[1][0] = 0x00400000;
    isa.wave->vgpr[2][0] = 0x00800000;
    isa_must_run(&isa, "v_add_f32_e32 v3, v1, v1\n"
                       "s_denorm_mode 12 ; 0x000c\n" /* floats: neither inputs nor results */
                       "v_add_f32_e32 v4, v1, v1\n"
                       "v_mul_f32_e32 v5, 0.5, v2\n"
                       "s_denorm_mode 15 ; 0x000f\n"
                       "v_mul_f32_e32 v6, 0.5, v2\n");
    assert_int_equal(isa.wave->vgpr[3][0], 0x00800000);
    assert_int_equal(isa.wave->vgpr[4][0], 0);
    assert_int_equal(isa.wave->vgpr[5][0], 0);
    assert_int_equal(isa.wave->vgpr[6][0], 0x00400000);
    assert_int_equal(isa_run(&isa, "s_round_mode 1 ; 0x0001"), EMU_UNIMPLEMENTED);
    assert_non_null(strstr(isa.outcome.what, "s_round_mode"));
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),     cmocka_unit_test(of_integers),
        cmocka_unit_test(transcendental), cmocka_unit_test(division),
        cmocka_unit_test(subnormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
