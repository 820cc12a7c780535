/* Whole dispatches of assembled code: branches, calls, barriers, the registers at the start, and every
 * way a dispatch can end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "evaluator/emulator/isa/dispatch.h"
#include "tests/unit/isa/code.h"

enum { DESCRIPTOR_BYTES = 64, CODE_BYTES = 4096, WORDS = 1024 };

/* A kernel descriptor and its code, as in a code object: the kernarg in s[0:1], workgroup ids in s2 and
 * s3, work-items in v0 to v2. */
struct kernel {
    _Alignas(64) unsigned char descriptor[DESCRIPTOR_BYTES];
    unsigned char code[CODE_BYTES];
};

static struct kernel kernel;
static uint32_t output[WORDS];
static uint64_t kernarg[2];

static void assemble(const char *text)
{
    char reason[128];
    bool missing;
    const int64_t entry = DESCRIPTOR_BYTES;
    const uint32_t rsrc1 = 0xf << 16 | 1 << 21, rsrc2 = 2 << 1 | 3 << 7 | 2 << 11;
    const uint16_t properties = 1 << 3 | 1 << 10;
    memset(&kernel, 0, sizeof kernel);
    memcpy(kernel.descriptor + 16, &entry, sizeof entry);
    memcpy(kernel.descriptor + 48, &rsrc1, sizeof rsrc1);
    memcpy(kernel.descriptor + 52, &rsrc2, sizeof rsrc2);
    memcpy(kernel.descriptor + 56, &properties, sizeof properties);
    if (isa_assemble(text, kernel.code, sizeof kernel.code, &missing, reason, sizeof reason) < 0)
        fail_msg("%s", reason);
    memset(output, 0, sizeof output);
    kernarg[0] = (uintptr_t)output;
}

static struct emu_dispatch dispatch_of(uint32_t x, uint32_t y, uint16_t workgroup_x,
                                       uint16_t workgroup_y)
{
    return (struct emu_dispatch){
        .isa = "gfx1030",
        .kernel_descriptor = &kernel,
        .grid = {x, y, 1},
        .workgroup = {workgroup_x, workgroup_y, 1},
        .lds_bytes = 1024,
        .kernarg = kernarg,
    };
}

static void must_end(const struct emu_dispatch *dispatch, enum emu_end end,
                     struct emu_outcome *outcome)
{
    if (emu_dispatch_run(dispatch, outcome))
        fail_msg("not run: %s", outcome->what);
    if (outcome->end != end)
        fail_msg("%s: %s", emu_end_name(outcome->end), outcome->what);
}

/* Each work-item adds up 1 to its number, in a loop that lanes leave one by one, and calls a function
 * that doubles the sum. */
static void loops_and_calls(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("s_load_dwordx2 s[4:5], s[0:1], 0x0\n"
             "s_lshl_b32 s6, s2, 6\n"
             "v_lshl_or_b32 v0, v1, 3, v0\n" /* workgroups of 8 by 8 */
             "v_or_b32 v1, s6, v0\n"
             "v_mov_b32 v2, 0\n"
             "v_mov_b32 v3, v1\n"
             "v_cmp_lt_u32 vcc_lo, 0, v3\n"
             "s_and_saveexec_b32 s7, vcc_lo\n"
             "s_cbranch_execz L2\n"
             "L1:\n"
             "v_add_nc_u32 v2, v2, v3\n"
             "v_subrev_nc_u32 v3, 1, v3\n"
             "v_cmp_lt_u32 vcc_lo, 0, v3\n"
             "s_and_b32 exec_lo, exec_lo, vcc_lo\n"
             "s_cbranch_execnz L1\n"
             "L2:\n"
             "s_mov_b32 exec_lo, s7\n"
             "s_getpc_b64 s[8:9]\n"
             "s_add_u32 s8, s8, 36\n"
             "s_addc_u32 s9, s9, 0\n"
             "s_swappc_b64 s[10:11], s[8:9]\n"
             "v_lshlrev_b32 v1, 2, v1\n"
             "s_waitcnt lgkmcnt(0)\n"
             "global_store_dword v1, v2, s[4:5]\n"
             "s_endpgm\n"
             "s_nop 0\n"
             "v_add_nc_u32 v2, v2, v2\n"
             "s_setpc_b64 s[10:11]\n");
    const struct emu_dispatch dispatch = dispatch_of(32, 8, 8, 8);
    must_end(&dispatch, EMU_DONE, &outcome);
    for (uint32_t i = 0; i < 256; i++)
        assert_int_equal(output[i], i * (i + 1));
    assert_int_equal(outcome.counters.vmem, 8);
    assert_int_equal(outcome.counters.smem, 8);
    assert_true(outcome.counters.valu > 256 && outcome.counters.branch > 256);
}

