/* control.c: branches, barriers, waits, hardware registers, and what ends a wave. */
#include "evaluator/emulator/isa/decode.h"
#include "evaluator/emulator/isa/mode.h"
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/tables.h"
#include <string.h>

/* ---- branches ---- */

static void branch(struct emu_wave *wave, const struct emu_instruction *op)
{
    wave->next = op->target;
}

#define BRANCH_IF(name, condition)                                                                 \
    static void name(struct emu_wave *wave, const struct emu_instruction *op)                      \
    {                                                                                              \
        if (condition)                                                                             \
            wave->next = op->target;                                                               \
    }
BRANCH_IF(if_exec_zero, emu_exec(wave) == 0)
BRANCH_IF(if_exec, emu_exec(wave) != 0)
BRANCH_IF(if_scc_zero, !wave->scc)
BRANCH_IF(if_scc, wave->scc)
BRANCH_IF(if_vcc_zero, wave->sgpr[EMU_VCC] == 0)
BRANCH_IF(if_vcc, wave->sgpr[EMU_VCC] != 0)

static uint64_t address_behind(const struct emu_instruction *op)
{
    return op->address + op->bytes;
}

static void jump(struct emu_wave *wave, uint64_t address)
{
    wave->next = emu_program_at(wave->machine, address);
    if (!wave->next)
        emu_raise(wave, EMU_FAILED, address, "no memory to decode where it leads");
}

static void get_pc(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_scalar_write(wave, &op->dst[0], address_behind(op));
}

static void set_pc(struct emu_wave *wave, const struct emu_instruction *op)
{
    jump(wave, emu_scalar_read(wave, &op->src[0]));
}

static void swap_pc(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t address = emu_scalar_read(wave, &op->src[0]);
    emu_scalar_write(wave, &op->dst[0], address_behind(op));
    jump(wave, address);
}

static void call(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_scalar_write(wave, &op->dst[0], address_behind(op));
    wave->next = op->target;
}

/* ---- ends and waits ---- */

static void end_program(struct emu_wave *wave, const struct emu_instruction *op)
{
    (void)op;
    wave->state = EMU_ENDED;
}

static void barrier(struct emu_wave *wave, const struct emu_instruction *op)
{
    (void)op;
    wave->state = EMU_AT_BARRIER;
}

/* Other waves may have what this one waits for. */
static void yield(struct emu_wave *wave, const struct emu_instruction *op)
{
    (void)op;
    wave->machine->slice_full -= wave->machine->slice;
    wave->machine->slice = 0;
}

static void nothing(struct emu_wave *wave, const struct emu_instruction *op)
{
    (void)wave, (void)op;
}

static void trap(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_raise(wave, EMU_TRAP, op->address, "trap %u", op->immediate);
}

static void invalid(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_raise(wave, EMU_ILLEGAL_INSTRUCTION, op->address, "no instruction");
}

/* ---- hardware registers (LLVM AMDGPU usage, "hwreg") ---- */

enum {
    HWREG_MODE = 1,
    HWREG_SH_MEM_BASES = 15,
    HWREG_FLAT_SCR_LO = 20,
    HWREG_FLAT_SCR_HI = 21,
    HWREG_SHADER_CYCLES = 29,
};

struct field {
    unsigned id, shift;
    uint32_t mask;
};

static struct field field_of(const struct emu_instruction *op)
{
    const unsigned width = (op->immediate >> 11 & 31) + 1;
    return (struct field){op->immediate & 63, op->immediate >> 6 & 31,
                          width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1};
}

/* Time is counted in instructions, so that it is the same in every run. */
static uint64_t now(const struct emu_machine *machine)
{
    return machine->executed + (machine->slice_full - machine->slice);
}

static uint32_t hardware_register(struct emu_wave *wave, unsigned id)
{
    switch (id) {
    case HWREG_MODE:
        return wave->mode;
    case HWREG_SH_MEM_BASES:
        return EMU_PRIVATE_APERTURE_HI >> 16 | (EMU_SHARED_APERTURE_HI & 0xffff0000);
    case HWREG_SHADER_CYCLES:
        return (uint32_t)now(wave->machine) & 0xfffff;
    default:
        emu_raise(wave, EMU_UNIMPLEMENTED, wave->at->address, "reads hardware register %u", id);
    }
}

static void get_register(struct emu_wave *wave, const struct emu_instruction *op)
{
    const struct field field = field_of(op);
    emu_scalar_write(wave, &op->dst[0],
                     hardware_register(wave, field.id) >> field.shift & field.mask);
}

static void set_register(struct emu_wave *wave, const struct emu_instruction *op)
{
    const struct field field = field_of(op);
    const uint32_t value = (uint32_t)emu_scalar_read(wave, &op->src[1]) & field.mask;
    if (field.id == HWREG_FLAT_SCR_LO || field.id == HWREG_FLAT_SCR_HI)
        return; /* scratch is found by lane, wherever the kernel believes it is */
    if (field.id != HWREG_MODE)
        emu_raise(wave, EMU_UNIMPLEMENTED, op->address, "writes hardware register %u", field.id);
    emu_set_mode(wave, (wave->mode & ~(field.mask << field.shift)) | value << field.shift);
}

static void set_rounding(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_set_mode(wave, (wave->mode & ~0x0fu) | (op->immediate & 15));
}

static void set_subnormals(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_set_mode(wave, (wave->mode & ~0xf0u) | (op->immediate & 15) << 4);
}

static void get_time(struct emu_wave *wave, const struct emu_instruction *op)
{
    wave->sgpr[op->dst[0].index] = (uint32_t)now(wave->machine);
    wave->sgpr[op->dst[0].index + 1] = (uint32_t)(now(wave->machine) >> 32);
}

