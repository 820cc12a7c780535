/* Vector operations on integers of 32 and 16 bits, with SDWA. */
#include "tests/unit/isa/fixture.h"

#define WANTED(name, expression)                                                                   \
    static uint32_t name(uint32_t a, uint32_t b, uint32_t c, uint32_t before)                      \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)before;                                                   \
        return (uint32_t)(expression);                                                             \
    }
#define I(x) ((int64_t)(int32_t)(x))
#define U(x) ((uint64_t)(x))

static uint32_t bits_set(uint64_t x)
{
    uint32_t n = 0;
    for (; x; x >>= 1)
        n += x & 1;
    return n;
}
static uint32_t highest_from_top(uint32_t x)
{
    uint32_t n = 0;
    for (; n < 32; n++)
        if (x >> (31 - n) & 1)
            return n;
    return UINT32_MAX;
}
static uint32_t lowest(uint32_t x)
{
    for (uint32_t n = 0; n < 32; n++)
        if (x >> n & 1)
            return n;
    return UINT32_MAX;
}
static uint32_t reversed(uint32_t x)
{
    uint32_t r = 0;
    for (int i = 0; i < 32; i++)
        r |= (x >> i & 1) << (31 - i);
    return r;
}
static int64_t middle(int64_t a, int64_t b, int64_t c)
{
    const int64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}
static int64_t signed24(uint32_t x)
{
    const int64_t low = x & 0xffffff;
    return low >= 0x800000 ? low - 0x1000000 : low;
}

WANTED(copied, a)
WANTED(inverted, ~a)
WANTED(sum, U(a) + b)
WANTED(difference, U(a) - b)
WANTED(reverse_difference, U(b) - a)
WANTED(low_product, U(a) * b)
WANTED(high_product, U(a) * b >> 32)
WANTED(signed_high_product, (uint64_t)(I(a) * I(b)) >> 32)
WANTED(product24, U(a & 0xffffff) * (b & 0xffffff))
WANTED(sum_of_product24, U(a & 0xffffff) * (b & 0xffffff) + c)
WANTED(signed_product24, signed24(a) * signed24(b))
WANTED(shifted_left, U(b) << a % 32)
WANTED(shifted_right, U(b) >> a % 32)
WANTED(shifted_signed, I(b) >> a % 32)
WANTED(both, a &b)
WANTED(either, a | b)
WANTED(unlike, a ^ b)
WANTED(like, ~a ^ b)
WANTED(shift_sum, (U(a) << b % 32) + c)
WANTED(shift_or, U(a) << b % 32 | c)
WANTED(sum_shift, (U(a) + b) << c % 32)
WANTED(three, U(a) + b + c)
WANTED(three_or, a | b | c)
WANTED(masked_or, (a & b) | c)
WANTED(xor_sum, U(a ^ b) + c)
WANTED(field, U(a) >> b % 32 & ((UINT64_C(1) << c % 32) - 1))
WANTED(inserted, (a & b) + (~a & c))
WANTED(aligned, (U(a) << 32 | b) >> c % 32)
WANTED(larger, I(a) > I(b) ? a : b)
WANTED(smaller_unsigned, a < b ? a : b)
WANTED(largest, I(a) > I(b) ? (I(a) > I(c) ? a : c) : I(b) > I(c) ? b : c)
WANTED(median, middle(I(a), I(b), I(c)))
WANTED(count, bits_set(a) + b)
WANTED(from_top, highest_from_top(a))
WANTED(from_bottom, lowest(a))
WANTED(mirrored, reversed(a))
WANTED(packed, (a & 0xffff) | b << 16)
WANTED(dotted, c + (a & 255) * (b & 255) + (a >> 8 & 255) * (b >> 8 & 255) +
                   (a >> 16 & 255) * (b >> 16 & 255) + (a >> 24) * (b >> 24))
WANTED(constant, 64 + U(b))
WANTED(literal, 0x12345678 ^ b)
WANTED(negative_constant, U(b) - 16)

