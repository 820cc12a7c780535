/* emulator.c: wave-instructions per second of the emulated GPU, by kind of work. Needs no ROCm but
 * libamd_comgr. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evaluator/emulator/isa/dispatch.h"
#include "tests/unit/isa/code.h"

enum { DESCRIPTOR_BYTES = 64, CODE_BYTES = 4096, ROUNDS = 5, LOOPS = 4000 };

static struct {
    _Alignas(64) unsigned char descriptor[DESCRIPTOR_BYTES];
    unsigned char code[CODE_BYTES];
} kernel;
static float memory[4096];
static uint64_t kernarg;

static const struct {
    const char *what;
    const char *body; /* of a loop */
} loads[] = {
    {"scalar", "s_add_u32 s8, s8, s9\ns_xor_b32 s9, s8, s10\ns_lshl_b32 s10, s9, 3\n"
               "s_mul_i32 s11, s10, s9\n"},
    {"integers", "v_add_nc_u32 v1, v2, v3\nv_lshl_add_u32 v2, v1, 2, v3\nv_xor_b32 v3, v1, v2\n"
                 "v_and_b32 v4, 0xff, v3\n"},
    {"fused sums", "v_fmac_f32 v1, v2, v3\nv_fmac_f32 v4, v2, s8\nv_fma_f32 v5, v2, v3, v5\n"
                   "v_fmac_f32 v6, v7, v3\n"},
    {"mixed sums", "v_fma_mix_f32 v1, v2, v3, v1 op_sel_hi:[1,1,0]\n"
                   "v_fma_mix_f32 v4, v2, v3, v4 op_sel:[1,1,0] op_sel_hi:[1,1,0]\n"},
    {"exponentials", "v_exp_f32 v1, v2\nv_mul_f32 v3, v1, v4\n"},
    {"LDS", "ds_read_b32 v1, v10\nds_read_b128 v[4:7], v10\n"},
    {"memory", "global_load_dword v1, v10, s[4:5]\nglobal_load_dwordx4 v[4:7], v10, s[4:5]\n"},
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int assemble(const char *body)
{
    char text[2048], reason[128];
    bool missing;
    const int64_t entry = DESCRIPTOR_BYTES;
    const uint32_t rsrc1 = 0xf << 16, rsrc2 = 2 << 1;
    const uint16_t properties = 1 << 3 | 1 << 10;
    snprintf(text, sizeof text,
             "s_load_dwordx2 s[4:5], s[0:1], 0x0\nv_lshlrev_b32 v10, 4, v0\ns_movk_i32 s7, %d\n"
             "L1:\n%s%s%s%ss_sub_u32 s7, s7, 1\ns_cmp_lg_u32 s7, 0\ns_cbranch_scc1 L1\n"
             "s_endpgm\n",
             LOOPS, body, body, body, body);
    memset(&kernel, 0, sizeof kernel);
    memcpy(kernel.descriptor + 16, &entry, sizeof entry);
    memcpy(kernel.descriptor + 48, &rsrc1, sizeof rsrc1);
    memcpy(kernel.descriptor + 52, &rsrc2, sizeof rsrc2);
    memcpy(kernel.descriptor + 56, &properties, sizeof properties);
    if (isa_assemble(text, kernel.code, sizeof kernel.code, &missing, reason, sizeof reason) >= 0)
        return 0;
    fprintf(stderr, "emulator: %s\n", reason);
    return -1;
}

static uint64_t total(const struct emu_counters *c)
{
    return c->salu + c->valu + c->matrix + c->lds + c->vmem + c->smem + c->wait + c->branch +
           c->other;
}

int main(void)
{
    const struct emu_dispatch dispatch = {
        .isa = "gfx1030",
        .kernel_descriptor = &kernel,
        .grid = {256, 1, 1},
        .workgroup = {256, 1, 1},
        .lds_bytes = 8192,
        .kernarg = &kernarg,
    };
    kernarg = (uintptr_t)memory;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        double best = 0;
        if (assemble(loads[i].body))
            return 1;
        for (int round = 0; round < ROUNDS; round++) {
            struct emu_outcome outcome;
            const double begin = now();
            if (emu_dispatch_run(&dispatch, &outcome) || outcome.end != EMU_DONE) {
                fprintf(stderr, "emulator: %s\n", outcome.what);
                return 1;
            }
            const double rate = (double)total(&outcome.counters) / (now() - begin);
            best = rate > best ? rate : best;
        }
        printf("%-14s %6.1f M wave-instructions/s\n", loads[i].what, best * 1e-6);
    }
    return 0;
}
