/* Vector operations on 64 bits. */
#include "tests/unit/isa/fixture.h"
#include <math.h>

static uint64_t pair(const struct isa *isa, int v, int lane)
{
    return (uint64_t)isa->wave->vgpr[v + 1][lane] << 32 | isa->wave->vgpr[v][lane];
}

static void integers(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 10; round++) {
        struct isa isa;
        isa_open(&isa, 10);
        for (uint32_t v = 2; v < 8; v++)
            isa_fill_integers(isa.wave->vgpr[v], round * 8 + v);
        isa.wave->sgpr[8] = 77;
        isa.wave->sgpr[9] = 0;
        isa_must_run(&isa, "v_lshlrev_b64 v[10:11], v2, v[4:5]\n"
                           "v_lshrrev_b64 v[12:13], 3, v[4:5]\n"
                           "v_ashrrev_i64 v[14:15], v2, v[4:5]\n"
                           "v_mad_u64_u32 v[16:17], s4, v2, v3, v[6:7]\n"
                           "v_mad_i64_i32 v[18:19], null, v2, v3, s[8:9]\n"
                           "v_lshlrev_b64 v[20:21], 2, -1\n");
        for (int lane = 0; lane < EMU_LANES; lane++) {
            const uint32_t a = isa.wave->vgpr[2][lane], b = isa.wave->vgpr[3][lane];
            const uint64_t wide = pair(&isa, 4, lane), other = pair(&isa, 6, lane);
            const __uint128_t sum = (__uint128_t)((uint64_t)a * b) + other;
            assert_true(pair(&isa, 10, lane) == wide << a % 64);
            assert_true(pair(&isa, 12, lane) == wide / 8);
            assert_true(pair(&isa, 14, lane) == (uint64_t)((int64_t)wide >> a % 64));
            assert_true(pair(&isa, 16, lane) == (uint64_t)sum);
            assert_int_equal(isa.wave->sgpr[4] >> lane & 1, (int)(sum >> 64));
            assert_true(pair(&isa, 18, lane) == (uint64_t)((int64_t)(int32_t)a * (int32_t)b + 77));
            assert_true(pair(&isa, 20, lane) == UINT64_MAX << 2);
        }
        isa_close(&isa);
    }
}

static void doubles(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint64_t a = emu_double_bits(1.1 * lane), b = emu_double_bits(lane - 7.7);
        isa.wave->vgpr[2][lane] = (uint32_t)a;
        isa.wave->vgpr[3][lane] = (uint32_t)(a >> 32);
        isa.wave->vgpr[4][lane] = (uint32_t)b;
        isa.wave->vgpr[5][lane] = (uint32_t)(b >> 32);
    }
    isa_must_run(&isa, "v_add_f64 v[6:7], v[2:3], -v[4:5]\n"
                       "v_mul_f64 v[8:9], |v[4:5]|, 4.0\n"
                       "v_fma_f64 v[10:11], v[2:3], v[4:5], 1.0\n"
                       "v_cvt_f32_f64_e32 v12, v[2:3]\n"
                       "v_cvt_i32_f64_e32 v13, v[4:5]\n"
                       "v_mul_f64 v[14:15], v[2:3], 0x40080000\n");
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const double a = 1.1 * lane, b = lane - 7.7;
        assert_true(emu_double(pair(&isa, 6, lane)) == a - b);
        assert_true(emu_double(pair(&isa, 8, lane)) == fabs(b) * 4);
        assert_true(emu_double(pair(&isa, 10, lane)) == fma(a, b, 1));
        assert_true(emu_float(isa.wave->vgpr[12][lane]) == (float)a);
        assert_int_equal((int32_t)isa.wave->vgpr[13][lane], (int32_t)b);
        assert_true(emu_double(pair(&isa, 14, lane)) == a * 3);
    }
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(integers), cmocka_unit_test(doubles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
