#include "base/array.h"

#include <stdlib.h>

#define FIRST_CAPACITY 32

void *bp_array_grow(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (array && count < *capacity)
        return array;
    uint32_t grown = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    if (*capacity > UINT32_MAX / 2 || grown > SIZE_MAX / size)
        return NULL;
    void *moved = realloc(array, grown * size);
    if (moved)
        *capacity = grown;
    return moved;
}
