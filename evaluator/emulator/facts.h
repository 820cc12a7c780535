/* facts.h: tables of what HSA's "get_info" functions answer. */
#ifndef BP_EMULATOR_FACTS_H
#define BP_EMULATOR_FACTS_H

#include <hsa/hsa.h>
#include <stddef.h>
#include <stdint.h>

struct emu_fact {
    uint32_t attribute;
    uint8_t
        width; /* bytes of one element; 1 with a text: its array is `count` bytes, zero-padded */
    uint8_t count;
    uint64_t values[4]; /* of the first elements; the others are zero */
    const char *text;
};

#define EMU_U8(attribute, value)                                                                   \
    {                                                                                              \
        (attribute), 1, 1, {(value)}, NULL                                                         \
    }
#define EMU_U16(attribute, value)                                                                  \
    {                                                                                              \
        (attribute), 2, 1, {(value)}, NULL                                                         \
    }
#define EMU_U32(attribute, value)                                                                  \
    {                                                                                              \
        (attribute), 4, 1, {(value)}, NULL                                                         \
    }
#define EMU_U64(attribute, value)                                                                  \
    {                                                                                              \
        (attribute), 8, 1, {(value)}, NULL                                                         \
    }
#define EMU_TEXT(attribute, bytes, text)                                                           \
    {                                                                                              \
        (attribute), 1, (bytes), {0}, (text)                                                       \
    }

/* Writes the fact to `value`, or HSA_STATUS_ERROR_INVALID_ARGUMENT for an attribute without one. */
hsa_status_t emu_fact_answer(const struct emu_fact *facts, size_t count, uint32_t attribute,
                             void *value);

#endif
