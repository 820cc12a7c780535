/* parse.h: from an instruction as the disassembler prints it to what executes it. */
#ifndef EMU_PARSE_H
#define EMU_PARSE_H

#include "evaluator/emulator/isa/wave.h"
#include <stddef.h>

/* Memory that lives as long as a decoded program: taken piece by piece, given back as a whole. */
struct emu_arena {
    struct emu_chunk *chunks;
};

/* Zeroed, aligned to 64 bytes; NULL when there is no memory. */
void *emu_arena_take(struct emu_arena *arena, size_t size);
void emu_arena_release(struct emu_arena *arena);

/* Fills *op, but for its address, next and target. `first_word` is its code's. What cannot be executed
 * gets a handler that ends the dispatch and names it. Returns 0, or -1 when there is no memory. */
int emu_parse(struct emu_arena *arena, const char *text, uint32_t first_word,
              struct emu_instruction *op);

/* operand.c. Reads one operand of the type that the row says. False: not understood. */
bool emu_parse_operand(const char *text, char type, struct emu_operand *operand);

/* modifier.c. What stands behind operands: offsets, clamp, op_sel, SDWA, DPP. */
struct emu_modifiers {
    bool op_sel_hi_given, dpp_given;
    uint8_t op_sel, op_sel_hi, neg_lo, neg_hi; /* a bit an entry */
    uint8_t op_sel_count;
    uint8_t dst_sel, src_sel[2]; /* enum emu_part */
    struct emu_dpp dpp;
};
/* Takes one modifier into *m or *op. False: not understood. */
bool emu_parse_modifier(const char *text, struct emu_modifiers *m, struct emu_instruction *op);

#endif
