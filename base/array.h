/* array.h: arrays that double when they are full. */
#ifndef BP_BASE_ARRAY_H
#define BP_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* The array of count elements of size bytes (null: none yet) with room for one more, perhaps elsewhere,
 * and *capacity, the elements there is room for. Null, with nothing changed, when there is no memory. */
void *bp_array_grow(void *array, uint32_t count, uint32_t *capacity, size_t size);

#endif
