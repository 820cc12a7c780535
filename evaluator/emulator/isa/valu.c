/* valu.c: the steps that all vector operations share: fetch, compute, write back. */
#include "evaluator/emulator/isa/valu.h"
#include <math.h>

static const uint64_t zeros[EMU_LANES];

static bool is_wide(uint8_t type)
{
    return type == 'q' || type == 'l' || type == 'd';
}

static void broadcast(uint32_t value, uint32_t *lanes)
{
    for (int lane = 0; lane < EMU_LANES; lane++)
        lanes[lane] = value;
}

static void expand_mask(uint32_t mask, uint32_t *lanes)
{
    for (int lane = 0; lane < EMU_LANES; lane++)
        lanes[lane] = mask >> lane & 1;
}

uint32_t emu_pack(const uint32_t mask[EMU_LANES])
{
    uint32_t bits = 0;
    for (int lane = 0; lane < EMU_LANES; lane++)
        bits |= (mask[lane] & 1) << lane;
    return bits;
}

static const void *fetch_wide(const struct emu_wave *wave, const struct emu_operand *operand,
                              uint64_t *room)
{
    if (operand->kind == EMU_CONSTANT) {
        memcpy(room, operand->lanes, sizeof(uint64_t) * EMU_LANES);
    } else if (operand->kind == EMU_VGPR) {
        const uint32_t *low = wave->vgpr[operand->index], *high = wave->vgpr[operand->index + 1];
        for (int lane = 0; lane < EMU_LANES; lane++)
            room[lane] = (uint64_t)high[lane] << 32 | low[lane];
    } else {
        const uint32_t *pair = &wave->sgpr[operand->index];
        for (int lane = 0; lane < EMU_LANES; lane++)
            room[lane] = (uint64_t)pair[1] << 32 | pair[0];
    }
    const uint64_t keep = operand->absolute ? ~(UINT64_C(1) << 63) : ~UINT64_C(0);
    const uint64_t flip = operand->negative ? UINT64_C(1) << 63 : 0;
    if (operand->modified)
        for (int lane = 0; lane < EMU_LANES; lane++)
            room[lane] = (room[lane] & keep) ^ flip;
    return room;
}

static const uint32_t *fetch_narrow(const struct emu_wave *wave, const struct emu_operand *operand,
                                    uint32_t *room)
{
    switch (operand->kind) {
    case EMU_VGPR:
        return wave->vgpr[operand->index];
    case EMU_CONSTANT:
        return operand->lanes;
    default:
        broadcast(wave->sgpr[operand->index], room);
        return room;
    }
}

const void *emu_fetch(const struct emu_wave *wave, const struct emu_operand *operand,
                      const struct emu_dpp *dpp, struct emu_operand_lanes *room)
{
    uint32_t *lanes = (uint32_t *)room->storage;
    if (operand->kind == EMU_ABSENT)
        return zeros;
    if (is_wide(operand->type))
        return fetch_wide(wave, operand, room->storage);
    if (operand->type == 'c' && operand->kind == EMU_SGPR) {
        expand_mask(wave->sgpr[operand->index], lanes);
        return lanes;
    }
    const uint32_t *from = fetch_narrow(wave, operand, lanes);
    if (dpp) {
        uint32_t permuted[EMU_LANES];
        emu_dpp_permute(wave, dpp, from, permuted);
        memcpy(lanes, permuted, sizeof permuted);
        from = lanes;
    }
    if (operand->modified) {
        emu_modify(operand, from, lanes + EMU_LANES);
        from = lanes + EMU_LANES;
    }
    return from;
}

void emu_write_vgpr(struct emu_wave *wave, unsigned index, const uint32_t *lanes, uint32_t mask)
{
    uint32_t *restrict to = wave->vgpr[index];
    if (mask == UINT32_MAX) {
        memcpy(to, lanes, sizeof wave->vgpr[0]);
        return;
    }
    for (int lane = 0; lane < EMU_LANES; lane++)
        to[lane] = mask >> lane & 1 ? lanes[lane] : to[lane];
}

static void write_wide(struct emu_wave *wave, unsigned index, const uint64_t *lanes, uint32_t mask)
{
    uint32_t low[EMU_LANES], high[EMU_LANES];
    for (int lane = 0; lane < EMU_LANES; lane++) {
        low[lane] = (uint32_t)lanes[lane];
        high[lane] = (uint32_t)(lanes[lane] >> 32);
    }
    emu_write_vgpr(wave, index, low, mask);
    emu_write_vgpr(wave, index + 1, high, mask);
}

static const struct {
    uint8_t shift;
    uint32_t mask;
} parts[] = {
    [EMU_DWORD] = {0, UINT32_MAX}, [EMU_BYTE_0] = {0, 0xff},  [EMU_BYTE_1] = {8, 0xff},
    [EMU_BYTE_2] = {16, 0xff},     [EMU_BYTE_3] = {24, 0xff}, [EMU_WORD_0] = {0, 0xffff},
    [EMU_WORD_1] = {16, 0xffff},
};

