/* matrix.c: WMMA, the 16 x 16 x 16 products of gfx11 and gfx12, wave32.
 *
 * A is stored by row, B by column, 16 halves each, two a register. gfx11: lane l holds row l % 16
 * whole, in 8 registers. gfx12: lanes 0-15 hold k = 0-7, lanes 16-31 k = 8-15, in 4 registers. C and D
 * have a column a lane, l % 16; their register j is row 2 j + l / 16 in gfx11, 8 (l / 16) + j in
 * gfx12. Sixteen-bit C and D: gfx11 the lower half of such a register, gfx12 two rows a register. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/tables.h"

enum { SIDE = 16, ROWS_A_LANE = 8 };

/* Formats, in a row's detail: of A and B, and of C and D. */
enum format { F32, F16, BF16 };
enum { RESULT_SHIFT = 4 };

struct tile {
    float at[SIDE][SIDE];
};

static float widened(uint32_t bits, enum format format)
{
    if (format == F32)
        return emu_float(bits);
    return format == F16 ? emu_half(bits) : emu_float(bits << 16);
}

static uint32_t bfloat_bits(float value)
{
    const uint32_t bits = emu_bits(value);
    if (value != value)
        return bits >> 16 | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static uint32_t narrowed(float value, enum format format)
{
    if (format == F32)
        return emu_bits(value);
    return format == F16 ? emu_half_bits(value) : bfloat_bits(value);
}

/* tile->at[row or column][k] of A or B. */
static void read_factor(const struct emu_wave *wave, const struct emu_operand *operand,
                        enum format format, struct tile *tile)
{
    const int elements = operand->count * 2; /* a lane's: 16 in gfx11, 8 in gfx12 */
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int i = 0; i < elements; i++) {
            const uint32_t pair = wave->vgpr[operand->index + i / 2][lane];
            const int k = elements == SIDE ? i : lane / SIDE * elements + i;
            tile->at[lane % SIDE][k] = widened(pair >> i % 2 * 16 & 0xffff, format);
        }
}

static int row_of(const struct emu_wave *wave, int lane, int j)
{
    return wave->machine->generation >= 12 ? lane / SIDE * ROWS_A_LANE + j : 2 * j + lane / SIDE;
}

/* Where element j of a lane stands: register, and bits to shift. */
static unsigned register_of(const struct emu_wave *wave, enum format format, int j)
{
    const bool packed = format != F32 && wave->machine->generation >= 12;
    return (unsigned)(packed ? j / 2 : j);
}
static unsigned shift_of(const struct emu_wave *wave, enum format format, int j)
{
    return format != F32 && wave->machine->generation >= 12 ? (unsigned)j % 2 * 16 : 0;
}

static void read_sum(const struct emu_wave *wave, const struct emu_operand *operand,
                     enum format format, struct tile *tile)
{
    const uint32_t mask = format == F32 ? UINT32_MAX : 0xffff;
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int j = 0; j < ROWS_A_LANE; j++) {
            uint32_t bits = (uint32_t)operand->value;
            if (operand->kind == EMU_VGPR)
                bits = wave->vgpr[operand->index + register_of(wave, format, j)][lane] >>
                       shift_of(wave, format, j);
            tile->at[row_of(wave, lane, j)][lane % SIDE] = widened(bits & mask, format);
        }
}

static void write_sum(struct emu_wave *wave, const struct emu_operand *operand, enum format format,
                      const struct tile *tile)
{
    const uint32_t mask = format == F32 ? UINT32_MAX : 0xffff;
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int j = 0; j < ROWS_A_LANE; j++) {
            const unsigned shift = shift_of(wave, format, j);
            uint32_t *to = &wave->vgpr[operand->index + register_of(wave, format, j)][lane];
            const float value = tile->at[row_of(wave, lane, j)][lane % SIDE];
            *to = (*to & ~(mask << shift)) | narrowed(value, format) << shift;
        }
}

/* The hardware's order of the sixteen sums is not documented: in the order of k, each rounded. */
static void multiply(struct emu_wave *wave, const struct emu_instruction *op)
{
    const enum format in = (enum format)(op->row->detail & 15);
    const enum format out = (enum format)(op->row->detail >> RESULT_SHIFT);
    struct tile a, b, sum;
    if (op->op_sel)
        emu_raise(wave, EMU_UNIMPLEMENTED, op->address, "op_sel of a matrix instruction");
    if (out == BF16 && op->src[2].kind == EMU_CONSTANT && op->src[2].value)
        emu_raise(wave, EMU_UNIMPLEMENTED, op->address, "a bf16 constant");
    read_factor(wave, &op->src[0], in, &a);
    read_factor(wave, &op->src[1], in, &b);
    read_sum(wave, &op->src[2], out, &sum);
    for (int m = 0; m < SIDE; m++)
        for (int n = 0; n < SIDE; n++)
            for (int k = 0; k < SIDE; k++)
                sum.at[m][n] = __builtin_fmaf(a.at[m][k], b.at[n][k], sum.at[m][n]);
    write_sum(wave, &op->dst[0], out, &sum);
}

#define ROW(name, operands, in, out)                                                               \
    {                                                                                              \
        name, operands, EMU_MATRIX, multiply, {NULL}, (in) | (out) << RESULT_SHIFT                 \
    }

static const struct emu_row rows[] = {
    ROW("v_wmma_f32_16x16x16_f16", "n=nnn", F16, F32),
    ROW("v_wmma_f32_16x16x16_bf16", "n=nnn", BF16, F32),
    ROW("v_wmma_f16_16x16x16_f16", "n=nnh", F16, F16),
    ROW("v_wmma_bf16_16x16x16_bf16", "n=nnn", BF16, BF16),
};

const struct emu_table emu_matrix_table = {rows, sizeof rows / sizeof rows[0]};