static void words(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_mov_b32_e32 v0, v1", copied},
        {"v_not_b32_e32 v0, v1", inverted},
        {"v_add_nc_u32_e32 v0, v1, v2", sum},
        {"v_sub_nc_u32_e32 v0, v1, v2", difference},
        {"v_subrev_nc_u32_e32 v0, v1, v2", reverse_difference},
        {"v_mul_lo_u32 v0, v1, v2", low_product},
        {"v_mul_hi_u32 v0, v1, v2", high_product},
        {"v_mul_hi_i32 v0, v1, v2", signed_high_product},
        {"v_mul_u32_u24_e32 v0, v1, v2", product24},
        {"v_mad_u32_u24 v0, v1, v2, v3", sum_of_product24},
        {"v_mul_i32_i24_e32 v0, v1, v2", signed_product24},
        {"v_lshlrev_b32_e32 v0, v1, v2", shifted_left},
        {"v_lshrrev_b32_e32 v0, v1, v2", shifted_right},
        {"v_ashrrev_i32_e32 v0, v1, v2", shifted_signed},
        {"v_and_b32_e32 v0, v1, v2", both},
        {"v_or_b32_e32 v0, v1, v2", either},
        {"v_xor_b32_e32 v0, v1, v2", unlike},
        {"v_xnor_b32_e32 v0, v1, v2", like},
        {"v_lshl_add_u32 v0, v1, v2, v3", shift_sum},
        {"v_lshl_or_b32 v0, v1, v2, v3", shift_or},
        {"v_add_lshl_u32 v0, v1, v2, v3", sum_shift},
        {"v_add3_u32 v0, v1, v2, v3", three},
        {"v_or3_b32 v0, v1, v2, v3", three_or},
        {"v_and_or_b32 v0, v1, v2, v3", masked_or},
        {"v_xad_u32 v0, v1, v2, v3", xor_sum},
        {"v_bfe_u32 v0, v1, v2, v3", field},
        {"v_bfi_b32 v0, v1, v2, v3", inserted},
        {"v_alignbit_b32 v0, v1, v2, v3", aligned},
        {"v_max_i32_e32 v0, v1, v2", larger},
        {"v_min_u32_e32 v0, v1, v2", smaller_unsigned},
        {"v_max3_i32 v0, v1, v2, v3", largest},
        {"v_med3_i32 v0, v1, v2, v3", median},
        {"v_bcnt_u32_b32 v0, v1, v2", count},
        {"v_ffbh_u32_e32 v0, v1", from_top},
        {"v_clz_i32_u32_e32 v0, v1", from_top},
        {"v_ffbl_b32_e32 v0, v1", from_bottom},
        {"v_bfrev_b32_e32 v0, v1", mirrored},
        {"v_pack_b32_f16 v0, v1, v2", packed},
        {"v_dot4_u32_u8 v0, v1, v2, v3", dotted},
        {"v_add_nc_u32_e32 v0, 64, v2", constant},
        {"v_xor_b32_e32 v0, 0x12345678, v2", literal},
        {"v_add_nc_u32_e64 v0, v2, -16", negative_constant},
    };
    isa_check_vectors(cases, sizeof cases / sizeof cases[0], isa_fill_integers);
}

/* Sixteen bits: the upper half of the destination stays. */
#define WANTED16(name, expression)                                                                 \
    WANTED(name, (before & 0xffff0000) | ((uint32_t)(expression)&0xffff))
#define UPPER(name, expression) WANTED(name, (before & 0xffff) | (uint32_t)(expression) << 16)
#define S(x) ((int16_t)(x))

WANTED16(sum16, a + b)
WANTED16(difference16, a - b)
WANTED16(product16, a *b)
WANTED16(left16, b << a % 16)
WANTED16(right16, (b & 0xffff) >> a % 16)
WANTED16(signed_right16, S(b) >> a % 16)
WANTED16(larger16, S(a) > S(b) ? a : b)
UPPER(upper_sum, (a >> 16) + b)
WANTED(mad_u32_u16, (a & 0xffff) * (b & 0xffff) + c)

static void halves(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_add_nc_u16 v0, v1, v2", sum16},
        {"v_sub_nc_u16 v0, v1, v2", difference16},
        {"v_mul_lo_u16 v0, v1, v2", product16},
        {"v_lshlrev_b16 v0, v1, v2", left16},
        {"v_lshrrev_b16 v0, v1, v2", right16},
        {"v_ashrrev_i16 v0, v1, v2", signed_right16},
        {"v_max_i16 v0, v1, v2", larger16},
        {"v_add_nc_u16 v0, v1, v2 op_sel:[1,0,1]", upper_sum},
        {"v_add_nc_u16 v0.h, v1.h, v2.l", upper_sum},
        {"v_mad_u32_u16 v0, v1, v2, v3", mad_u32_u16},
    };
    isa_check_vectors(cases, sizeof cases / sizeof cases[0], isa_fill_integers);
}

WANTED(word_or, a >> 16 | b)
WANTED(byte_product, (a >> 8 & 0xff) * (c >> 16 & 0xff))
WANTED(padded, ((a + b) & 0xffff) << 16)
WANTED(preserved, (before & 0xffff) | ((a + b) & 0xffff) << 16)
WANTED(extended, (int32_t)(int8_t)(a >> 16) + (int64_t)b)

