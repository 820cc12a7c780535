/* Scalar operations, their condition code, and scalar floats. */
#include "tests/unit/isa/fixture.h"

struct scalar {
    const char *text; /* s1 and s2 are the sources, s0 the destination */
    uint32_t a, b;
    uint32_t wanted;
    int scc; /* -1: as before, which is 1 */
};

static void words(void **state)
{
    (void)state;
    static const struct scalar cases[] = {
        {"s_mov_b32 s0, s1", 7, 0, 7, -1},
        {"s_movk_i32 s0, 0xfff0", 0, 0, 0xfffffff0, -1},
        {"s_add_u32 s0, s1, s2", 0xffffffff, 2, 1, 1},
        {"s_add_co_u32 s0, s1, s2", 5, 2, 7, 0},
        {"s_addc_u32 s0, s1, s2", 0xffffffff, 0, 0, 1},
        {"s_sub_u32 s0, s1, s2", 1, 2, 0xffffffff, 1},
        {"s_subb_u32 s0, s1, s2", 5, 2, 2, 0},
        {"s_add_i32 s0, s1, s2", 0x7fffffff, 1, 0x80000000, 1},
        {"s_sub_i32 s0, s1, s2", 3, 5, 0xfffffffe, 0},
        {"s_mul_i32 s0, s1, s2", 0x10001, 0x10001, 0x20001, -1},
        {"s_mul_hi_u32 s0, s1, s2", 0x80000000, 6, 3, -1},
        {"s_mul_hi_i32 s0, s1, s2", 0x80000000, 6, 0xfffffffd, -1},
        {"s_and_b32 s0, s1, s2", 0xf0, 0x0f, 0, 0},
        {"s_andn2_b32 s0, s1, s2", 0xff, 0x0f, 0xf0, 1},
        {"s_and_not1_b32 s0, s1, s2", 0xff, 0x0f, 0xf0, 1},
        {"s_or_b32 s0, s1, 0x100", 0, 0, 0x100, 1},
        {"s_orn2_b32 s0, s1, s2", 0, 0xffffffff, 0, 0},
        {"s_xor_b32 s0, s1, s2", 5, 5, 0, 0},
        {"s_not_b32 s0, s1", 0xffffffff, 0, 0, 0},
        {"s_nor_b32 s0, s1, s2", 1, 2, 0xfffffffc, 1},
        {"s_lshl_b32 s0, s1, 4", 0xf0000001, 0, 0x10, 1},
        {"s_lshr_b32 s0, s1, s2", 0x80000000, 63, 1, 1},
        {"s_ashr_i32 s0, s1, 31", 0x80000000, 0, 0xffffffff, 1},
        {"s_bfe_u32 s0, s1, 0x80004", 0x12345678, 0, 0x67, 1},
        {"s_bfe_i32 s0, s1, 0x40004", 0xf0, 0, 0xffffffff, 1},
        {"s_bfm_b32 s0, s1, s2", 3, 4, 0x70, -1},
        {"s_brev_b32 s0, s1", 3, 0, 0xc0000000, -1},
        {"s_bcnt1_i32_b32 s0, s1", 0xf0f0, 0, 8, 1},
        {"s_ff1_i32_b32 s0, s1", 0x100, 0, 8, -1},
        {"s_ctz_i32_b32 s0, s1", 0, 0, 0xffffffff, -1},
        {"s_flbit_i32_b32 s0, s1", 1, 0, 31, -1},
        {"s_sext_i32_i16 s0, s1", 0x18000, 0, 0xffff8000, -1},
        {"s_abs_i32 s0, s1", 0xfffffffe, 0, 2, 1},
        {"s_absdiff_i32 s0, s1, s2", 0xfffffffe, 3, 5, 1},
        {"s_lshl2_add_u32 s0, s1, s2", 5, 1, 21, 0},
        {"s_min_i32 s0, s1, s2", 0xffffffff, 1, 0xffffffff, 1},
        {"s_max_u32 s0, s1, s2", 0xffffffff, 1, 0xffffffff, 1},
        {"s_cselect_b32 s0, s1, s2", 1, 2, 1, -1},
        {"s_pack_ll_b32_b16 s0, s1, s2", 0x11112222, 0x33334444, 0x44442222, -1},
        {"s_cmp_eq_u32 s1, s2", 4, 4, 99, 1},
        {"s_cmp_lg_u32 s1, s2", 4, 4, 99, 0},
        {"s_cmp_lt_i32 s1, s2", 0xffffffff, 0, 99, 1},
        {"s_cmp_lt_u32 s1, s2", 0xffffffff, 0, 99, 0},
        {"s_cmpk_lg_u32 s1, 0xffff", 0xffff, 0, 99, 0},
        {"s_cmpk_eq_i32 s1, 0xffff", 0xffffffff, 0, 99, 1},
        {"s_bitcmp1_b32 s1, 3", 8, 0, 99, 1},
        {"s_add_f32 s0, s1, s2", 0x3f800000, 0x40000000, 0x40400000, -1},
        {"s_fmamk_f32 s0, s1, 0x40000000, s2", 0x40400000, 0x3f800000, 0x40e00000, -1},
        {"s_cvt_f32_u32 s0, s1", 3, 0, 0x40400000, -1},
        {"s_cvt_i32_f32 s0, s1", 0xc0200000, 0, 0xfffffffe, -1},
        {"s_cmp_lt_f32 s1, s2", 0xbf800000, 0, 99, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct isa isa;
        isa_open(&isa, 12);
        isa.wave->sgpr[0] = 99;
        isa.wave->sgpr[1] = cases[i].a;
        isa.wave->sgpr[2] = cases[i].b;
        isa.wave->scc = 1;
        isa_must_run(&isa, cases[i].text);
        const uint32_t scc = cases[i].scc < 0 ? 1 : (uint32_t)cases[i].scc;
        if (isa.wave->sgpr[0] != cases[i].wanted || isa.wave->scc != scc)
            fail_msg("%s: %08x scc %u, not %08x scc %u", cases[i].text, isa.wave->sgpr[0],
                     isa.wave->scc, cases[i].wanted, scc);
        isa_close(&isa);
    }
}

static void in_place(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    isa.wave->sgpr[0] = 10;
    isa.wave->sgpr[1] = 3;
    isa.wave->sgpr[2] = 0;
    isa.wave->sgpr[3] = 0xffffffff;
    isa.wave->scc = 0;
    isa_must_run(&isa, "s_addk_i32 s0, 0xfffe\ns_mulk_i32 s1, 0x7\ns_bitset1_b32 s2, 5\n"
                       "s_cmovk_i32 s3, 0x5\n");
    assert_int_equal(isa.wave->sgpr[0], 8);
    assert_int_equal(isa.wave->sgpr[1], 21);
    assert_int_equal(isa.wave->sgpr[2], 32);
    assert_int_equal(isa.wave->sgpr[3], 0xffffffff);
    isa_close(&isa);
}

static void wide(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 12);
    isa.wave->sgpr[2] = 0x80000001;
    isa.wave->sgpr[3] = 0x00000001;
    isa_must_run(&isa, "s_bfe_i64 s[26:27], s[2:3], 0x10001f\n"
                       "s_bfe_i64 s[28:29], s[2:3], 0x2001f\n"
                       "s_bfe_i64 s[30:31], s[2:3], 0x1f\n"
                       "s_lshl_b64 s[4:5], s[2:3], 1\n"
                       "s_lshr_b64 s[6:7], s[2:3], 32\n"
                       "s_add_nc_u64 s[8:9], s[2:3], s[2:3]\n"
                       "s_mul_u64 s[10:11], s[2:3], s[2:3]\n"
                       "s_mov_b64 s[12:13], -1\n"
                       "s_bcnt1_i32_b64 s14, s[2:3]\n"
                       "s_mov_b64 s[16:17], 1.0\n"
                       "s_cmp_eq_u64 s[2:3], s[2:3]\n"
                       "s_mov_b64 s[18:19], src_private_base\n"
                       "s_mov_b32 null, 5\ns_mov_b32 s20, null\n");
    assert_int_equal(isa.wave->sgpr[4], 2);
    assert_int_equal(isa.wave->sgpr[5], 3);
    assert_int_equal(isa.wave->sgpr[6], 1);
    assert_int_equal(isa.wave->sgpr[7], 0);
    assert_int_equal(isa.wave->sgpr[9], 3);
    const uint64_t square = UINT64_C(0x180000001) * UINT64_C(0x180000001);
    assert_int_equal(isa.wave->sgpr[10], (uint32_t)square);
    assert_int_equal(isa.wave->sgpr[11], (uint32_t)(square >> 32));
    assert_int_equal(isa.wave->sgpr[13], 0xffffffff);
    assert_int_equal(isa.wave->sgpr[14], 3);
    assert_int_equal(isa.wave->sgpr[17], 0x3ff00000);
    assert_int_equal(isa.wave->scc, 1);
    assert_int_equal(isa.wave->sgpr[19], EMU_PRIVATE_APERTURE_HI);
    assert_int_equal(isa.wave->sgpr[20], 0);
    assert_int_equal(isa.wave->sgpr[26], 3); /* 16 bits from the 31st on, 2, and none */
    assert_int_equal(isa.wave->sgpr[27], 0);
    assert_int_equal(isa.wave->sgpr[28], 0xffffffff);
    assert_int_equal(isa.wave->sgpr[29], 0xffffffff);
    assert_int_equal(isa.wave->sgpr[30], 0);
    isa_close(&isa);
}

static void exec_masks(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    isa.wave->sgpr[EMU_EXEC] = 0xff00;
    isa.wave->sgpr[1] = 0x0ff0;
    isa_must_run(&isa, "s_and_saveexec_b32 s2, s1\n" /* 0f00 */
                       "s_mov_b32 s3, exec_lo\n"
                       "s_xor_b32 exec_lo, exec_lo, s2\n" /* f000 */
                       "s_or_saveexec_b32 s1, s1\n"       /* fff0, to the register it came from */
                       "s_mov_b32 s4, exec_lo\n"
                       "s_andn2_saveexec_b32 s5, s2\n" /* ff00 without fff0 */);
    assert_int_equal(isa.wave->sgpr[2], 0xff00);
    assert_int_equal(isa.wave->sgpr[3], 0x0f00);
    assert_int_equal(isa.wave->sgpr[1], 0xf000);
    assert_int_equal(isa.wave->sgpr[4], 0xfff0);
    assert_int_equal(isa.wave->sgpr[5], 0xfff0);
    assert_int_equal(isa.wave->sgpr[EMU_EXEC], 0);
    assert_int_equal(isa.wave->scc, 0);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(in_place),
        cmocka_unit_test(wide),
        cmocka_unit_test(exec_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
