/* problem.h: a GQA problem by name: its sizes, its dtype and the bytes it needs. Plain data. */
#ifndef BP_EVALUATOR_PROBLEM_H
#define BP_EVALUATOR_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/include/gqa_abi.h"

enum bp_dtype { BP_DTYPE_F16, BP_DTYPE_BF16, BP_DTYPE_F32, BP_DTYPE_COUNT };

const char *bp_dtype_name(enum bp_dtype dtype);   /* "f16" … */
const char *bp_dtype_define(enum bp_dtype dtype); /* a compiler's option: "-DGQA_F16" … */
bool bp_dtype_parse(const char *name, enum bp_dtype *dtype);
size_t bp_dtype_size(enum bp_dtype dtype); /* bytes of one element */

/* dtype's bits to double and back (round to nearest even; f32 bits are the float's). */
double bp_dtype_load(enum bp_dtype dtype, const void *element);
void bp_dtype_store(enum bp_dtype dtype, void *element, double value);
/* count elements at once, exactly; much faster than bp_dtype_load. */
void bp_dtype_to_floats(enum bp_dtype dtype, const void *elements, size_t count, float *floats);

#define BP_MAX_BATCH 64
#define BP_MAX_HEADS 256
#define BP_MAX_HEAD_DIM 512
#define BP_SHAPE_NAME 48

struct bp_shape {
    char name[BP_SHAPE_NAME];
    uint32_t batch, q_heads, kv_heads, q_len, kv_len, head_dim;
    uint32_t causal; /* 0 or 1 */
    uint32_t window; /* 0: none */
    uint32_t ragged; /* 1: kv_lens holds a length for each sequence, else kv_len holds for all */
    uint32_t kv_lens[BP_MAX_BATCH];
};

/* BP_ERR_USAGE naming the field when a size is zero or over its cap (256 heads, 2^20 tokens,
 * head_dim 512), head_dim % 8 != 0 or q_heads % kv_heads != 0. A length in kv_lens may be zero. */
int bp_shape_check(const struct bp_shape *shape, struct bp_error *err) BP_MUST_CHECK;

uint32_t bp_shape_kv_len(const struct bp_shape *shape, uint32_t batch);
/* Visible keys of query token i of a sequence: [*begin, *end); empty when *begin >= *end. */
void bp_shape_visible(const struct bp_shape *shape, uint32_t batch, uint32_t token, uint32_t *begin,
                      uint32_t *end);

/* Elements of q (and o), and of k (and v). */
size_t bp_shape_q_elements(const struct bp_shape *shape);
size_t bp_shape_kv_elements(const struct bp_shape *shape);

/* 4 * head_dim * (visible query-key pairs summed over batch and query heads): useful FLOPs. */
double bp_shape_flops_useful(const struct bp_shape *shape);
/* 4 * B * Hq * q_len * kv_len * D: the sources' convention, no causal discount. */
double bp_shape_flops_full(const struct bp_shape *shape);
/* Bytes that must cross memory once: q, o, and k, v once per KV head. */
double bp_shape_bytes(const struct bp_shape *shape, enum bp_dtype dtype);

/* 1 / sqrt(head_dim), as the float every kernel gets. */
float bp_shape_scale(const struct bp_shape *shape);

/* The kernel's argument. Dense strides [batch][heads][tokens][head_dim]; kv_lens as given. */
void bp_shape_to_abi(const struct bp_shape *shape, const gqa_i32 *kv_lens, struct gqa_shape *abi);

#endif