static void sub_dwords(void **state)
{
    (void)state;
    static const struct isa_vector cases[] = {
        {"v_or_b32_sdwa v0, v1, v2 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:WORD_1 "
         "src1_sel:DWORD",
         word_or},
        {"v_mul_u32_u24_sdwa v0, v1, v3 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:BYTE_1 "
         "src1_sel:BYTE_2",
         byte_product},
        {"v_add_nc_u32_sdwa v0, v1, v2 dst_sel:WORD_1 dst_unused:UNUSED_PAD src0_sel:DWORD "
         "src1_sel:DWORD",
         padded},
        {"v_add_nc_u32_sdwa v0, v1, v2 dst_sel:WORD_1 dst_unused:UNUSED_PRESERVE src0_sel:DWORD "
         "src1_sel:DWORD",
         preserved},
        {"v_add_nc_u32_sdwa v0, sext(v1), v2 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:BYTE_2 "
         "src1_sel:DWORD",
         extended},
    };
    isa_check_vectors(cases, sizeof cases / sizeof cases[0], isa_fill_integers);
}

static void carries(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    uint32_t a[EMU_LANES], b[EMU_LANES], carry = 0xdeadbeef;
    isa_fill_integers(a, 5);
    isa_fill_integers(b, 6);
    memcpy(isa.wave->vgpr[1], a, sizeof a);
    memcpy(isa.wave->vgpr[2], b, sizeof b);
    isa.wave->sgpr[EMU_VCC] = carry;
    isa.wave->sgpr[EMU_EXEC] = 0x7fffffff;
    isa_must_run(&isa, "v_add_co_ci_u32_e32 v3, vcc_lo, v1, v2, vcc_lo\n"
                       "v_add_co_u32 v4, s6, v1, v2\n"
                       "v_subrev_co_u32 v5, s7, v1, v2\n"
                       "v_cndmask_b32_e64 v6, v1, v2, s6\n");
    for (int lane = 0; lane < 31; lane++) {
        const uint64_t sum = U(a[lane]) + b[lane], with_carry = sum + (carry >> lane & 1);
        assert_int_equal(isa.wave->vgpr[3][lane], (uint32_t)with_carry);
        assert_int_equal(isa.wave->sgpr[EMU_VCC] >> lane & 1, with_carry >> 32);
        assert_int_equal(isa.wave->vgpr[4][lane], (uint32_t)sum);
        assert_int_equal(isa.wave->sgpr[6] >> lane & 1, sum >> 32);
        assert_int_equal(isa.wave->vgpr[5][lane], b[lane] - a[lane]);
        assert_int_equal(isa.wave->sgpr[7] >> lane & 1, b[lane] < a[lane]);
        assert_int_equal(isa.wave->vgpr[6][lane], sum >> 32 ? b[lane] : a[lane]);
    }
    assert_int_equal(isa.wave->sgpr[6] >> 31, 0); /* an inactive lane's bit */
    isa_close(&isa);
}

static void counts_of_lanes(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    isa.wave->sgpr[3] = 0x80f00f0f;
    isa_must_run(&isa, "v_mbcnt_lo_u32_b32 v0, s3, 5\nv_mbcnt_hi_u32_b32 v1, -1, v0\n"
                       "v_mbcnt_lo_u32_b32 v2, -1, 0\n");
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t below = bits_set(0x80f00f0f & ((UINT64_C(1) << lane) - 1)) + 5;
        assert_int_equal(isa.wave->vgpr[0][lane], below);
        assert_int_equal(isa.wave->vgpr[1][lane], below);
        assert_int_equal(isa.wave->vgpr[2][lane], lane);
    }
    isa_close(&isa);
}

static void permuted_bytes(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        isa.wave->vgpr[1][lane] = 0x87654321;
        isa.wave->vgpr[2][lane] = 0xaabbccdd;
    }
    isa_must_run(&isa, "v_perm_b32 v3, v1, v2, 0x07040300\nv_perm_b32 v4, v1, v2, 0x0c0d0b01\n");
    assert_int_equal(isa.wave->vgpr[3][0], 0x8721aadd);
    assert_int_equal(isa.wave->vgpr[4][31], 0x00ffffcc);
    isa_close(&isa);
}

/* Both halves of a pair read before either writes. */
static void pairs(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 11);
    const uint32_t first = isa.wave->vgpr[1][9], second = isa.wave->vgpr[2][9];
    isa_must_run(&isa, "v_dual_mov_b32 v1, v2 :: v_dual_mov_b32 v2, v1\n"
                       "v_dual_cndmask_b32 v4, 0, v1 :: v_dual_add_nc_u32 v3, s9, v2\n");
    assert_int_equal(isa.wave->vgpr[1][9], second);
    assert_int_equal(isa.wave->vgpr[2][9], first);
    assert_int_equal(isa.wave->vgpr[4][9], isa.wave->sgpr[EMU_VCC] >> 9 & 1 ? second : 0);
    assert_int_equal(isa.wave->vgpr[3][9], isa.wave->sgpr[9] + first);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),           cmocka_unit_test(halves),
        cmocka_unit_test(sub_dwords),      cmocka_unit_test(carries),
        cmocka_unit_test(counts_of_lanes), cmocka_unit_test(permuted_bytes),
        cmocka_unit_test(pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
