/* What is not implemented is named, never done wrongly. */
#include "tests/unit/isa/fixture.h"
#include "evaluator/emulator/isa/tables.h"

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "v_made_up_f32 v0, v1",
        "image_load v0, v[1:2], s[0:7] dmask:0x1 unorm",
        "v_add_f32_e64 v0, v1, v2 unheard_of:1",
        "v_add_nc_u32_e64 v0, v1, v2 clamp",
        "v_mul_f16_e64 v0, v1, v2 clamp",
        "v_add_f32_e32 v0, v1",
        "v_add_f32_e32 v0, v1, v2, v3",
        "v_add_f32_e32 v0, v1, v256",
        "s_mov_b64 s[0:1], s2",
        "s_mov_b32 s0, src_vccz",
        "global_load_dword v0, v[2:3], off lds",
        "v_dual_mul_f32 v0, v1, v2 :: v_dual_made_up v3, v4",
        "v_readlane_b32_dpp s0, v1, 3 row_shr:1",
        "s_getreg_b32 s0, hwreg(HW_REG_TRAPSTS) ; 0xf803",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct isa isa;
        isa_open(&isa, 10);
        if (isa_run(&isa, texts[i]) != EMU_UNIMPLEMENTED)
            fail_msg("%s: %s", texts[i], emu_end_name(isa.outcome.end));
        assert_memory_equal(strstr(isa.outcome.what, ": ") + 2, texts[i], 8);
        isa_close(&isa);
    }
}

/* Names of one operation in three generations lead to one row. */
static void names(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"s_load_dwordx8", "s_load_b256"},
        {"s_load_dwordx16", "s_load_b512"},
        {"s_andn2_saveexec_b32", "s_and_not1_saveexec_b32"},
        {"s_add_co_ci_u32", "s_addc_u32"},
        {"v_dual_max_num_f32", "v_max_f32_e32"},
        {"v_maxmin_num_f32", "v_maxmin_f32_e64"},
        {"v_cmpx_lt_i32_e64", "v_cmpx_lt_i32_sdwa"},
        {"v_add_f32_e64_dpp", "v_add_f32_dpp8"},
        {"global_load_short_d16_hi", "global_load_d16_hi_b16"},
        {"flat_store_byte_d16_hi", "flat_store_d16_hi_b8"},
        {"buffer_store_dwordx4", "buffer_store_b128"},
        {"ds_read2st64_b32", "ds_load_2addr_stride64_b32"},
        {"ds_write_b16", "ds_store_b16"},
        {"ds_read_u8_d16", "ds_load_u8_d16"},
        {"global_atomic_cmpswap_x2", "global_atomic_cmpswap_b64"},
        {"flat_atomic_fmax", "flat_atomic_max_f32"},
        {"ds_max_num_rtn_f32", "ds_max_rtn_f32"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        const struct emu_row *row = emu_find_row(same[i][0]);
        if (!row || row != emu_find_row(same[i][1]))
            fail_msg("%s and %s are not the same", same[i][0], same[i][1]);
    }
    assert_null(emu_find_row("v_add_f33"));
    assert_null(emu_find_row("a_name_that_is_much_longer_than_that_of_any_instruction_there_is"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