/* Wave 0 reads what wave 1 wrote before the barrier, and the other way round. */
static void barriers(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("s_load_dwordx2 s[4:5], s[0:1], 0x0\n"
             "v_lshlrev_b32 v1, 2, v0\n"
             "ds_write_b32 v1, v0\n"
             "s_waitcnt lgkmcnt(0)\n"
             "s_barrier\n"
             "v_xor_b32 v2, 0x80, v1\n"
             "ds_read_b32 v3, v2\n"
             "s_waitcnt lgkmcnt(0)\n"
             "global_store_dword v1, v3, s[4:5]\n"
             "s_endpgm\n");
    const struct emu_dispatch dispatch = dispatch_of(64, 1, 64, 1);
    must_end(&dispatch, EMU_DONE, &outcome);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(output[i], i ^ 32);
    assert_int_equal(outcome.counters.lds, 4);
}

/* One wave waits in a loop for a word that the other writes: they take turns. */
static void turns(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("v_mov_b32 v2, 0\n"
             "v_mov_b32 v3, 1\n"
             "v_cmp_gt_u32 vcc_lo, 32, v0\n"
             "s_cbranch_vccz L2\n"
             "L1:\n"
             "ds_read_b32 v1, v2\n"
             "v_readfirstlane_b32 s4, v1\n"
             "s_cmp_eq_u32 s4, 1\n"
             "s_cbranch_scc0 L1\n"
             "s_endpgm\n"
             "L2:\n"
             "ds_write_b32 v2, v3\n"
             "s_endpgm\n");
    struct emu_dispatch dispatch = dispatch_of(64, 1, 64, 1);
    dispatch.max_instructions = 100000;
    must_end(&dispatch, EMU_DONE, &outcome);
}

/* A grid that its workgroups do not fill: the last ones are smaller. */
static void partial_groups(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("s_load_dwordx2 s[4:5], s[0:1], 0x0\n"
             "s_mul_i32 s6, s3, 5\n"
             "v_add_nc_u32 v1, s6, v1\n" /* y */
             "s_mul_i32 s7, s2, 7\n"
             "v_add_nc_u32 v0, s7, v0\n" /* x */
             "v_mul_u32_u24 v2, 32, v1\n"
             "v_add_lshl_u32 v2, v2, v0, 2\n"
             "v_mov_b32 v3, 1\n"
             "global_atomic_add v2, v3, s[4:5]\n"
             "s_endpgm\n");
    const struct emu_dispatch dispatch = dispatch_of(20, 9, 7, 5);
    must_end(&dispatch, EMU_DONE, &outcome);
    for (uint32_t i = 0; i < WORDS; i++)
        assert_int_equal(output[i], i % 32 < 20 && i / 32 < 9);
}

/* ---- ends ---- */

static void ends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum emu_end end;
        const char *what;
    } cases[] = {
        {"L1:\ns_nop 0\ns_branch L1\n", EMU_BUDGET, "budget"},
        {"v_mov_b32 v1, 0\ns_trap 2\ns_endpgm\n", EMU_TRAP, "s_trap 2"},
        {"image_load v0, v[0:1], s[0:7] dmask:0x1 dim:SQ_RSRC_IMG_2D unorm\ns_endpgm\n",
         EMU_UNIMPLEMENTED, "image_load"},
        {"v_mov_b32 v1, 0x400\nds_read_b32 v2, v1\ns_endpgm\n", EMU_LDS_FAULT, "ds_read_b32"},
        {"s_setreg_imm32_b32 hwreg(HW_REG_MODE, 0, 4), 1\ns_endpgm\n", EMU_UNIMPLEMENTED,
         "rounding"},
        {".long 0xffffffff\n", EMU_ILLEGAL_INSTRUCTION, "no instruction"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emu_outcome outcome;
        assemble(cases[i].text);
        struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
        dispatch.max_instructions = 20000;
        if (emu_dispatch_run(&dispatch, &outcome) || outcome.end != cases[i].end)
            fail_msg("%s: %s, %s", cases[i].text, emu_end_name(outcome.end), outcome.what);
        if (!strstr(outcome.what, cases[i].what))
            fail_msg("%s", outcome.what);
        if (cases[i].end == EMU_BUDGET)
            assert_int_equal(outcome.counters.other + outcome.counters.branch, 20000);
    }
}

