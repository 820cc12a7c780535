#include "harness/evolve/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/fault.h"

static int add_normalised(struct bp_buffer *text, const char *source, size_t size,
                          struct bp_error *err)
{
    for (size_t begin = 0; begin < size;) {
        const char *newline = memchr(source + begin, '\n', size - begin);
        size_t end = newline ? (size_t)(newline - source) : size;
        size_t kept = end;
        while (kept > begin && strchr(" \t\r", source[kept - 1]))
            kept--;
        if (bp_buffer_add(text, source + begin, kept - begin, err) < 0 ||
            bp_buffer_add(text, "\n", 1, err) < 0)
            return -1;
        begin = end + 1;
    }
    return 0;
}

static int add_knobs(struct bp_buffer *text, struct bp_evaluation *evaluation,
                     const struct bp_space *space, const struct bp_point *point,
                     struct bp_error *err)
{
    evaluation->knob_count = space->knob_count;
    for (uint32_t i = 0; i < space->knob_count; i++) {
        struct bp_define *define = &evaluation->knobs[i];
        snprintf(define->name, sizeof define->name, "%s", space->knobs[i].name);
        snprintf(define->value, sizeof define->value, "%" PRId64, bp_space_value(space, point, i));
        if (bp_buffer_printf(text, err, "%s=%s\n", define->name, define->value) < 0)
            return -1;
    }
    return 0;
}

int bp_identity_set(struct bp_evaluation *evaluation, const char *source, size_t source_bytes,
                    const struct bp_space *space, const struct bp_point *point, enum bp_dtype dtype,
                    struct bp_error *err)
{
    struct bp_buffer text;
    evaluation->source = bp_fault_malloc(source_bytes + 1);
    if (!evaluation->source)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a source of %zu bytes", source_bytes);
    memcpy(evaluation->source, source, source_bytes);
    evaluation->source[source_bytes] = '\0';
    evaluation->source_bytes = source_bytes;
    evaluation->dtype = dtype;
    bp_buffer_init(&text, 4 * (size_t)BP_SOURCE_MAX_BYTES);
    int result = add_normalised(&text, source, source_bytes, err);
    if (result == 0)
        result = add_knobs(&text, evaluation, space, point, err);
    if (result == 0)
        result = bp_buffer_printf(&text, err, "dtype=%s\n", bp_dtype_name(dtype));
    if (result == 0)
        bp_hash_text(text.data, text.size, evaluation->source_hash);
    bp_buffer_free(&text);
    return result;
}
