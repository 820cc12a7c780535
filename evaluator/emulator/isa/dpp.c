/* dpp.c: data-parallel primitives: a source operand whose lanes come from other lanes. */
#include "evaluator/emulator/isa/valu.h"

static bool readable(const struct emu_wave *wave, const struct emu_dpp *dpp, int lane)
{
    const int source = dpp->source[lane];
    return source >= 0 && (dpp->fetch_inactive || emu_active(emu_exec(wave), source));
}

void emu_dpp_permute(const struct emu_wave *wave, const struct emu_dpp *dpp, const uint32_t *from,
                     uint32_t *to)
{
    for (int lane = 0; lane < EMU_LANES; lane++)
        to[lane] = readable(wave, dpp, lane) ? from[dpp->source[lane]] : 0;
}

uint32_t emu_dpp_mask(const struct emu_wave *wave, const struct emu_dpp *dpp)
{
    uint32_t mask = 0;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const bool row = dpp->row_mask >> (lane / 16) & 1;
        const bool bank = dpp->bank_mask >> (lane % 16 / 4) & 1;
        const bool valid = dpp->bound_ctrl || readable(wave, dpp, lane);
        mask |= (uint32_t)(row && bank && valid) << lane;
    }
    return mask & emu_exec(wave);
}
