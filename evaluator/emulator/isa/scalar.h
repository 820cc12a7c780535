/* scalar.h: how scalar operations are written, and the handler they share. */
#ifndef EMU_SCALAR_H
#define EMU_SCALAR_H

#include "evaluator/emulator/isa/wave.h"

/* Sources are zero-extended to 64 bits; the result's lower bits are what the destination holds. */
#define EMU_SCALAR_FN(name, body)                                                                  \
    static uint64_t name(uint64_t a, uint64_t b, uint64_t c, uint32_t *scc)                        \
    {                                                                                              \
        (void)a, (void)b, (void)c, (void)scc;                                                      \
        body                                                                                       \
    }
/* The condition code stays; it becomes "result is not 0"; it is the result. */
#define EMU_SCALAR_KEEP(name, expression) EMU_SCALAR_FN(name, return (uint64_t)(expression);)
#define EMU_SCALAR_NONZERO(name, type, expression)                                                 \
    EMU_SCALAR_FN(name, const type result = (type)(expression); *scc = result != 0; return result;)
#define EMU_SCALAR_TEST(name, expression) EMU_SCALAR_FN(name, *scc = (expression); return 0;)

emu_handler emu_scalar;

/* A scalar operand's value, as its type wants it. */
uint64_t emu_scalar_read(const struct emu_wave *wave, const struct emu_operand *operand);
/* Writes `count` registers from a value's lower bits. */
void emu_scalar_write(struct emu_wave *wave, const struct emu_operand *operand, uint64_t value);

#endif
