/* operand_lanes.c: modifiers of vector sources. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/valu.h"

static void select_part(const struct emu_operand *operand, const uint32_t *from, uint32_t *to)
{
    static const struct {
        uint8_t up, down; /* shifts that leave the part in the lower bits */
    } parts[] = {
        [EMU_DWORD] = {0, 0},   [EMU_BYTE_0] = {24, 24}, [EMU_BYTE_1] = {16, 24},
        [EMU_BYTE_2] = {8, 24}, [EMU_BYTE_3] = {0, 24},  [EMU_WORD_0] = {16, 16},
        [EMU_WORD_1] = {0, 16},
    };
    const unsigned up = parts[operand->part].up, down = parts[operand->part].down;
    if (operand->sign_extend)
        for (int lane = 0; lane < EMU_LANES; lane++)
            to[lane] = (uint32_t)((int32_t)(from[lane] << up) >> down);
    else
        for (int lane = 0; lane < EMU_LANES; lane++)
            to[lane] = from[lane] << up >> down;
}

static void select_halves(const struct emu_operand *operand, const uint32_t *from, uint32_t *to)
{
    const unsigned low = operand->low * 16, high = operand->high * 16;
    const uint32_t flip =
        (operand->negative_low ? 0x8000u : 0) | (operand->negative_high ? 0x80000000u : 0);
    for (int lane = 0; lane < EMU_LANES; lane++)
        to[lane] = ((from[lane] >> low & 0xffff) | from[lane] >> high << 16) ^ flip;
}

/* fma_mix: `high` says that the source is a half, `low` which one. */
static void mixed_float(const struct emu_operand *operand, const uint32_t *from, uint32_t *to)
{
    uint32_t halves[EMU_LANES];
    if (!operand->high) {
        memmove(to, from, sizeof halves);
        return;
    }
    for (int lane = 0; lane < EMU_LANES; lane++)
        halves[lane] = from[lane] >> operand->low * 16;
    emu_widen(halves, (float *)to);
}

void emu_modify(const struct emu_operand *operand, const uint32_t *from, uint32_t *to)
{
    if (operand->type == 'p' || operand->type == 'r') {
        select_halves(operand, from, to);
        return;
    }
    if (operand->type == 'm')
        mixed_float(operand, from, to);
    else
        select_part(operand, from, to);
    const uint32_t sign = operand->type == 'h' ? 0x8000u : 0x80000000u;
    const uint32_t keep = operand->absolute ? ~sign : UINT32_MAX;
    const uint32_t flip = operand->negative ? sign : 0;
    for (int lane = 0; lane < EMU_LANES; lane++)
        to[lane] = (to[lane] & keep) ^ flip;
}