/* SDWA says what becomes of the rest of the register; otherwise it stays as it was. */
static void write_part(struct emu_wave *wave, const struct emu_instruction *op,
                       const uint32_t *lanes, uint32_t mask)
{
    const struct emu_operand *dst = &op->dst[0];
    const unsigned shift = parts[dst->part].shift;
    const uint32_t part = parts[dst->part].mask, above = ~(part << shift) & (UINT32_MAX << shift);
    const uint32_t top = (part >> 1) + 1; /* the part's sign bit */
    const uint32_t *old = wave->vgpr[dst->index];
    const bool keep = !op->sdwa || op->unused == EMU_UNUSED_PRESERVE;
    uint32_t merged[EMU_LANES];
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t value = lanes[lane] & part;
        uint32_t rest = keep ? old[lane] & ~(part << shift) : 0;
        if (op->sdwa && op->unused == EMU_UNUSED_SEXT && value & top)
            rest = above;
        merged[lane] = value << shift | rest;
    }
    emu_write_vgpr(wave, dst->index, merged, mask);
}

static float clamp_float(float value, uint32_t mode)
{
    if (value != value)
        return mode & EMU_MODE_DX10_CLAMP ? 0.f : value;
    return value < 0.f ? 0.f : value > 1.f ? 1.f : value;
}

/* Output modifiers of floats; the decoder lets no other type have any. */
static void modify_floats(const struct emu_instruction *op, struct emu_lanes *l)
{
    for (int lane = 0; lane < EMU_LANES; lane++) {
        float value = emu_float(l->result[lane]) * op->scale;
        l->result[lane] = emu_bits(op->clamp ? clamp_float(value, l->mode) : value);
    }
}

static void retire(struct emu_wave *wave, const struct emu_instruction *op, struct emu_lanes *l)
{
    uint32_t mask = emu_exec(wave);
    if (op->dpp)
        mask &= emu_dpp_mask(wave, op->dpp);
    if (op->clamp || op->scale != 1.f)
        modify_floats(op, l);
    for (int i = 0; i < op->destinations; i++) {
        const struct emu_operand *dst = &op->dst[i];
        if (dst->type == 'c')
            wave->sgpr[dst->index] = emu_pack(l->mask) & mask;
        else if (is_wide(dst->type))
            write_wide(wave, dst->index, l->wide, mask);
        else if (dst->kind == EMU_SGPR) /* a scalar result of the vector unit: v_s_exp_f32 */
            wave->sgpr[dst->index] = l->result[0];
        else if (dst->part != EMU_DWORD)
            write_part(wave, op, l->result, mask);
        else
            emu_write_vgpr(wave, dst->index, l->result, mask);
    }
}

static void compute(const struct emu_wave *wave, const struct emu_instruction *op,
                    struct emu_lanes *l)
{
    struct emu_operand_lanes room[4];
    l->a = emu_fetch(wave, &op->src[0], op->dpp, &room[0]);
    l->b = emu_fetch(wave, &op->src[1], NULL, &room[1]);
    l->c = emu_fetch(wave, &op->src[2], NULL, &room[2]);
    l->d = emu_fetch(wave, &op->src[3], NULL, &room[3]);
    l->mode = wave->mode;
    op->row->lanes(l);
}

void emu_valu(struct emu_wave *wave, const struct emu_instruction *op)
{
    struct emu_lanes l;
    compute(wave, op, &l);
    retire(wave, op, &l);
}

static const uint32_t *fetch_plain(const struct emu_wave *wave, const struct emu_operand *operand,
                                   uint32_t *room)
{
    return operand->kind == EMU_ABSENT ? (const uint32_t *)zeros
                                       : fetch_narrow(wave, operand, room);
}

void emu_valu_plain(struct emu_wave *wave, const struct emu_instruction *op)
{
    uint32_t room[3][EMU_LANES];
    struct emu_lanes l;
    l.a = fetch_plain(wave, &op->src[0], room[0]);
    l.b = fetch_plain(wave, &op->src[1], room[1]);
    l.c = fetch_plain(wave, &op->src[2], room[2]);
    l.mode = wave->mode;
    op->row->lanes(&l);
    emu_write_vgpr(wave, op->dst[0].index, l.result, emu_exec(wave));
}

void emu_dual(struct emu_wave *wave, const struct emu_instruction *op)
{
    struct emu_lanes first, second;
    compute(wave, op, &first);
    compute(wave, op->dual, &second);
    retire(wave, op, &first);
    retire(wave, op->dual, &second);
}

void emu_cmpx(struct emu_wave *wave, const struct emu_instruction *op)
{
    struct emu_lanes l;
    compute(wave, op, &l);
    wave->sgpr[EMU_EXEC] &= emu_pack(l.mask);
}
