/* buffer.h: a growable byte buffer that never exceeds the cap it was created with. */
#ifndef BP_BASE_BUFFER_H
#define BP_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct bp_buffer {
    char *data; /* owned; NUL-terminated once anything was added, which size does not count */
    size_t size;
    size_t capacity;
    size_t max; /* the cap, bytes */
};

void bp_buffer_init(struct bp_buffer *buffer, size_t max);
void bp_buffer_free(struct bp_buffer *buffer);
void bp_buffer_clear(struct bp_buffer *buffer);

/* Appends all or nothing. BP_ERR_LIMIT when it would pass the cap, BP_ERR_MEMORY. */
int bp_buffer_add(struct bp_buffer *buffer, const void *data, size_t size, struct bp_error *err)
    BP_MUST_CHECK;

/* Appends what fits under the cap and says how much that was; for logs. */
size_t bp_buffer_add_capped(struct bp_buffer *buffer, const void *data, size_t size);

int bp_buffer_printf(struct bp_buffer *buffer, struct bp_error *err, const char *fmt, ...)
    BP_PRINTF(3, 4) BP_MUST_CHECK;

/* Drops the first size bytes. */
void bp_buffer_consume(struct bp_buffer *buffer, size_t size);

/* The text, never null. */
const char *bp_buffer_text(const struct bp_buffer *buffer);

#endif
