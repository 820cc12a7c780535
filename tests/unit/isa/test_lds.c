/* Loads and stores of LDS, of all sizes, and its bounds. */
#include "tests/unit/isa/fixture.h"

static void open_with_addresses(struct isa *isa, uint32_t stride)
{
    isa_open(isa, 10);
    for (uint32_t lane = 0; lane < EMU_LANES; lane++)
        isa->wave->vgpr[1][lane] = lane * stride;
}

static void words(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa, 64);
    isa_must_run(&isa, "ds_write_b128 v1, v[4:7] offset:16\n"
                       "ds_read_b128 v[8:11], v1 offset:16\n"
                       "ds_load_b96 v[12:14], v1 offset:20\n"
                       "ds_read_b64 v[16:17], v1 offset:24\n"
                       "ds_read_b32 v18, v1 offset:28\n"
                       "ds_write2_b64 v1, v[4:5], v[6:7] offset0:5 offset1:7\n"
                       "ds_read2_b32 v[20:21], v1 offset0:10 offset1:15\n"
                       "ds_load_2addr_b64 v[22:25], v1 offset0:7 offset1:5\n"
                       "ds_read_b32 v1, v1 offset:16\n");
    for (int lane = 0; lane < EMU_LANES; lane++) {
        uint32_t(*v)[EMU_LANES] = isa.wave->vgpr;
        for (int i = 0; i < 4; i++)
            assert_int_equal(v[8 + i][lane], v[4 + i][lane]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(v[12 + i][lane], v[5 + i][lane]);
        assert_int_equal(v[16][lane], v[6][lane]);
        assert_int_equal(v[18][lane], v[7][lane]);
        assert_int_equal(v[20][lane], v[4][lane]);
        assert_int_equal(v[21][lane], v[7][lane]);
        assert_int_equal(v[22][lane], v[6][lane]);
        assert_int_equal(v[25][lane], v[5][lane]);
        assert_int_equal(v[1][lane], v[4][lane]); /* over its own address */
    }
    isa_close(&isa);
}

static void parts(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa, 4);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        isa.wave->vgpr[2][lane] = 0x8182f3f4;
        isa.wave->vgpr[6][lane] = isa.wave->vgpr[7][lane] = 0x11112222;
    }
    isa_must_run(&isa, "ds_write_b32 v1, v2\n"
                       "ds_read_u8 v3, v1\nds_read_i8 v4, v1 offset:1\nds_read_u16 v5, v1\n"
                       "ds_read_u16_d16 v6, v1\nds_read_u16_d16_hi v7, v1 offset:2\n"
                       "ds_read_i16 v8, v1 offset:2\n"
                       "ds_write_b8 v1, v2 offset:3\nds_write_b16_d16_hi v1, v2\n"
                       "ds_read_b32 v9, v1\n");
    uint32_t(*v)[EMU_LANES] = isa.wave->vgpr;
    assert_int_equal(v[3][31], 0xf4);
    assert_int_equal(v[4][31], 0xfffffff3);
    assert_int_equal(v[5][31], 0xf3f4);
    assert_int_equal(v[6][31], 0x1111f3f4);
    assert_int_equal(v[7][31], 0x81822222);
    assert_int_equal(v[8][31], 0xffff8182);
    assert_int_equal(v[9][31], 0xf4828182);
    isa_close(&isa);
}

static void inactive_lanes(void **state)
{
    (void)state;
    struct isa isa;
    open_with_addresses(&isa, 4);
    isa.wave->sgpr[EMU_EXEC] = 0xffff;
    isa.wave->vgpr[1][16] = 0xffffffff; /* never used */
    const uint32_t old = isa.wave->vgpr[3][20];
    isa_must_run(&isa, "ds_write_b32 v1, v2\nds_read_b32 v3, v1\n");
    assert_int_equal(isa.wave->vgpr[3][20], old);
    uint32_t word;
    memcpy(&word, isa.machine->lds + 20 * 4, sizeof word);
    assert_int_equal(word, 0);
    isa_close(&isa);
}

static void bounds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ds_read_b32 v2, v1 offset:4093",
        "ds_write_b128 v1, v[4:7] offset:4084",
        "ds_read2_b64 v[4:7], v1 offset0:0 offset1:255",
        "ds_add_u32 v1, v2 offset:4096",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct isa isa;
        isa_open(&isa, 10);
        memset(isa.wave->vgpr[1], 0, sizeof isa.wave->vgpr[1]);
        assert_int_equal(isa_run(&isa, "ds_read_b32 v2, v1 offset:4092"), EMU_DONE);
        isa.wave->vgpr[1][7] = i == 2 ? 2056 : 0;
        assert_int_equal(isa_run(&isa, texts[i]), EMU_LDS_FAULT);
        assert_non_null(strstr(isa.outcome.what, texts[i]));
        isa_close(&isa);
    }
    struct isa isa;
    isa_open(&isa, 10); /* an address that would wrap around to a good one */
    memset(isa.wave->vgpr[1], 0xff, sizeof isa.wave->vgpr[1]);
    assert_int_equal(isa_run(&isa, "ds_read_b32 v2, v1 offset:8"), EMU_LDS_FAULT);
    isa_close(&isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(parts),
        cmocka_unit_test(inactive_lanes),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
