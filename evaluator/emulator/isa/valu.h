/* valu.h: from registers to lanes and back, for every vector operation. */
#ifndef EMU_VALU_H
#define EMU_VALU_H

#include "evaluator/emulator/isa/lanes.h"

/* Room for one operand's 32 lanes. */
struct emu_operand_lanes {
    _Alignas(64) uint64_t storage[EMU_LANES];
};

/* The lanes of a source, by its type: uint32_t[32] or uint64_t[32]. Points into the registers or to
 * *room. `dpp` (may be NULL) permutes them first. */
const void *emu_fetch(const struct emu_wave *wave, const struct emu_operand *operand,
                      const struct emu_dpp *dpp, struct emu_operand_lanes *room);

/* One bit a lane out of 32 truth values. */
uint32_t emu_pack(const uint32_t mask[EMU_LANES]);

/* Writes `lanes` to the register where `mask` has a bit. */
void emu_write_vgpr(struct emu_wave *wave, unsigned index, const uint32_t *lanes, uint32_t mask);

/* Handlers: row->lanes is called with the sources, its results are written to the active lanes. */
emu_handler emu_valu;       /* any operands */
emu_handler emu_valu_plain; /* op->plain */
emu_handler emu_dual;       /* both halves of a VOPD read before either writes */
emu_handler emu_cmpx;       /* the mask of a comparison becomes EXEC */

/* dpp.c. Lanes as `dpp` permutes them; with bound_ctrl invalid ones are 0. */
void emu_dpp_permute(const struct emu_wave *wave, const struct emu_dpp *dpp, const uint32_t *from,
                     uint32_t *to);
/* The lanes that a DPP instruction writes, a subset of EXEC. */
uint32_t emu_dpp_mask(const struct emu_wave *wave, const struct emu_dpp *dpp);

/* operand_lanes.c. A register's lanes as part, sign extension, absolute value, negation and
 * conversions of the operand want them. */
void emu_modify(const struct emu_operand *operand, const uint32_t *from, uint32_t *to);

#endif
