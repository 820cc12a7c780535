/* WMMA in the register layouts of gfx11 and gfx12. */
#include "tests/unit/isa/fixture.h"

enum { SIDE = 16 };

static int a_of(int m, int k)
{
    return (m * 3 + k * 5) % 7 - 3;
}
static int b_of(int k, int n)
{
    return (k * 2 + n) % 9 - 4;
}
static int c_of(int m, int n)
{
    return m - 2 * n;
}

static uint32_t half_of(int value, bool bfloat)
{
    static const uint32_t halves[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400};
    const uint32_t sign = value < 0 ? 0x8000 : 0;
    const int size = value < 0 ? -value : value;
    return bfloat ? emu_bits((float)value) >> 16 : sign | halves[size];
}

/* Where row m, column n of C and D stands: the register and the lane. */
static void place_of(int generation, int m, int n, int *reg, int *lane)
{
    if (generation == 11) {
        *reg = m / 2;
        *lane = n + m % 2 * SIDE;
    } else {
        *reg = m % 8;
        *lane = n + m / 8 * SIDE;
    }
}

static void put_factors(struct isa *isa, int generation, bool bfloat)
{
    uint32_t(*v)[EMU_LANES] = isa->wave->vgpr;
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int i = 0; i < (generation == 11 ? 16 : 8); i++) {
            const int k = generation == 11 ? i : lane / SIDE * 8 + i, row = lane % SIDE;
            const int shift = i % 2 * 16;
            v[16 + i / 2][lane] = (i % 2 ? v[16 + i / 2][lane] : 0) | half_of(a_of(row, k), bfloat)
                                                                          << shift;
            v[24 + i / 2][lane] = (i % 2 ? v[24 + i / 2][lane] : 0) | half_of(b_of(k, row), bfloat)
                                                                          << shift;
        }
}

static void product(int generation, bool bfloat, const char *text, bool with_c)
{
    struct isa isa;
    isa_open(&isa, generation);
    put_factors(&isa, generation, bfloat);
    for (int m = 0; m < SIDE; m++)
        for (int n = 0; n < SIDE; n++) {
            int reg, lane;
            place_of(generation, m, n, &reg, &lane);
            isa.wave->vgpr[reg][lane] = emu_bits((float)c_of(m, n));
        }
    isa_must_run(&isa, text);
    for (int m = 0; m < SIDE; m++)
        for (int n = 0; n < SIDE; n++) {
            int reg, lane, wanted = with_c ? c_of(m, n) : 0;
            for (int k = 0; k < SIDE; k++)
                wanted += a_of(m, k) * b_of(k, n);
            place_of(generation, m, n, &reg, &lane);
            assert_true(emu_float(isa.wave->vgpr[reg][lane]) == (float)wanted);
        }
    assert_int_equal(isa.machine->counts[EMU_MATRIX], 1);
    isa_close(&isa);
}

static void products(void **state)
{
    (void)state;
    product(11, false, "v_wmma_f32_16x16x16_f16 v[0:7], v[16:23], v[24:31], v[0:7]", true);
    product(11, true, "v_wmma_f32_16x16x16_bf16 v[0:7], v[16:23], v[24:31], v[0:7]", true);
    product(12, false, "v_wmma_f32_16x16x16_f16 v[0:7], v[16:19], v[24:27], v[0:7]", true);
    product(12, true, "v_wmma_f32_16x16x16_bf16 v[0:7], v[16:19], v[24:27], v[0:7]", true);
    product(12, true, "v_wmma_f32_16x16x16_bf16 v[0:7], v[16:19], v[24:27], 0", false);
}

/* gfx12: rows 2 j and 2 j + 1 of a lane's eight in register j. */
static void half_sums(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 12);
    put_factors(&isa, 12, false);
    isa_must_run(&isa, "v_wmma_f16_16x16x16_f16 v[0:3], v[16:19], v[24:27], 1.0\n"
                       "v_cvt_f32_f16_e32 v4, v1\nv_cvt_f32_f16_e32 v5, v1.h\n");
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int i = 0; i < 2; i++) {
            int wanted = 1;
            for (int k = 0; k < SIDE; k++)
                wanted += a_of(lane / SIDE * 8 + 2 + i, k) * b_of(k, lane % SIDE);
            assert_true(emu_float(isa.wave->vgpr[4 + i][lane]) == (float)wanted);
        }
    isa_close(&isa);
}

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "v_wmma_f32_16x16x16_f16 v[0:7], v[16:19], v[24:27], v[0:7] neg_lo:[1,0,0]",
        "v_wmma_i32_16x16x16_iu4 v[0:7], v16, v24, v[0:7]",
    };
    for (size_t i = 0; i < 2; i++) {
        struct isa isa;
        isa_open(&isa, 12);
        assert_int_equal(isa_run(&isa, texts[i]), EMU_UNIMPLEMENTED);
        assert_non_null(strstr(isa.outcome.what, texts[i]));
        isa_close(&isa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(half_sums),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
