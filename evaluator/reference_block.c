#include "evaluator/reference_block.h"

size_t bp_reference_row_bytes(uint32_t head_dim)
{
    return (head_dim + 1) * sizeof(double) + 3 * head_dim * sizeof(float);
}

size_t bp_reference_bytes(const struct bp_case *item)
{
    return sizeof(struct bp_reference_header) + bp_rows_count(&item->shape, item->max_rows) *
                                                    bp_reference_row_bytes(item->shape.head_dim);
}

struct bp_reference_row bp_reference_row(const void *reference, uint64_t index)
{
    const struct bp_reference_header *header = reference;
    uint32_t dim = header->head_dim;
    const double *o =
        (const double *)((const uint8_t *)(header + 1) + index * bp_reference_row_bytes(dim));
    const float *c = (const float *)(o + dim + 1);
    return (struct bp_reference_row){o, c, c + dim, c + 2 * dim, o[dim]};
}
