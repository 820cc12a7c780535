/* operand.c: registers and constants in an instruction's text. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/parse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPERAND = 96, GENERAL_SGPRS = 106 };

static const struct {
    const char *name;
    uint8_t index, count;
} special[] = {
    {"vcc", EMU_VCC, 2},   {"vcc_lo", EMU_VCC, 1},   {"vcc_hi", EMU_VCC + 1, 1},
    {"exec", EMU_EXEC, 2}, {"exec_lo", EMU_EXEC, 1}, {"exec_hi", EMU_EXEC + 1, 1},
    {"m0", EMU_M0, 1},
};

/* Read-only registers whose value is known. */
static const struct {
    const char *name;
    uint64_t value;
} fixed[] = {
    {"null", 0},
    {"src_shared_base", (uint64_t)EMU_SHARED_APERTURE_HI << 32},
    {"src_shared_limit", (uint64_t)EMU_SHARED_APERTURE_HI << 32 | UINT32_MAX},
    {"src_private_base", (uint64_t)EMU_PRIVATE_APERTURE_HI << 32},
    {"src_private_limit", (uint64_t)EMU_PRIVATE_APERTURE_HI << 32 | UINT32_MAX},
};

static bool is_wide(char type)
{
    return type == 'q' || type == 'l' || type == 'd';
}

static bool special_register(const char *text, struct emu_operand *operand)
{
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (!strcmp(text, special[i].name)) {
            operand->kind = EMU_SGPR;
            operand->index = special[i].index;
            operand->count = special[i].count;
            return true;
        }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!strcmp(text, fixed[i].name)) {
            operand->kind = EMU_CONSTANT;
            operand->index = EMU_NULL; /* where a write to null goes */
            operand->value = fixed[i].value;
            return true;
        }
    return false;
}

/* v7, s[4:5], ttmp9; behind a vector register .l or .h. */
static bool general_register(const char *text, struct emu_operand *operand)
{
    static const struct {
        const char *prefix;
        uint8_t kind;
        uint16_t base, limit;
    } files[] = {
        {"ttmp", EMU_SGPR, EMU_TTMP, EMU_TTMP + 16},
        {"v", EMU_VGPR, 0, EMU_VGPRS},
        {"s", EMU_SGPR, 0, GENERAL_SGPRS},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const size_t length = strlen(files[i].prefix);
        if (strncmp(text, files[i].prefix, length) != 0)
            continue;
        unsigned first, last;
        int end = 0;
        if (sscanf(text + length, "[%u:%u]%n", &first, &last, &end) < 2 || end == 0) {
            if (sscanf(text + length, "%u%n", &first, &end) < 1)
                continue;
            last = first;
        }
        const char *rest = text + length + end;
        if (!strcmp(rest, ".h"))
            operand->part = EMU_WORD_1;
        else if (*rest && strcmp(rest, ".l") != 0)
            return false;
        if (last < first || last - first >= 32 || files[i].base + last >= files[i].limit)
            return false;
        operand->kind = files[i].kind;
        operand->index = (uint16_t)(files[i].base + first);
        operand->count = (uint8_t)(last - first + 1);
        return true;
    }
    return false;
}

static uint64_t float_constant(double value, char type)
{
    switch (type) {
    case 'h':
    case 'w':
    case 'p':
    case 'r':
        return emu_half_bits_of_double(value);
    case 'd':
    case 'q':
    case 'l':
        return emu_double_bits(value);
    default:
        return emu_bits((float)value);
    }
}

/* A literal has 32 bits and is written in hexadecimal; inline integers are decimal and signed. */
static uint64_t integer_constant(int64_t value, bool literal, char type)
{
    switch (type) {
    case 'd':
        return literal && (uint64_t)value <= UINT32_MAX ? (uint64_t)value << 32 : (uint64_t)value;
    case 'l':
        return literal && (uint64_t)value <= UINT32_MAX ? (uint64_t)(int64_t)(int32_t)value
                                                        : (uint64_t)value;
    case 'q':
        return (uint64_t)value;
    case 'k':
        return (uint32_t)(int16_t)value;
    case 'u':
        return (uint16_t)value;
    default:
        return (uint32_t)value;
    }
}

static bool constant(const char *text, char type, struct emu_operand *operand)
{
    const bool literal = strstr(text, "0x") != NULL;
    char *end;
    operand->kind = EMU_CONSTANT;
    operand->count = is_wide(type) ? 2 : 1;
    if (!literal && strpbrk(text, ".e")) {
        operand->value = float_constant(strtod(text, &end), type);
    } else {
        const bool minus = *text == '-';
        const uint64_t magnitude = strtoull(text + minus, &end, 0);
        const int64_t value = (int64_t)(minus ? 0 - magnitude : magnitude);
        operand->value = integer_constant(value, literal, type);
    }
    return end != text && *end == '\0';
}

/* Removes prefix and, at the end, suffix; false when they are not there. */
static bool unwrap(char *text, const char *prefix, const char *suffix)
{
    const size_t length = strlen(text), before = strlen(prefix), behind = strlen(suffix);
    if (length < before + behind || strncmp(text, prefix, before) != 0 ||
        strcmp(text + length - behind, suffix) != 0)
        return false;
    memmove(text, text + before, length - before - behind);
    text[length - before - behind] = '\0';
    return true;
}

/* -x and neg(x), |x| and abs(x), sext(x). A minus before a digit belongs to the constant. */
static void unwrap_modifiers(char *text, struct emu_operand *operand)
{
    if (text[0] == '-' && !strchr("0123456789.", text[1]))
        operand->negative = unwrap(text, "-", "");
    else
        operand->negative = unwrap(text, "neg(", ")");
    operand->absolute = unwrap(text, "|", "|") || unwrap(text, "abs(", ")");
    operand->sign_extend = unwrap(text, "sext(", ")");
}

bool emu_parse_operand(const char *text, char type, struct emu_operand *operand)
{
    char rest[MAX_OPERAND];
    *operand = (struct emu_operand){.type = (uint8_t)type};
    if (strlen(text) >= sizeof rest)
        return false;
    snprintf(rest, sizeof rest, "%s", text);
    if (type == 'x' || !strcmp(rest, "off"))
        return true;
    unwrap_modifiers(rest, operand);
    if (unwrap(rest, "lit(", ")") || unwrap(rest, "lit64(", ")"))
        return constant(rest, type, operand);
    if (special_register(rest, operand) || general_register(rest, operand)) {
        const bool is_register = operand->kind != EMU_CONSTANT;
        return !is_register || !is_wide(type) || operand->count == 2;
    }
    return constant(rest, type, operand);
}