static void get_message(struct emu_wave *wave, const struct emu_instruction *op)
{
    if (!strstr(op->text, "MSG_RTN_GET_REALTIME"))
        emu_raise(wave, EMU_UNIMPLEMENTED, op->address, "asks for another message than the time");
    get_time(wave, op);
}

#define ROW(name, operands, class, handler, detail)                                                \
    {                                                                                              \
        name, operands, class, handler, {NULL}, detail                                             \
    }
#define BRANCH(name, handler) ROW(name, "*", EMU_BRANCH, handler, EMU_HAS_TARGET)
#define WAIT(name) ROW(name, "*", EMU_WAIT, nothing, 0)
#define IGNORED(name) ROW(name, "*", EMU_OTHER, nothing, 0)

static const struct emu_row rows[] = {
    ROW("s_branch", "*", EMU_BRANCH, branch, EMU_HAS_TARGET | EMU_IS_LAST),
    BRANCH("s_cbranch_execz", if_exec_zero),
    BRANCH("s_cbranch_execnz", if_exec),
    BRANCH("s_cbranch_scc0", if_scc_zero),
    BRANCH("s_cbranch_scc1", if_scc),
    BRANCH("s_cbranch_vccz", if_vcc_zero),
    BRANCH("s_cbranch_vccnz", if_vcc),
    ROW("s_getpc_b64", "q=", EMU_BRANCH, get_pc, 0),
    ROW("s_setpc_b64", "=q", EMU_BRANCH, set_pc, EMU_IS_LAST),
    ROW("s_swappc_b64", "q=q", EMU_BRANCH, swap_pc, 0),
    ROW("s_call_b64", "q=x", EMU_BRANCH, call, EMU_HAS_TARGET),
    ROW("s_endpgm", "*", EMU_OTHER, end_program, EMU_IS_LAST),
    ROW("s_endpgm_saved", "*", EMU_OTHER, end_program, EMU_IS_LAST),
    ROW("s_barrier", "*", EMU_WAIT, barrier, 0),
    /* gfx12 splits it: that all waves have signalled is certain when all of them wait. */
    ROW("s_barrier_wait", "*", EMU_WAIT, barrier, 0),
    WAIT("s_barrier_signal"),
    ROW("s_sleep", "*", EMU_WAIT, yield, 0),
    ROW("s_trap", "*", EMU_OTHER, trap, 0),
    ROW("s_sethalt", "*", EMU_OTHER, trap, 0),
    ROW("s_code_end", "*", EMU_OTHER, invalid, EMU_IS_LAST),
    ROW("s_getreg_b32", "b=x", EMU_SALU, get_register, 0),
    ROW("s_setreg_b32", "=xb", EMU_SALU, set_register, 0),
    ROW("s_setreg_imm32_b32", "=xb", EMU_SALU, set_register, 0),
    ROW("s_round_mode", "*", EMU_OTHER, set_rounding, 0),
    ROW("s_denorm_mode", "*", EMU_OTHER, set_subnormals, 0),
    ROW("s_memtime", "q=", EMU_SMEM, get_time, 0),
    ROW("s_memrealtime", "q=", EMU_SMEM, get_time, 0),
    ROW("s_sendmsg_rtn_b64", "q=x", EMU_OTHER, get_message, 0),
    /* Memory is coherent here and instructions end before the next one begins. */
    WAIT("s_waitcnt"),
    WAIT("s_waitcnt_vscnt"),
    WAIT("s_waitcnt_vmcnt"),
    WAIT("s_waitcnt_lgkmcnt"),
    WAIT("s_waitcnt_expcnt"),
    WAIT("s_waitcnt_depctr"),
    WAIT("s_wait_loadcnt"),
    WAIT("s_wait_storecnt"),
    WAIT("s_wait_samplecnt"),
    WAIT("s_wait_bvhcnt"),
    WAIT("s_wait_expcnt"),
    WAIT("s_wait_dscnt"),
    WAIT("s_wait_kmcnt"),
    WAIT("s_wait_loadcnt_dscnt"),
    WAIT("s_wait_storecnt_dscnt"),
    WAIT("s_wait_alu"),
    WAIT("s_wait_idle"),
    WAIT("s_wait_event"),
    WAIT("s_delay_alu"),
    IGNORED("s_nop"),
    IGNORED("v_nop"),
    IGNORED("v_pipeflush"),
    IGNORED("s_clause"),
    IGNORED("s_setprio"),
    IGNORED("s_inst_prefetch"),
    IGNORED("s_set_inst_prefetch_distance"),
    IGNORED("s_prefetch_inst"),
    IGNORED("s_prefetch_inst_pc_rel"),
    IGNORED("s_prefetch_data"),
    IGNORED("s_prefetch_data_pc_rel"),
    IGNORED("s_icache_inv"),
    IGNORED("s_dcache_inv"),
    IGNORED("s_dcache_wb"),
    IGNORED("s_gl1_inv"),
    IGNORED("s_sendmsg"),
    IGNORED("s_ttracedata"),
    IGNORED("s_ttracedata_imm"),
    IGNORED("s_decperflevel"),
    IGNORED("s_incperflevel"),
    IGNORED("buffer_gl0_inv"),
    IGNORED("buffer_gl1_inv"),
    IGNORED("global_inv"),
    IGNORED("global_wb"),
    IGNORED("global_wbinv"),
};

const struct emu_table emu_control_table = {rows, sizeof rows / sizeof rows[0]};
