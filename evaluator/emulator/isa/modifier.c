/* modifier.c: what stands behind the operands in an instruction's text. */
#include "evaluator/emulator/isa/parse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_LANES = 16, OCTET = 8 };

/* ---- lists: [1,0,1] ---- */

static int list(const char *text, int *values, int most)
{
    int count = 0;
    if (*text++ != '[')
        return -1;
    while (count < most) {
        char *end;
        values[count++] = (int)strtol(text, &end, 10);
        if (end == text)
            return -1;
        text = end + 1;
        if (*end == ']')
            return count;
        if (*end != ',')
            return -1;
    }
    return -1;
}

static bool bits(const char *text, uint8_t *to, uint8_t *count)
{
    int values[8];
    const int found = list(text, values, 8);
    for (int i = 0; i < found; i++)
        *to = (uint8_t)(*to | (values[i] & 1) << i);
    if (count && found > 0)
        *count = (uint8_t)found;
    return found > 0;
}

static bool op_sel(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    const bool good = bits(text, &m->op_sel, &m->op_sel_count);
    op->op_sel = m->op_sel;
    return good;
}
static bool op_sel_hi(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->op_sel_hi_given = true;
    return bits(text, &m->op_sel_hi, NULL);
}
static bool neg_lo(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    return bits(text, &m->neg_lo, NULL);
}
static bool neg_hi(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    return bits(text, &m->neg_hi, NULL);
}

/* ---- offsets and output ---- */

static bool offset(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->offset = (int32_t)strtol(text, NULL, 0); /* a swizzle is in the immediate */
    return true;
}
static bool offset1(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->offset1 = (int32_t)strtol(text, NULL, 0);
    return true;
}
static bool clamp(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->clamp = true;
    return *text == '\0';
}
static bool multiply(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->scale = strtof(text, NULL);
    return true;
}
static bool divide(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->scale = 1.f / strtof(text, NULL);
    return true;
}
static bool offen(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->offen = true;
    return *text == '\0';
}
static bool idxen(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->idxen = true;
    return *text == '\0';
}
static bool ignored(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)text, (void)m, (void)op;
    return true;
}

/* ---- SDWA ---- */

static bool part(const char *text, uint8_t *to)
{
    static const char *const names[] = {
        [EMU_DWORD] = "DWORD",   [EMU_BYTE_0] = "BYTE_0", [EMU_BYTE_1] = "BYTE_1",
        [EMU_BYTE_2] = "BYTE_2", [EMU_BYTE_3] = "BYTE_3", [EMU_WORD_0] = "WORD_0",
        [EMU_WORD_1] = "WORD_1",
    };
    for (uint8_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(text, names[i])) {
            *to = i;
            return true;
        }
    return false;
}
static bool dst_sel(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    op->sdwa = true;
    return part(text, &m->dst_sel);
}
static bool src0_sel(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    op->sdwa = true;
    return part(text, &m->src_sel[0]);
}
static bool src1_sel(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    op->sdwa = true;
    return part(text, &m->src_sel[1]);
}
static bool dst_unused(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)m;
    op->unused = !strcmp(text, "UNUSED_SEXT")       ? EMU_UNUSED_SEXT
                 : !strcmp(text, "UNUSED_PRESERVE") ? EMU_UNUSED_PRESERVE
                                                    : EMU_UNUSED_PAD;
    return true;
}

/* ---- DPP: which lane each lane reads ---- */

static void dpp_sources(struct emu_modifiers *m, int (*source)(int lane, int n), int n)
{
    m->dpp_given = true;
    m->dpp.kind = EMU_DPP_16;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const int within = source(lane % ROW_LANES, n);
        const bool valid = within >= 0 && within < ROW_LANES;
        m->dpp.source[lane] = (int8_t)(valid ? lane / ROW_LANES * ROW_LANES + within : -1);
    }
}

