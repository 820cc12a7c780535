/* Vector comparisons, into masks and into EXEC. */
#include "tests/unit/isa/fixture.h"
#include <math.h>

struct comparison {
    const char *text;
    bool (*wanted)(uint32_t a, uint32_t b);
};

#define WANTED(name, expression)                                                                   \
    static bool name(uint32_t a, uint32_t b)                                                       \
    {                                                                                              \
        return (expression);                                                                       \
    }
#define F(x) emu_float(x)
WANTED(less, a < b)
WANTED(less_signed, (int32_t)a < (int32_t)b)
WANTED(equal, a == b)
WANTED(unequal, a != b)
WANTED(at_least_signed, (int32_t)a >= (int32_t)b)
WANTED(float_greater, F(a) > F(b))
WANTED(float_not_less, isnan(F(a)) || isnan(F(b)) || F(a) >= F(b))
WANTED(float_apart, F(a) < F(b) || F(a) > F(b))
WANTED(unordered, isnan(F(a)) || isnan(F(b)))
WANTED(low_less, (a & 0xffff) < (b & 0xffff))

static void check(const struct comparison *comparison, isa_fill *fill, uint32_t round)
{
    struct isa isa;
    uint32_t wanted = 0;
    const uint32_t exec = round % 2 ? UINT32_MAX : 0x8ff0f0f1;
    isa_open(&isa, 10);
    fill(isa.wave->vgpr[1], round * 2);
    fill(isa.wave->vgpr[2], round * 2 + 1);
    isa.wave->sgpr[EMU_EXEC] = exec;
    isa_must_run(&isa, comparison->text);
    for (int lane = 0; lane < EMU_LANES; lane++)
        wanted |= (uint32_t)comparison->wanted(isa.wave->vgpr[1][lane], isa.wave->vgpr[2][lane])
                  << lane;
    const bool to_exec = strncmp(comparison->text, "v_cmpx", 6) == 0;
    const bool to_s5 = strstr(comparison->text, " s5") != NULL;
    const uint32_t got = isa.wave->sgpr[to_exec ? EMU_EXEC : to_s5 ? 5 : EMU_VCC];
    if (got != (wanted & exec))
        fail_msg("%s: %08x, not %08x", comparison->text, got, wanted & exec);
    isa_close(&isa);
}

static void comparisons(void **state)
{
    (void)state;
    static const struct comparison integers[] = {
        {"v_cmp_lt_u32_e32 vcc_lo, v1, v2", less},
        {"v_cmp_lt_i32_e64 s5, v1, v2", less_signed},
        {"v_cmp_eq_u32_e32 vcc_lo, v1, v2", equal},
        {"v_cmp_ne_u32_e32 vcc_lo, v1, v2", unequal},
        {"v_cmp_ge_i32_e64 s5, v1, v2", at_least_signed},
        {"v_cmpx_lt_u32_e32 v1, v2", less},
        {"v_cmpx_ge_i32_e64 v1, v2", at_least_signed},
        {"v_cmp_lt_u16_e64 s5, v1, v2", low_less},
    };
    static const struct comparison floats[] = {
        {"v_cmp_gt_f32_e32 vcc_lo, v1, v2", float_greater},
        {"v_cmp_nlt_f32_e64 s5, v1, v2", float_not_less},
        {"v_cmp_lg_f32_e64 s5, v1, v2", float_apart},
        {"v_cmp_u_f32_e64 s5, v1, v2", unordered},
        {"v_cmpx_gt_f32_e64 v1, v2", float_greater},
    };
    for (uint32_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
            check(&integers[i], isa_fill_integers, round);
        for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
            check(&floats[i], isa_fill_floats, round);
    }
}

static void wide(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        isa.wave->vgpr[1][lane] = 0xffffffff;
        isa.wave->vgpr[2][lane] = (uint32_t)lane - 16;
    }
    isa_must_run(&isa,
                 "v_cmp_gt_i64_e64 s5, 0, v[1:2]\nv_cmp_gt_u64_e64 s6, 0x100000000, v[1:2]\n");
    assert_int_equal(isa.wave->sgpr[5], 0x0000ffff);
    assert_int_equal(isa.wave->sgpr[6], 0x00010000);
    isa_close(&isa);
}

static void classes(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    static const uint32_t values[] = {0x7f800001, 0x7fc00000, 0xff800000, 0xbf800000, 0x80000001,
                                      0x80000000, 0,          1,          0x3f800000, 0x7f800000};
    for (uint32_t lane = 0; lane < 10; lane++) {
        isa.wave->vgpr[1][lane] = values[lane];
        isa.wave->vgpr[2][lane] = 1u << lane;
    }
    isa_must_run(&isa, "v_cmp_class_f32_e64 s5, v1, v2\nv_cmp_class_f32_e64 s6, v1, 0x204\n");
    assert_int_equal(isa.wave->sgpr[5] & 0x3ff, 0x3ff);
    assert_int_equal(isa.wave->sgpr[6] & 0x3ff, 0x204); /* the two infinities */
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons),
        cmocka_unit_test(wide),
        cmocka_unit_test(classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
