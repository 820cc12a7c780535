/* parse.c: binds an instruction's text to its row. */
#include "evaluator/emulator/isa/parse.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 256, MAX_OPERANDS = 8, MAX_SOURCES = 5, MAX_DESTINATIONS = 2, ALL = 0xff };

/* ---- arena ---- */

enum { CHUNK_BYTES = 1 << 16, ALIGNMENT = 64 };

struct emu_chunk {
    _Alignas(ALIGNMENT) struct emu_chunk *next;
    size_t used;
    _Alignas(ALIGNMENT) unsigned char bytes[CHUNK_BYTES];
};

void *emu_arena_take(struct emu_arena *arena, size_t size)
{
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct emu_chunk *chunk = arena->chunks;
    if (size > CHUNK_BYTES)
        return NULL;
    if (!chunk || size > CHUNK_BYTES - chunk->used) {
        chunk = aligned_alloc(ALIGNMENT, sizeof *chunk);
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        chunk->used = 0;
        arena->chunks = chunk;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(piece, 0, size);
}

void emu_arena_release(struct emu_arena *arena)
{
    while (arena->chunks) {
        struct emu_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

/* ---- text into words ---- */

struct words {
    char text[MAX_TEXT];
    const char *mnemonic;
    char *operands[MAX_OPERANDS];
    int operand_count;
    char *modifiers[16];
    int modifier_count;
};

/* The end of what begins at `at`: a character of `stops` outside of all brackets. */
static char *end_of(char *at, const char *stops)
{
    int depth = 0;
    for (; *at; at++) {
        if (strchr("[(", *at))
            depth++;
        else if (strchr("])", *at))
            depth--;
        else if (depth == 0 && strchr(stops, *at))
            break;
    }
    return at;
}

static bool add_modifiers(struct words *words, char *at)
{
    while (*(at += strspn(at, " "))) {
        char *end = end_of(at, " ");
        if (words->modifier_count == (int)(sizeof words->modifiers / sizeof words->modifiers[0]))
            return false;
        words->modifiers[words->modifier_count++] = at;
        if (!*end)
            break;
        *end = '\0';
        at = end + 1;
    }
    return true;
}

/* Operands are divided by commas; behind the last one, and the spaces behind it, stand modifiers. */
static bool split(const char *text, struct words *words)
{
    *words = (struct words){0};
    if (snprintf(words->text, sizeof words->text, "%s", text) >= (int)sizeof words->text)
        return false;
    char *at = words->text + strspn(words->text, " \t");
    words->mnemonic = at;
    at += strcspn(at, " ");
    while (*at) {
        *at++ = '\0';
        at += strspn(at, " ");
        if (!*at)
            break;
        char *comma = end_of(at, ","), *space = end_of(at, ", ");
        const bool last = *comma == '\0';
        if (words->operand_count == MAX_OPERANDS)
            return false;
        words->operands[words->operand_count++] = at;
        if (space < comma) {
            *space = '\0';
            if (!add_modifiers(words, space + 1))
                return false;
        }
        if (last)
            break;
        at = comma;
    }
    return true;
}

/* ---- binding ---- */

struct binding {
    struct words words;
    struct emu_modifiers modifiers;
    struct emu_instruction *op;
    const char *destinations, *sources; /* letters of the row */
    int destination_count;
};

static bool bind_destinations(struct binding *b)
{
    for (int i = 0; i < b->destination_count; i++)
        if (!emu_parse_operand(b->words.operands[i], b->destinations[i], &b->op->dst[i]))
            return false;
    b->op->destinations = (uint8_t)b->destination_count;
    return true;
}

static bool bind_sources(struct binding *b)
{
    struct emu_instruction *op = b->op;
    int word = b->destination_count;
    for (int i = 0; b->sources[i]; i++) {
        const char type = b->sources[i];
        if (i == MAX_SOURCES)
            return false;
        struct emu_operand *source = &op->src[i];
        op->sources = (uint8_t)(i + 1);
        if (type == 'D') {
            *source = op->dst[0];
        } else if (word < b->words.operand_count) {
            if (!emu_parse_operand(b->words.operands[word++], type, source))
                return false;
        } else if (type == 'c') {
            *source = (struct emu_operand){EMU_SGPR, 'c', .count = 1, .index = EMU_VCC};
        } else {
            return false;
        }
    }
    return word == b->words.operand_count;
}

/* Divides the row's letters, and decides about a destination that may be missing. */
static void divide_letters(struct binding *b)
{
    const char *letters = b->op->row->operands;
    const bool optional = *letters == '?';
    b->destinations = letters + optional;
    b->sources = strchr(letters, '=') + 1;
    b->destination_count = (int)(b->sources - b->destinations) - 1;
    const int all = b->destination_count + (int)strlen(b->sources);
    if (optional && b->words.operand_count < all)
        b->destination_count = 0;
}

/* ---- what modifiers mean for operands ---- */

static bool bit(unsigned bits, int i)
{
    return bits >> i & 1;
}

static void select_source(const struct binding *b, int i, struct emu_operand *source)
{
    const struct emu_modifiers *m = &b->modifiers;
    const bool constant = source->kind == EMU_CONSTANT;
    switch (source->type) {
    case 'p':
    case 'r':
        source->low = bit(m->op_sel, i);
        source->high = m->op_sel_hi_given ? bit(m->op_sel_hi, i) : 1;
        source->negative_low = bit(m->neg_lo, i);
        source->negative_high = bit(m->neg_hi, i);
        break;
    case 'm':
        source->low = bit(m->op_sel, i);
        source->high = m->op_sel_hi_given && bit(m->op_sel_hi, i) && !constant;
        break;
    case 'h':
    case 'w':
        if (bit(m->op_sel, i))
            source->part = EMU_WORD_1;
        break;
    default:
        break;
    }
    if (b->op->sdwa && i < 2 && source->kind != EMU_ABSENT && source->type != 'D')
        source->part = m->src_sel[i];
}

static bool is_packed(uint8_t type)
{
    return type == 'p' || type == 'r';
}

static void mark_modified(struct emu_operand *source)
{
    const bool halves = is_packed(source->type) && (source->low != 0 || source->high != 1 ||
                                                    source->negative_low || source->negative_high);
    source->modified = source->negative || source->absolute || source->part != EMU_DWORD ||
                       halves || (source->type == 'm' && source->high);
}

/* Sixteen bits are written beside what the register's other half holds. */
static void select_destination(const struct binding *b)
{
    struct emu_instruction *op = b->op;
    struct emu_operand *dst = &op->dst[0];
    const struct emu_modifiers *m = &b->modifiers;
    if (op->sdwa) {
        dst->part = m->dst_sel;
    } else if (dst->type == 'h' || dst->type == 'w') {
        const int last = m->op_sel_count - 1;
        const bool chosen = last >= b->words.operand_count - 1 && bit(m->op_sel, last);
        const bool upper = dst->part == EMU_WORD_1 || op->row->detail == EMU_UPPER_HALF || chosen;
        dst->part = upper ? EMU_WORD_1 : EMU_WORD_0;
    }
    for (int i = 0; i < op->sources; i++)
        if (b->sources[i] == 'D' && dst->part == EMU_WORD_1)
            op->src[i].part = EMU_WORD_1;
}

static bool is_wide(uint8_t type)
{
    return type == 'q' || type == 'l' || type == 'd';
}

static int broadcast(struct emu_arena *arena, struct emu_operand *source)
{
    if (source->kind != EMU_CONSTANT)
        return 0;
    void *lanes = emu_arena_take(arena, EMU_LANES * sizeof(uint64_t));
    if (!lanes)
        return -1;
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (is_wide(source->type))
            ((uint64_t *)lanes)[lane] = source->value;
        else
            ((uint32_t *)lanes)[lane] = (uint32_t)source->value;
    source->lanes = lanes;
    return 0;
}

static bool is_plain_source(const struct emu_operand *source)
{
    return !source->modified && !is_wide(source->type) &&
           !(source->type == 'c' && source->kind == EMU_SGPR);
}

static bool is_plain(const struct emu_instruction *op)
{
    const struct emu_operand *dst = &op->dst[0];
    return op->row->handler == emu_valu && op->destinations == 1 && op->sources <= 3 &&
           dst->kind == EMU_VGPR && dst->part == EMU_DWORD && dst->type != 'c' &&
           !is_wide(dst->type) && !op->dpp && !op->clamp && op->scale == 1.f &&
           is_plain_source(&op->src[0]) && is_plain_source(&op->src[1]) &&
           is_plain_source(&op->src[2]);
}

/* ---- what is not understood ---- */

static void unimplemented(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_raise(wave, EMU_UNIMPLEMENTED, op->address, "%s", op->problem);
}

static int refuse(struct emu_instruction *op, const char *problem)
{
    op->handler = unimplemented;
    op->problem = problem;
    op->class = EMU_OTHER;
    return 0;
}

/* Modifiers that the operation has no place for. */
static const char *misplaced(const struct binding *b)
{
    const struct emu_instruction *op = b->op;
    const bool vector = op->row->class == EMU_VALU;
    if ((op->clamp || op->scale != 1.f) && (!vector || op->dst[0].type != 'f'))
        return "clamp or output modifier of this operation is not implemented";
    if ((b->modifiers.dpp_given || op->sdwa) && op->row->handler != emu_valu &&
        op->row->handler != emu_cmpx)
        return "DPP or SDWA of this operation is not implemented";
    if (op->row->class == EMU_MATRIX && (b->modifiers.neg_lo || b->modifiers.neg_hi))
        return "negation of a matrix is not implemented";
    return NULL;
}

static int finish(struct emu_arena *arena, struct binding *b)
{
    struct emu_instruction *op = b->op;
    const char *problem = misplaced(b);
    if (problem)
        return refuse(op, problem);
    if (b->modifiers.dpp_given) {
        struct emu_dpp *dpp = emu_arena_take(arena, sizeof *dpp);
        if (!dpp)
            return -1;
        *dpp = b->modifiers.dpp;
        op->dpp = dpp;
    }
    select_destination(b);
    for (int i = 0; i < op->sources && i < MAX_SOURCES; i++) {
        select_source(b, i, &op->src[i]);
        mark_modified(&op->src[i]);
        if (broadcast(arena, &op->src[i]))
            return -1;
    }
    op->plain = is_plain(op);
    op->handler = op->plain ? emu_valu_plain : op->row->handler;
    return 0;
}

static int parse_single(struct emu_arena *arena, const char *text, struct emu_instruction *op)
{
    struct binding b = {.op = op};
    b.modifiers.dpp.row_mask = b.modifiers.dpp.bank_mask = ALL;
    op->scale = 1.f;
    if (!split(text, &b.words))
        return refuse(op, "too long to be read");
    op->row = emu_find_row(b.words.mnemonic);
    if (!op->row)
        return refuse(op, "not implemented");
    op->class = (uint8_t)op->row->class;
    op->handler = op->row->handler;
    if (*op->row->operands == '*')
        return 0;
    divide_letters(&b);
    if (b.words.operand_count < b.destination_count || !bind_destinations(&b) || !bind_sources(&b))
        return refuse(op, "operands not understood");
    for (int i = 0; i < b.words.modifier_count; i++)
        if (!emu_parse_modifier(b.words.modifiers[i], &b.modifiers, op))
            return refuse(op, "modifier not implemented");
    return finish(arena, &b);
}

/* v_dual_add_f32 v0, v1, v2 :: v_dual_mov_b32 v3, v4 */
static int parse_dual(struct emu_arena *arena, const char *text, const char *colons,
                      struct emu_instruction *op)
{
    char first[MAX_TEXT];
    struct emu_instruction *second = emu_arena_take(arena, sizeof *second);
    if (!second)
        return -1;
    snprintf(first, sizeof first, "%.*s", (int)(colons - text), text);
    if (parse_single(arena, first, op) || parse_single(arena, colons + strlen(" :: "), second))
        return -1;
    if (op->problem || second->problem)
        return refuse(op, op->problem ? op->problem : second->problem);
    op->dual = second;
    op->handler = emu_dual;
    return 0;
}

int emu_parse(struct emu_arena *arena, const char *text, uint32_t first_word,
              struct emu_instruction *op)
{
    const size_t size = strlen(text) + 1;
    char *copy = emu_arena_take(arena, size);
    if (!copy)
        return -1;
    op->text = memcpy(copy, text, size);
    op->immediate = first_word & 0xffff;
    const char *colons = strstr(text, " :: ");
    return colons ? parse_dual(arena, text, colons, op) : parse_single(arena, text, op);
}