static int shifted_left(int lane, int n)
{
    return lane + n;
}
static int shifted_right(int lane, int n)
{
    return lane - n;
}
static int rotated(int lane, int n)
{
    return (lane - n + ROW_LANES) % ROW_LANES;
}
static int mirrored(int lane, int n)
{
    return lane ^ n;
}
static int shared(int lane, int n)
{
    (void)lane;
    return n;
}
/* A row's controls, each with a number behind it; mirrors have a fixed one. */
#define ROW_CONTROL(name, source)                                                                  \
    static bool name(const char *text, struct emu_modifiers *m, struct emu_instruction *op)        \
    {                                                                                              \
        (void)op;                                                                                  \
        dpp_sources(m, source, (int)strtol(text, NULL, 0));                                        \
        return true;                                                                               \
    }
ROW_CONTROL(row_shl, shifted_left)
ROW_CONTROL(row_shr, shifted_right)
ROW_CONTROL(row_ror, rotated)
ROW_CONTROL(row_share, shared)
ROW_CONTROL(row_xmask, mirrored)

static bool row_mirror(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    dpp_sources(m, mirrored, ROW_LANES - 1);
    return *text == '\0';
}
static bool row_half_mirror(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    dpp_sources(m, mirrored, OCTET - 1);
    return *text == '\0';
}

static bool groups(const char *text, struct emu_modifiers *m, int size)
{
    int values[OCTET];
    if (list(text, values, size) != size)
        return false;
    m->dpp_given = true;
    for (int lane = 0; lane < EMU_LANES; lane++)
        m->dpp.source[lane] = (int8_t)(lane / size * size + values[lane % size] % size);
    return true;
}
static bool quad_perm(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->dpp.kind = EMU_DPP_16;
    return groups(text, m, 4);
}
static bool dpp8(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->dpp.kind = EMU_DPP_8;
    m->dpp.bound_ctrl = true; /* an inactive lane reads as 0 */
    return groups(text, m, OCTET);
}
static bool row_mask(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->dpp.row_mask = (uint8_t)strtoul(text, NULL, 0);
    return true;
}
static bool bank_mask(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->dpp.bank_mask = (uint8_t)strtoul(text, NULL, 0);
    return true;
}
/* Printed when it is set: as 0 by older disassemblers, as 1 by newer ones. */
static bool bound_ctrl(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)text, (void)op;
    m->dpp.bound_ctrl = true;
    return true;
}
static bool fetch_inactive(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    (void)op;
    m->dpp.fetch_inactive = *text == '1';
    return true;
}

static const struct {
    const char *prefix;
    bool (*take)(const char *rest, struct emu_modifiers *m, struct emu_instruction *op);
} modifiers[] = {
    {"offset:", offset},
    {"offset0:", offset},
    {"offset1:", offset1},
    {"clamp", clamp},
    {"mul:", multiply},
    {"div:", divide},
    {"op_sel:", op_sel},
    {"op_sel_hi:", op_sel_hi},
    {"neg_lo:", neg_lo},
    {"neg_hi:", neg_hi},
    {"dst_sel:", dst_sel},
    {"dst_unused:", dst_unused},
    {"src0_sel:", src0_sel},
    {"src1_sel:", src1_sel},
    {"quad_perm:", quad_perm},
    {"row_shl:", row_shl},
    {"row_shr:", row_shr},
    {"row_ror:", row_ror},
    {"row_share:", row_share},
    {"row_xmask:", row_xmask},
    {"row_mirror", row_mirror},
    {"row_half_mirror", row_half_mirror},
    {"row_mask:", row_mask},
    {"bank_mask:", bank_mask},
    {"bound_ctrl:", bound_ctrl},
    {"fi:", fetch_inactive},
    {"dpp8:", dpp8},
    {"offen", offen},
    {"idxen", idxen},
    /* Cache policies: there is no cache here. */
    {"glc", ignored},
    {"slc", ignored},
    {"dlc", ignored},
    {"scope:", ignored},
    {"th:", ignored},
};

bool emu_parse_modifier(const char *text, struct emu_modifiers *m, struct emu_instruction *op)
{
    for (size_t i = 0; i < sizeof modifiers / sizeof modifiers[0]; i++) {
        const size_t length = strlen(modifiers[i].prefix);
        if (!strncmp(text, modifiers[i].prefix, length))
            return modifiers[i].take(text + length, m, op);
    }
    return false;
}
