/* Atomics of memory and LDS. */
#include "tests/unit/isa/fixture.h"

static _Alignas(8) uint32_t cell[4];

struct update {
    const char *text; /* all lanes update the same cell with v1 = the lane's number */
    uint32_t before, after;
};

/* v0: byte offset 0, s[2:3]: the cell, v[4:5]: its address. */
static void open_at_cell(struct isa *isa, uint32_t before)
{
    isa_open(isa, 11);
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        isa->wave->vgpr[0][lane] = 0;
        isa->wave->vgpr[1][lane] = lane;
        isa->wave->vgpr[2][lane] = lane + 100;
        isa->wave->vgpr[4][lane] = (uint32_t)(uintptr_t)cell;
        isa->wave->vgpr[5][lane] = (uint32_t)((uintptr_t)cell >> 32);
        isa->wave->vgpr[6][lane] = emu_bits((float)lane);
    }
    isa->wave->sgpr[2] = (uint32_t)(uintptr_t)cell;
    isa->wave->sgpr[3] = (uint32_t)((uintptr_t)cell >> 32);
    cell[0] = before;
    cell[1] = 0;
    memcpy(isa->machine->lds, cell, sizeof cell);
}

static void updates(void **state)
{
    (void)state;
    static const struct update cases[] = {
        {"global_atomic_add v0, v1, s[2:3]", 5, 5 + 496},
        {"global_atomic_add_u32 v0, v1, s[2:3]", 5, 5 + 496},
        {"flat_atomic_sub v[4:5], v1", 500, 4},
        {"global_atomic_umax v[4:5], v1, off", 7, 31},
        {"global_atomic_smin v0, v1, s[2:3]", 0xffffffff, 0xffffffff},
        {"global_atomic_umin v0, v1, s[2:3]", 0xffffffff, 0},
        {"global_atomic_or_b32 v0, v1, s[2:3]", 0x100, 0x11f},
        {"global_atomic_xor v0, v1, s[2:3]", 1, 1},
        {"global_atomic_swap_b32 v0, v1, s[2:3]", 1, 31},
        {"global_atomic_inc v0, v1, s[2:3]", 0, 31}, /* counts up to the lane's number */
        {"global_atomic_add_f32 v0, v6, s[2:3]", 0x3f800000, 0x43f88000},
        {"global_atomic_max_num_f32 v0, v6, s[2:3]", 0x3f800000, 0x41f80000},
        {"ds_add_u32 v0, v1", 5, 5 + 496},
        {"ds_max_i32 v0, v1", 0x80000000, 31},
        {"ds_rsub_u32 v0, v1", 0, 16},
        {"ds_add_f32 v0, v6", 0x3f800000, 0x43f88000},
        {"ds_min_num_f32 v0, v6", 0x3f800000, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct isa isa;
        open_at_cell(&isa, cases[i].before);
        isa_must_run(&isa, cases[i].text);
        if (cases[i].text[0] == 'd')
            memcpy(cell, isa.machine->lds, sizeof cell);
        if (cell[0] != cases[i].after)
            fail_msg("%s: %08x, not %08x", cases[i].text, cell[0], cases[i].after);
        isa_close(&isa);
    }
}

/* With a destination each lane gets what it found, in the order of lanes. */
static void old_values(void **state)
{
    (void)state;
    struct isa isa;
    open_at_cell(&isa, 10);
    isa_must_run(&isa, "global_atomic_add v8, v0, v1, s[2:3] glc\n"
                       "ds_add_rtn_u32 v9, v0, v1\n"
                       "flat_atomic_add_u32 v10, v[4:5], v1 th:TH_ATOMIC_RETURN\n");
    for (uint32_t lane = 0, sum = 10; lane < EMU_LANES; sum += lane++) {
        assert_int_equal(isa.wave->vgpr[8][lane], sum);
        assert_int_equal(isa.wave->vgpr[9][lane], sum);
        assert_int_equal(isa.wave->vgpr[10][lane], sum + 496);
    }
    isa_close(&isa);
}

/* gfx10 names what is compared first, gfx11 last. */
static void compare_and_swap(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "global_atomic_cmpswap v8, v0, v[1:2], s[2:3] glc",
        "ds_cmpst_rtn_b32 v8, v0, v2, v1",
        "ds_cmpstore_rtn_b32 v8, v0, v1, v2",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct isa isa;
        open_at_cell(&isa, 107); /* lane 7 finds what it expects and leaves 7 */
        isa_must_run(&isa, texts[i]);
        if (i)
            memcpy(cell, isa.machine->lds, sizeof cell);
        assert_int_equal(cell[0], 7);
        assert_int_equal(isa.wave->vgpr[8][7], 107);
        assert_int_equal(isa.wave->vgpr[8][8], 7);
        isa_close(&isa);
    }
}

static void wide(void **state)
{
    (void)state;
    struct isa isa;
    open_at_cell(&isa, 0xffffffff);
    for (int lane = 0; lane < EMU_LANES; lane++)
        isa.wave->vgpr[11][lane] = 1;
    memset(isa.wave->vgpr[10], 0, sizeof isa.wave->vgpr[10]);
    isa_must_run(&isa, "global_atomic_add_x2 v0, v[10:11], s[2:3]\n"
                       "global_atomic_add_u64 v[12:13], v0, v[10:11], s[2:3] glc\n");
    assert_int_equal(cell[0], 0xffffffff);
    assert_int_equal(cell[1], 64);
    assert_int_equal(isa.wave->vgpr[13][0], 32);
    assert_int_equal(isa_run(&isa, "global_atomic_add_u64 v0, v[10:11], s[2:3] offset:4"),
                     EMU_MEMORY_FAULT);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates),
        cmocka_unit_test(old_values),
        cmocka_unit_test(compare_and_swap),
        cmocka_unit_test(wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