static void stopped(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    volatile bool stop = true;
    assemble("L1:\ns_branch L1\n");
    struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
    dispatch.stop = &stop;
    must_end(&dispatch, EMU_STOPPED, &outcome);
}

static bool not_the_output(void *ctx, uint64_t address, uint64_t size, bool write)
{
    (void)ctx, (void)write;
    return address + size <= (uintptr_t)output || address >= (uintptr_t)(output + WORDS);
}

static void denied(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("s_load_dwordx2 s[4:5], s[0:1], 0x0\nv_mov_b32 v1, 8\n"
             "global_store_dword v1, v1, s[4:5]\ns_endpgm\n");
    struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
    dispatch.may_access = not_the_output;
    must_end(&dispatch, EMU_MEMORY_FAULT, &outcome);
    assert_true(outcome.address == (uintptr_t)(output + 2));
    assert_int_equal(output[2], 0);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    emu_dispatch_fault((uintptr_t)info->si_addr);
    _exit(3); /* not an access of the kernel */
}

/* Without may_access what is not mapped raises a signal, which comes back as the outcome. */
static void unmapped(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    struct sigaction before, action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(hole != MAP_FAILED);
    assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
    assemble("s_load_dwordx2 s[4:5], s[0:1], 0x0\nv_mov_b32 v1, 8\n"
             "global_store_dwordx2 v1, v[2:3], s[4:5]\ns_endpgm\n");
    const struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
    for (int round = 0; round < 3; round++) {
        kernarg[0] = (uintptr_t)hole;
        must_end(&dispatch, EMU_MEMORY_FAULT, &outcome);
        assert_true(outcome.address == (uintptr_t)(hole + 8));
        assert_non_null(strstr(outcome.what, "global_store_dwordx2"));
        kernarg[0] = (uintptr_t)output;
        must_end(&dispatch, EMU_DONE, &outcome);
    }
    assert_false(emu_dispatch_fault((uintptr_t)hole));
    sigaction(SIGSEGV, &before, NULL);
    munmap(hole, 8192);
}

/* Other code at the same address is decoded anew. */
static void replaced_code(void **state)
{
    (void)state;
    static const char *const constants[] = {"7", "9"};
    for (int i = 0; i < 2; i++) {
        struct emu_outcome outcome;
        char text[256];
        snprintf(text, sizeof text,
                 "s_load_dwordx2 s[4:5], s[0:1], 0x0\nv_mov_b32 v1, 0\nv_mov_b32 v2, %s\n"
                 "global_store_dword v1, v2, s[4:5]\ns_endpgm\n",
                 constants[i]);
        assemble(text);
        const struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
        must_end(&dispatch, EMU_DONE, &outcome);
        assert_int_equal(output[0], i ? 9 : 7);
    }
}

static void refused(void **state)
{
    (void)state;
    struct emu_outcome outcome;
    assemble("s_endpgm\n");
    struct emu_dispatch dispatch = dispatch_of(32, 1, 32, 1);
    dispatch.isa = "gfx942";
    assert_int_equal(emu_dispatch_run(&dispatch, &outcome), -1);
    assert_non_null(strstr(outcome.what, "gfx12"));
    dispatch = dispatch_of(0, 1, 32, 1);
    assert_int_equal(emu_dispatch_run(&dispatch, &outcome), -1);
    dispatch = dispatch_of(2048, 1, 2048, 1);
    assert_int_equal(emu_dispatch_run(&dispatch, &outcome), -1);
    dispatch = dispatch_of(32, 1, 32, 1);
    kernel.descriptor[57] = 0; /* no longer wave32 */
    must_end(&dispatch, EMU_UNIMPLEMENTED, &outcome);
    assert_string_equal(outcome.what, "waves of 64 lanes");
}

int main(void)
{
    bool missing;
    char reason[128];
    unsigned char bytes[16];
    isa_assemble("s_endpgm\n", bytes, sizeof bytes, &missing, reason, sizeof reason);
    if (missing) {
        printf("skipped: %s\n", reason);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_and_calls),
        cmocka_unit_test(barriers),
        cmocka_unit_test(turns),
        cmocka_unit_test(partial_groups),
        cmocka_unit_test(ends),
        cmocka_unit_test(stopped),
        cmocka_unit_test(denied),
        cmocka_unit_test(unmapped),
        cmocka_unit_test(replaced_code),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
