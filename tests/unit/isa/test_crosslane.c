/* Values that move between lanes: DPP, permutations, readlane and its kin. */
#include "tests/unit/isa/fixture.h"

enum { KEPT = -1, ZERO = -2 };

struct movement {
    const char *text;
    uint32_t exec;
    int (*source)(int lane); /* the lane of v1 that v0 gets, KEPT or ZERO */
};

static int reversed_quad(int lane)
{
    return lane / 4 * 4 + 3 - lane % 4;
}
static int from_left(int lane)
{
    return lane % 16 ? lane - 1 : KEPT;
}
static int from_left_or_zero(int lane)
{
    return lane % 16 ? lane - 1 : ZERO;
}
static int from_right_3(int lane)
{
    return lane % 16 < 13 ? lane + 3 : KEPT;
}
static int turned(int lane)
{
    return lane / 16 * 16 + (lane % 16 + 12) % 16;
}
static int mirror(int lane)
{
    return lane / 16 * 16 + 15 - lane % 16;
}
static int half_mirror(int lane)
{
    return lane / 8 * 8 + 7 - lane % 8;
}
static int fifth(int lane)
{
    return lane / 16 * 16 + 5;
}
static int crossed(int lane)
{
    return lane ^ 9;
}
static int second_row_and_banks(int lane)
{
    return lane >= 16 && (lane % 16 / 4 == 0 || lane % 16 / 4 == 2) ? lane : KEPT;
}
static int octet(int lane)
{
    static const int order[] = {7, 6, 5, 4, 3, 2, 1, 0};
    return lane / 8 * 8 + order[lane % 8];
}
static int inactive_sources(int lane)
{
    return lane % 16 == 0 || lane % 16 == 9 || lane == 8 || lane == 24 ? KEPT : lane - 1;
}
static int fetches_inactive(int lane)
{
    return lane % 16 == 0 || lane == 8 || lane == 24 ? KEPT : lane - 1;
}
static int other_row(int lane)
{
    return (lane ^ 16) / 16 * 16 + 15 - lane % 16;
}
static int same_row(int lane)
{
    return lane / 16 * 16 + 15 - lane % 16;
}
static int rotated_lanes(int lane)
{
    return (lane + 1) % 32;
}
static int swapped_16(int lane)
{
    return lane ^ 16;
}
static int swizzled_quad(int lane)
{
    return lane / 4 * 4 + (lane % 4 + 1) % 4;
}

static void movements(void **state)
{
    (void)state;
    /* v2: 4 times the next lane's number, s2 and s3: the nibbles 0123456789abcdef. */
    static const struct movement cases[] = {
        {"v_mov_b32_dpp v0, v1 quad_perm:[3,2,1,0] row_mask:0xf bank_mask:0xf", ~0u, reversed_quad},
        {"v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf", ~0u, from_left},
        {"v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:0", ~0u,
         from_left_or_zero},
        {"v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf bound_ctrl:1", ~0u,
         from_left_or_zero},
        {"v_mov_b32_dpp v0, v1 row_shl:3 row_mask:0xf bank_mask:0xf", ~0u, from_right_3},
        {"v_mov_b32_dpp v0, v1 row_ror:4 row_mask:0xf bank_mask:0xf", ~0u, turned},
        {"v_mov_b32_dpp v0, v1 row_mirror row_mask:0xf bank_mask:0xf", ~0u, mirror},
        {"v_mov_b32_dpp v0, v1 row_half_mirror row_mask:0xf bank_mask:0xf", ~0u, half_mirror},
        {"v_mov_b32_dpp v0, v1 row_share:5 row_mask:0xf bank_mask:0xf", ~0u, fifth},
        {"v_mov_b32_dpp v0, v1 row_xmask:9 row_mask:0xf bank_mask:0xf", ~0u, crossed},
        {"v_mov_b32_dpp v0, v1 quad_perm:[0,1,2,3] row_mask:0x2 bank_mask:0x5", ~0u,
         second_row_and_banks},
        {"v_mov_b32_dpp v0, v1 dpp8:[7,6,5,4,3,2,1,0]", ~0u, octet},
        {"v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf", 0xfefffeff, inactive_sources},
        {"v_mov_b32_dpp v0, v1 row_shr:1 row_mask:0xf bank_mask:0xf fi:1", 0xfefffeff,
         fetches_inactive},
        {"v_permlane16_b32 v0, v1, s2, s3", ~0u, same_row},
        {"v_permlanex16_b32 v0, v1, s2, s3", ~0u, other_row},
        {"ds_bpermute_b32 v0, v2, v1", ~0u, rotated_lanes},
        {"ds_swizzle_b32 v0, v1 offset:swizzle(SWAP,16) ; 0x401f", ~0u, swapped_16},
        {"ds_swizzle_b32 v0, v1 offset:swizzle(QUAD_PERM,1,2,3,0) ; 0x8039", ~0u, swizzled_quad},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct isa isa;
        isa_open(&isa, 10);
        uint32_t old[EMU_LANES];
        for (uint32_t lane = 0; lane < EMU_LANES; lane++)
            isa.wave->vgpr[2][lane] = (lane + 1) * 4;
        isa.wave->sgpr[2] = 0x89abcdef;
        isa.wave->sgpr[3] = 0x01234567;
        memcpy(old, isa.wave->vgpr[0], sizeof old);
        isa.wave->sgpr[EMU_EXEC] = cases[i].exec;
        isa_must_run(&isa, cases[i].text);
        for (int lane = 0; lane < EMU_LANES; lane++) {
            const int source = cases[i].source(lane);
            const uint32_t wanted = source == KEPT   ? old[lane]
                                    : source == ZERO ? 0
                                                     : isa.wave->vgpr[1][source];
            if (isa.wave->vgpr[0][lane] != wanted)
                fail_msg("%s: lane %d does not come from %d", cases[i].text, lane, source);
        }
        isa_close(&isa);
    }
}

