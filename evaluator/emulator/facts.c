#include "evaluator/emulator/facts.h"

#include <string.h>

static void write_fact(const struct emu_fact *fact, char *value)
{
    memset(value, 0, (size_t)fact->width * fact->count);
    if (fact->text) {
        size_t length = strlen(fact->text);
        memcpy(value, fact->text, length < fact->count ? length : fact->count - 1u);
        return;
    }
    /* Little endian, as x86-64 is: the low bytes of a value are its first. */
    for (size_t n = 0; n < fact->count && n < 4; n++)
        memcpy(value + n * fact->width, &fact->values[n], fact->width);
}

hsa_status_t emu_fact_answer(const struct emu_fact *facts, size_t count, uint32_t attribute,
                             void *value)
{
    if (!value)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    for (size_t n = 0; n < count; n++) {
        if (facts[n].attribute != attribute)
            continue;
        write_fact(&facts[n], value);
        return HSA_STATUS_SUCCESS;
    }
    return HSA_STATUS_ERROR_INVALID_ARGUMENT;
}
