#include "tests/unit/isa/fixture.h"
#include "evaluator/emulator/isa/mode.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state ^ *state >> 15;
}

void isa_open(struct isa *isa, int generation)
{
    uint32_t state = 1;
    static const struct emu_dispatch unlimited;
    *isa = (struct isa){0};
    isa->wave = aligned_alloc(64, sizeof *isa->wave);
    isa->machine = calloc(1, sizeof *isa->machine);
    assert_true(isa->wave && isa->machine);
    memset(isa->wave, 0, sizeof *isa->wave);
    for (int v = 0; v < EMU_VGPRS; v++)
        for (int lane = 0; lane < EMU_LANES; lane++)
            isa->wave->vgpr[v][lane] = next_random(&state);
    for (int s = 0; s < EMU_SGPRS; s++)
        isa->wave->sgpr[s] = next_random(&state);
    isa->wave->sgpr[EMU_EXEC] = UINT32_MAX;
    isa->wave->machine = isa->machine;
    isa->machine->dispatch = &unlimited;
    isa->machine->outcome = &isa->outcome;
    isa->machine->generation = generation;
    isa->machine->lds_bytes = ISA_LDS_BYTES;
    isa->machine->lds = calloc(1, ISA_LDS_BYTES);
    isa->machine->private_bytes = ISA_SCRATCH_BYTES;
    isa->wave->scratch = calloc(EMU_LANES, ISA_SCRATCH_BYTES);
    isa->wave->mode = 0xf0 | EMU_MODE_DX10_CLAMP;
    assert_true(isa->machine->lds && isa->wave->scratch);
}

void isa_close(struct isa *isa)
{
    free(isa->machine->lds);
    free(isa->wave->scratch);
    free(isa->machine);
    free(isa->wave);
    emu_arena_release(&isa->arena);
}

static void execute_line(struct isa *isa, char *line)
{
    uint32_t word = 0;
    char *semicolon = strstr(line, " ; ");
    if (semicolon) {
        word = (uint32_t)strtoul(semicolon + 3, NULL, 0);
        *semicolon = '\0';
    }
    struct emu_instruction *op = emu_arena_take(&isa->arena, sizeof *op);
    assert_non_null(op);
    assert_int_equal(emu_parse(&isa->arena, line, word, op), 0);
    isa->wave->at = op;
    isa->machine->counts[op->class]++;
    op->handler(isa->wave, op);
}

enum emu_end isa_run(struct isa *isa, const char *lines)
{
    char *copy = strdup(lines), *rest = copy, *line;
    assert_non_null(copy);
    isa->outcome = (struct emu_outcome){.end = EMU_DONE};
    isa->machine->running = isa->wave;
    emu_apply_mode(isa->wave);
    if (!sigsetjmp(isa->machine->escape, 1))
        while ((line = strsep(&rest, "\n")))
            if (*line)
                execute_line(isa, line);
    free(copy);
    return isa->outcome.end;
}

void isa_must_run(struct isa *isa, const char *lines)
{
    if (isa_run(isa, lines) != EMU_DONE)
        fail_msg("%s: %s", emu_end_name(isa->outcome.end), isa->outcome.what);
}

static void draw(uint32_t lanes[EMU_LANES], const uint32_t *first, size_t count, uint32_t seed)
{
    for (size_t lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t random = next_random(&seed);
        /* Half of the lanes draw from the list, so that two operands meet in many combinations. */
        lanes[lane] = random & 0x10000 ? first[next_random(&seed) % count] : next_random(&seed);
    }
}

void isa_fill_integers(uint32_t lanes[EMU_LANES], uint32_t seed)
{
    static const uint32_t values[] = {0,          1,          2,         31,         32,
                                      0xff,       0x7fff,     0x8000,    0xffff,     0x7fffff,
                                      0x800000,   0xffffff,   0x1000000, 0x7fffffff, 0x80000000,
                                      0x80000001, 0xfffffffe, 0xffffffff};
    draw(lanes, values, sizeof values / sizeof values[0], seed);
}

void isa_fill_floats(uint32_t lanes[EMU_LANES], uint32_t seed)
{
    static const uint32_t values[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                      0xff800000, 0x7fc00000, 0x00000001, 0x80000001, 0x007fffff,
                                      0x00800000, 0x7f7fffff, 0x3f000000, 0x40490fdb, 0x4b800000,
                                      0x4f000000, 0xcf000000, 0x4f800000, 0x3effffff, 0xbfc00000};
    draw(lanes, values, sizeof values / sizeof values[0], seed);
}

void isa_fill_halves(uint32_t lanes[EMU_LANES], uint32_t seed)
{
    static const uint32_t values[] = {0x0000, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00,
                                      0x7e00, 0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff,
                                      0xfbff, 0x3555, 0x5640, 0x1400};
    uint32_t state = seed + 77;
    draw(lanes, values, sizeof values / sizeof values[0], seed);
    for (int lane = 0; lane < EMU_LANES; lane++)
        lanes[lane] = (lanes[lane] & 0xffff) | next_random(&state) << 16;
}

void isa_assert_float(uint32_t got, uint32_t wanted, const char *what, int lane)
{
    const float a = emu_float(got), b = emu_float(wanted);
    if (got != wanted && !(a != a && b != b))
        fail_msg("%s: lane %d is %a (%08x), not %a (%08x)", what, lane, (double)a, got, (double)b,
                 wanted);
}

enum { FILLINGS = 6 };

static void check_vectors(const struct isa_vector *cases, size_t count, isa_fill *fill,
                          bool is_float)
{
    static const uint32_t execs[] = {UINT32_MAX, 0xa5f0103f};
    for (size_t i = 0; i < count; i++)
        for (uint32_t round = 0; round < FILLINGS; round++) {
            struct isa isa;
            uint32_t before[4][EMU_LANES];
            isa_open(&isa, 11);
            for (uint32_t v = 1; v < 4; v++)
                fill(isa.wave->vgpr[v], round * 16 + v);
            memcpy(before, isa.wave->vgpr, sizeof before);
            isa.wave->sgpr[EMU_EXEC] = execs[round % 2];
            isa_must_run(&isa, cases[i].text);
            for (int lane = 0; lane < EMU_LANES; lane++) {
                const uint32_t got = isa.wave->vgpr[0][lane];
                uint32_t wanted = before[0][lane];
                if (emu_active(execs[round % 2], lane))
                    wanted = cases[i].wanted(before[1][lane], before[2][lane], before[3][lane],
                                             before[0][lane]);
                if (is_float)
                    isa_assert_float(got, wanted, cases[i].text, lane);
                else if (got != wanted)
                    fail_msg("%s: lane %d of %08x, %08x, %08x is %08x, not %08x", cases[i].text,
                             lane, before[1][lane], before[2][lane], before[3][lane], got, wanted);
            }
            isa_close(&isa);
        }
}

void isa_check_vectors(const struct isa_vector *cases, size_t count, isa_fill *fill)
{
    check_vectors(cases, count, fill, false);
}

void isa_check_float_vectors(const struct isa_vector *cases, size_t count, isa_fill *fill)
{
    check_vectors(cases, count, fill, true);
}