static void sums_by_dpp(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (uint32_t lane = 0; lane < EMU_LANES; lane++)
        isa.wave->vgpr[1][lane] = emu_bits((float)lane);
    isa_must_run(&isa,
                 "v_add_f32_dpp v2, v1, v1 row_xmask:1 row_mask:0xf bank_mask:0xf\n"
                 "v_max_f32_dpp v3, -v1, v1 row_shr:2 row_mask:0xf bank_mask:0xf bound_ctrl:0\n");
    for (uint32_t lane = 0; lane < EMU_LANES; lane++)
        assert_true(emu_float(isa.wave->vgpr[2][lane]) == (float)(lane + (lane ^ 1)));
    assert_true(emu_float(isa.wave->vgpr[3][5]) == 5.f);
    isa_close(&isa);
}

static void single_lanes(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    isa.wave->sgpr[EMU_EXEC] = 0xfffffff0;
    isa.wave->sgpr[5] = 37;
    const uint32_t old = isa.wave->vgpr[2][4], other = isa.wave->vgpr[3][9];
    isa_must_run(&isa, "v_readfirstlane_b32 s0, v1\nv_readlane_b32 s1, v1, 31\n"
                       "v_readlane_b32 s2, v1, s5\nv_writelane_b32 v2, s5, 3\n"
                       "v_swap_b32 v3, v4\n");
    assert_int_equal(isa.wave->sgpr[0], isa.wave->vgpr[1][4]);
    assert_int_equal(isa.wave->sgpr[1], isa.wave->vgpr[1][31]);
    assert_int_equal(isa.wave->sgpr[2], isa.wave->vgpr[1][5]);
    assert_int_equal(isa.wave->vgpr[2][3], 37); /* though inactive */
    assert_int_equal(isa.wave->vgpr[2][4], old);
    assert_int_equal(isa.wave->vgpr[4][9], other);
    isa_close(&isa);
}

/* A value from an inactive lane is 0; what is pushed to a lane by several is the last one's. */
static void through_lds(void **state)
{
    (void)state;
    struct isa isa;
    isa_open(&isa, 10);
    for (uint32_t lane = 0; lane < EMU_LANES; lane++)
        isa.wave->vgpr[2][lane] = (lane ^ 1) * 4;
    isa.wave->sgpr[EMU_EXEC] = 0xfffffffd;
    isa_must_run(&isa, "ds_bpermute_b32 v3, v2, v1\nds_permute_b32 v4, v2, v1\n"
                       "ds_bpermute_b32 v5, v2, v1 offset:8\n");
    assert_int_equal(isa.wave->vgpr[3][0], 0);
    assert_int_equal(isa.wave->vgpr[3][3], isa.wave->vgpr[1][2]);
    assert_int_equal(isa.wave->vgpr[4][0], 0);
    assert_int_equal(isa.wave->vgpr[4][6], isa.wave->vgpr[1][7]);
    assert_int_equal(isa.wave->vgpr[5][4], isa.wave->vgpr[1][7]);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(movements),
        cmocka_unit_test(sums_by_dpp),
        cmocka_unit_test(single_lanes),
        cmocka_unit_test(through_lds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
