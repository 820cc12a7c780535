#include "evaluator/gates.h"

#include <string.h>

static const struct {
    const char *name, *finds;
} rows[BP_GATE_COUNT] = {
#define ROW(name, finds) [BP_GATE_##name] = {#name, finds},
    BP_GATE_LIST(ROW)
#undef ROW
};

const char *bp_gate_name(enum bp_gate gate)
{
    return rows[gate].name;
}

const char *bp_gate_finds(enum bp_gate gate)
{
    return rows[gate].finds;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

bool bp_gates_word(const char *word, size_t length, uint32_t *gates)
{
    if (is_word(word, length, "all")) {
        *gates = BP_GATES_ALL;
        return true;
    }
    for (int i = 0; i < BP_GATE_COUNT; i++) {
        if (is_word(word, length, rows[i].name)) {
            *gates = 1u << i;
            return true;
        }
    }
    return false;
}

bool bp_gates_parse(const char *text, uint32_t *gates)
{
    uint32_t all = 0, one;
    for (;;) {
        size_t length = strcspn(text, ",");
        if (!bp_gates_word(text, length, &one))
            return false;
        all |= one;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *gates = all;
    return true;
}
