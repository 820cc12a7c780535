/* Vector and scalar memory: global, flat, scratch, buffers; what may not be accessed. */
#include "tests/unit/isa/fixture.h"

static uint32_t memory[256];

static void set_pair(uint32_t *low, uint32_t *high, uint64_t value)
{
    *low = (uint32_t)value;
    *high = (uint32_t)(value >> 32);
}

/* v[2:3]: addresses of memory[4 * lane]; v4: that offset; s[2:3]: memory. */
static void open_with_addresses(struct isa *isa)
{
    isa_open(isa, 10);
    for (uint32_t i = 0; i < 256; i++)
        memory[i] = 0x01000000 * (i % 251) + 0xff80 + i;
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        set_pair(&isa->wave->vgpr[2][lane], &isa->wave->vgpr[3][lane],
                 (uintptr_t)(memory + 4 * lane));
        isa->wave->vgpr[4][lane] = 16 * lane;
    }
    set_pair(&isa->wave->sgpr[2], &isa->wave->sgpr[3], (uintptr_t)memory);
}

static void loads(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    isa_must_run(&isa, "global_load_dwordx4 v[8:11], v[2:3], off\n"
                       "global_load_b64 v[12:13], v4, s[2:3] offset:8\n"
                       "global_load_dword v14, v[2:3], off offset:4 glc slc\n"
                       "global_load_ushort v15, v4, s[2:3]\n"
                       "global_load_sshort v16, v4, s[2:3]\n"
                       "global_load_sbyte v17, v4, s[2:3]\n"
                       "flat_load_dwordx3 v[18:20], v[2:3] offset:4\n"
                       "v_mov_b32_e32 v21, 0x12345678\nv_mov_b32_e32 v22, 0x12345678\n"
                       "global_load_short_d16 v21, v[2:3], off\n"
                       "global_load_d16_hi_b16 v22, v[2:3], off\n"
                       "global_load_b96 v[2:4], v[2:3], off offset:-0\n");
    uint32_t(*v)[EMU_LANES] = isa.wave->vgpr;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t *at = memory + 4 * lane;
        for (int i = 0; i < 4; i++)
            assert_int_equal(v[8 + i][lane], at[i]);
        assert_int_equal(v[13][lane], at[3]);
        assert_int_equal(v[14][lane], at[1]);
        assert_int_equal(v[15][lane], at[0] & 0xffff);
        assert_int_equal(v[16][lane], (uint32_t)(int16_t)at[0]);
        assert_int_equal(v[17][lane], (uint32_t)(int8_t)at[0]);
        assert_int_equal(v[20][lane], at[3]);
        assert_int_equal(v[21][lane], 0x12340000 | (at[0] & 0xffff));
        assert_int_equal(v[22][lane], 0x5678 | at[0] << 16);
        assert_int_equal(v[4][lane], at[2]);
    }
    isa_close(&isa);
}

static void stores(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    isa.wave->sgpr[EMU_EXEC] = 0x7fffffff;
    const uint32_t last = memory[124];
    isa_must_run(&isa, "global_store_dwordx3 v[2:3], v[8:10], off\n"
                       "global_store_short v4, v11, s[2:3] offset:12\n"
                       "global_store_d16_hi_b8 v4, v11, s[2:3] offset:14\n");
    for (int lane = 0; lane < 31; lane++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(memory[4 * lane + i], isa.wave->vgpr[8 + i][lane]);
        assert_int_equal(memory[4 * lane + 3] & 0xffffff, isa.wave->vgpr[11][lane] & 0xffffff);
    }
    assert_int_equal(memory[124], last);
    isa_close(&isa);
}

static void scalar_loads(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    isa.wave->sgpr[6] = 40;
    isa_must_run(&isa, "s_load_dwordx4 s[8:11], s[2:3], 0x10\n"
                       "s_load_b64 s[12:13], s[2:3], s6 offset:0x8\n"
                       "s_load_dword s14, s[2:3], s6\n"
                       "s_load_u16 s15, s[2:3], 0x2\n"
                       "s_load_i8 s16, s[2:3], 0x0\n"
                       "s_load_dwordx2 s[2:3], s[2:3], null\n");
    for (int i = 0; i < 4; i++)
        assert_int_equal(isa.wave->sgpr[8 + i], memory[4 + i]);
    assert_int_equal(isa.wave->sgpr[12], memory[12]);
    assert_int_equal(isa.wave->sgpr[14], memory[10]);
    assert_int_equal(isa.wave->sgpr[15], memory[0] >> 16);
    assert_int_equal(isa.wave->sgpr[16], (uint32_t)(int8_t)memory[0]);
    assert_int_equal(isa.wave->sgpr[3], memory[1]);
    isa_close(&isa);
}

