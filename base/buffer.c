#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bp_buffer_init(struct bp_buffer *buffer, size_t max)
{
    *buffer = (struct bp_buffer){.max = max};
}

void bp_buffer_free(struct bp_buffer *buffer)
{
    free(buffer->data);
    bp_buffer_init(buffer, buffer->max);
}

void bp_buffer_clear(struct bp_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

static int reserve(struct bp_buffer *buffer, size_t extra, struct bp_error *err)
{
    if (extra > buffer->max - buffer->size)
        return bp_fail(err, BP_ERR_LIMIT, "more than %zu bytes", buffer->max);
    size_t need = buffer->size + extra + 1;
    if (need <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    char *grown = realloc(buffer->data, capacity);
    if (!grown)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a buffer of %zu bytes", capacity);
    buffer->data = grown;
    buffer->capacity = capacity;
    return 0;
}

int bp_buffer_add(struct bp_buffer *buffer, const void *data, size_t size, struct bp_error *err)
{
    if (reserve(buffer, size, err) < 0)
        return -1;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return 0;
}

size_t bp_buffer_add_capped(struct bp_buffer *buffer, const void *data, size_t size)
{
    struct bp_error ignored;
    size_t room = buffer->max - buffer->size;
    size_t taken = size < room ? size : room;
    return bp_buffer_add(buffer, data, taken, &ignored) == 0 ? taken : 0;
}

int bp_buffer_printf(struct bp_buffer *buffer, struct bp_error *err, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    int result = reserve(buffer, (size_t)length, err);
    if (result == 0) {
        vsnprintf(buffer->data + buffer->size, (size_t)length + 1, fmt, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return result;
}

void bp_buffer_consume(struct bp_buffer *buffer, size_t size)
{
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
    buffer->data[buffer->size] = '\0';
}

const char *bp_buffer_text(const struct bp_buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}
