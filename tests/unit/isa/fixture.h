/* fixture.h: one wave that executes instructions given as text, without code or disassembler. */
#ifndef TESTS_ISA_FIXTURE_H
#define TESTS_ISA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "evaluator/emulator/isa/lanes.h"
#include "evaluator/emulator/isa/parse.h"

enum { ISA_LDS_BYTES = 4096, ISA_SCRATCH_BYTES = 64 };

struct isa {
    struct emu_wave *wave;
    struct emu_machine *machine;
    struct emu_outcome outcome;
    struct emu_arena arena;
};

/* A wave of "gfx10" (or 11, 12), all lanes active, every register with a value of its own. */
void isa_open(struct isa *isa, int generation);
void isa_close(struct isa *isa);

/* Executes instructions, one a line, each once and in order. A line may end in ` ; 0x...`, the lower
 * half of its first word. Returns what ended it: EMU_DONE when the last one was executed. */
enum emu_end isa_run(struct isa *isa, const char *lines);

/* Fails the test, with what ended it, unless all of it was executed. */
void isa_must_run(struct isa *isa, const char *lines);

/* 32 values that exercise bits: small, large, negative, around 24 and 31 bits, of a generator. */
void isa_fill_integers(uint32_t lanes[EMU_LANES], uint32_t seed);
/* Floats, as bits: zeros of both signs, subnormals, infinities, NaN, and of a generator. */
void isa_fill_floats(uint32_t lanes[EMU_LANES], uint32_t seed);
/* Halves, likewise, in the lower 16 bits; the upper ones hold something else. */
void isa_fill_halves(uint32_t lanes[EMU_LANES], uint32_t seed);

/* Equal bits, or both NaN. */
void isa_assert_float(uint32_t got, uint32_t wanted, const char *what, int lane);

/* One vector instruction: its text, with v1, v2, v3 as sources and v0 as destination, and what a lane
 * of v0 must become of those of the sources and of v0 before. */
struct isa_vector {
    const char *text;
    uint32_t (*wanted)(uint32_t a, uint32_t b, uint32_t c, uint32_t before);
};

typedef void isa_fill(uint32_t lanes[EMU_LANES], uint32_t seed);

/* Runs each case with several fillings, with all lanes and with some; inactive ones must stay. */
void isa_check_vectors(const struct isa_vector *cases, size_t count, isa_fill *fill);
/* The same, of floats: NaN are equal. */
void isa_check_float_vectors(const struct isa_vector *cases, size_t count, isa_fill *fill);

#endif