/* Scratch by instruction, by buffer and by generic pointer is the same memory, a lane's own. */
static void scratch(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    isa.wave->sgpr[16] = isa.wave->sgpr[17] = 0;
    isa.wave->sgpr[18] = UINT32_MAX;
    isa.wave->sgpr[19] = 1 << 23;
    isa.wave->sgpr[32] = 8 * EMU_LANES; /* a stack pointer: bytes of all lanes together */
    isa.wave->sgpr[33] = 8;
    isa_must_run(&isa, "buffer_store_dword v9, off, s[16:19], s32 offset:4\n"
                       "scratch_load_b32 v10, off, s33 offset:4\n"
                       "v_mov_b32_e32 v11, 12\n"
                       "v_mov_b32_e32 v12, 0x20000\n"
                       "flat_load_dword v13, v[11:12]\n"
                       "buffer_load_ushort v14, v11, s[16:19], 0 offen offset:2\n"
                       "scratch_store_b64 v11, v[8:9], off offset:4\n"
                       "scratch_load_b64 v[20:21], off, off offset:16\n");
    for (int lane = 0; lane < EMU_LANES; lane++) {
        uint32_t(*v)[EMU_LANES] = isa.wave->vgpr;
        assert_int_equal(v[10][lane], v[9][lane]);
        assert_int_equal(v[13][lane], v[9][lane]);
        assert_int_equal(v[14][lane], v[9][lane] >> 16);
        assert_int_equal(v[20][lane], v[8][lane]);
        assert_int_equal(v[21][lane], v[9][lane]);
    }
    assert_int_equal(isa_run(&isa, "scratch_load_b32 v10, off, off offset:61"), EMU_MEMORY_FAULT);
    isa_close(&isa);
}

static void buffers(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    set_pair(&isa.wave->sgpr[16], &isa.wave->sgpr[17], (uintptr_t)memory);
    isa.wave->sgpr[18] = 16 * 31; /* bytes: the last lane is outside */
    isa.wave->sgpr[19] = 0;
    isa_must_run(&isa, "buffer_load_dword v10, v4, s[16:19], 0 offen\n"
                       "buffer_store_dword v9, v4, s[16:19], 4 offen offset:8\n"
                       "s_buffer_load_dword s20, s[16:19], 0x10\n"
                       "s_buffer_load_dword s21, s[16:19], 0x1f0\n");
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        assert_int_equal(isa.wave->vgpr[10][lane], lane == 31 ? 0 : memory[4 * lane]);
        assert_true((memory[4 * lane + 3] == isa.wave->vgpr[9][lane]) == (lane != 31));
    }
    assert_int_equal(isa.wave->sgpr[20], memory[4]);
    assert_int_equal(isa.wave->sgpr[21], 0);
    isa_close(&isa);
}

static void apertures(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa);
    const uint32_t word = 0x600df00d;
    memcpy(isa.machine->lds + 8, &word, sizeof word);
    isa_must_run(&isa, "v_mov_b32_e32 v11, 4\nv_mov_b32_e32 v12, 0x10000\n"
                       "flat_load_dword v13, v[11:12] offset:4\n");
    assert_int_equal(isa.wave->vgpr[13][5], word);
    isa_must_run(&isa, "v_mov_b32_e32 v11, 0x1000");
    assert_int_equal(isa_run(&isa, "flat_store_dword v[11:12], v13"), EMU_LDS_FAULT);
    isa_close(&isa);
}

/* ---- who may ---- */

static int asked;
static bool within_memory(void *ctx, uint64_t address, uint64_t size, bool write)
{
    asked++;
    return address >= (uintptr_t)memory && address + size <= (uintptr_t)memory + sizeof memory &&
           (!write || *(bool *)ctx);
}

static void permissions(void **state)
{
    (void)state;
    struct isa isa;
    bool writable = false;
    const struct emu_dispatch dispatch = {.may_access = within_memory, .ctx = &writable};
    open_with_addresses(&isa);
    isa.machine->dispatch = &dispatch;
    assert_int_equal(isa_run(&isa, "global_load_dword v8, v[2:3], off"), EMU_DONE);
    assert_true(asked > 0);
    assert_int_equal(isa_run(&isa, "global_store_dword v[2:3], v8, off"), EMU_MEMORY_FAULT);
    assert_true(isa.outcome.address == (uintptr_t)memory);
    assert_int_equal(isa_run(&isa, "global_load_dword v8, v[2:3], off offset:528"),
                     EMU_MEMORY_FAULT);
    assert_true(isa.outcome.address == (uintptr_t)(memory + 256));
    assert_int_equal(isa_run(&isa, "s_load_dword s8, s[2:3], -0x4"), EMU_MEMORY_FAULT);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),       cmocka_unit_test(stores),  cmocka_unit_test(scalar_loads),
        cmocka_unit_test(scratch),     cmocka_unit_test(buffers), cmocka_unit_test(apertures),
        cmocka_unit_test(permissions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
