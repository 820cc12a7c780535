/* lanes.h: how vector operations are written: an expression of one lane, looped over all 32.
 *
 * The loops have no condition and the results never overlap the sources, so the compiler turns them
 * into vector code; which lanes are written back is the caller's business. */
#ifndef EMU_LANES_H
#define EMU_LANES_H

#include "evaluator/emulator/isa/wave.h"
#include <string.h>

/* Sources: uint32_t[32], or uint64_t[32] for the types q, l and d; a missing one is zeros. */
struct emu_lanes {
    const void *a, *b, *c, *d;
    union {
        uint32_t result[EMU_LANES];
        uint64_t wide[EMU_LANES];
    };
    uint32_t mask[EMU_LANES]; /* second destination (carry out), a truth value each */
    uint32_t mode;            /* the wave's MODE register */
};

static inline float emu_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t emu_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double emu_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t emu_double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* One function over lanes: SOURCE is the type that sources are stored in, OF what makes an operand of
 * it, RESULT the member results go to, TO what makes bits of the expression. */
#define EMU_LANES_FN(name, SOURCE, OF, RESULT, TO, expression)                                     \
    static void name(struct emu_lanes *l)                                                          \
    {                                                                                              \
        const SOURCE *pa = l->a, *pb = l->b, *pc = l->c;                                           \
        __typeof__(&l->RESULT[0]) restrict out = l->RESULT;                                        \
        for (int lane = 0; lane < EMU_LANES; lane++) {                                             \
            const __typeof__(OF(pa[0])) a = OF(pa[lane]), b = OF(pb[lane]), c = OF(pc[lane]);      \
            (void)a, (void)b, (void)c;                                                             \
            out[lane] = TO(expression);                                                            \
        }                                                                                          \
    }

/* 32-bit integers, floats, 64-bit integers, doubles. */
#define EMU_INT_OP(name, expression)                                                               \
    EMU_LANES_FN(name, uint32_t, (uint32_t), result, (uint32_t), expression)
#define EMU_FLOAT_OP(name, expression)                                                             \
    EMU_LANES_FN(name, uint32_t, emu_float, result, emu_bits, expression)
#define EMU_WIDE_OP(name, expression)                                                              \
    EMU_LANES_FN(name, uint64_t, (uint64_t), wide, (uint64_t), expression)
#define EMU_DOUBLE_OP(name, expression)                                                            \
    EMU_LANES_FN(name, uint64_t, emu_double, wide, emu_double_bits, expression)
/* Conversions: float in, integer out, and the reverse. */
#define EMU_FROM_FLOAT_OP(name, expression)                                                        \
    EMU_LANES_FN(name, uint32_t, emu_float, result, (uint32_t), expression)
#define EMU_TO_FLOAT_OP(name, expression)                                                          \
    EMU_LANES_FN(name, uint32_t, (uint32_t), result, emu_bits, expression)

#endif
