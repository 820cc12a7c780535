#include "evaluator/problem.h"

#include <math.h>
#include <string.h>

#define MAX_TOKENS (1u << 20)

static const struct {
    const char *name, *define;
    size_t size;
} dtypes[BP_DTYPE_COUNT] = {
    [BP_DTYPE_F16] = {"f16", "-DGQA_F16", 2},
    [BP_DTYPE_BF16] = {"bf16", "-DGQA_BF16", 2},
    [BP_DTYPE_F32] = {"f32", "-DGQA_F32", 4},
};

const char *bp_dtype_name(enum bp_dtype dtype)
{
    return dtypes[dtype].name;
}

const char *bp_dtype_define(enum bp_dtype dtype)
{
    return dtypes[dtype].define;
}

size_t bp_dtype_size(enum bp_dtype dtype)
{
    return dtypes[dtype].size;
}

bool bp_dtype_parse(const char *name, enum bp_dtype *dtype)
{
    for (int i = 0; i < BP_DTYPE_COUNT; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *dtype = (enum bp_dtype)i;
            return true;
        }
    }
    return false;
}

/* A 16-bit binary float: sign, exponent, mantissa; IEEE rules for subnormals, infinity and NaN. */
struct half_format {
    int mantissa_bits, exponent_bits;
    double smallest_normal, subnormals_per_one;
};
static const struct half_format f16_format = {10, 5, 0x1p-14, 0x1p24};
static const struct half_format bf16_format = {7, 8, 0x1p-126, 0x1p133};

static double half_load(const struct half_format *format, uint16_t bits)
{
    int bias = (1 << (format->exponent_bits - 1)) - 1;
    int top = (1 << format->exponent_bits) - 1;
    int exponent = (bits >> format->mantissa_bits) & top;
    int mantissa = bits & ((1 << format->mantissa_bits) - 1);
    double magnitude;
    if (exponent == top)
        magnitude = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(mantissa, 1 - bias - format->mantissa_bits);
    else
        magnitude =
            ldexp((1 << format->mantissa_bits) + mantissa, exponent - bias - format->mantissa_bits);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* Rounds straight from double: going through float would round twice. */
static uint16_t half_store(const struct half_format *format, double value)
{
    int bias = (1 << (format->exponent_bits - 1)) - 1;
    uint16_t infinity = (uint16_t)(((1u << format->exponent_bits) - 1) << format->mantissa_bits);
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    uint16_t sign = (uint16_t)((raw >> 48) & 0x8000);
    raw &= ~(UINT64_C(1) << 63);
    double magnitude = fabs(value);

    if (isnan(value))
        return sign | infinity | (uint16_t)(1u << (format->mantissa_bits - 1));
    /* Subnormal results count units of the smallest one; adding and removing 2^52 rounds to
     * nearest even. A carry into the first normal number has the right bits as it is. */
    if (magnitude < format->smallest_normal) {
        double units = magnitude * format->subnormals_per_one;
        return sign | (uint16_t)(units + 0x1p52 - 0x1p52);
    }
    int dropped = 52 - format->mantissa_bits;
    raw += (UINT64_C(1) << (dropped - 1)) - 1 + ((raw >> dropped) & 1);
    int64_t rebased = (int64_t)(raw >> dropped) - ((int64_t)(1023 - bias) << format->mantissa_bits);
    return sign | (rebased >= infinity ? infinity : (uint16_t)rebased);
}

double bp_dtype_load(enum bp_dtype dtype, const void *element)
{
    if (dtype == BP_DTYPE_F32) {
        float value;
        memcpy(&value, element, sizeof value);
        return value;
    }
    uint16_t bits;
    memcpy(&bits, element, sizeof bits);
    return half_load(dtype == BP_DTYPE_F16 ? &f16_format : &bf16_format, bits);
}

void bp_dtype_store(enum bp_dtype dtype, void *element, double value)
{
    if (dtype == BP_DTYPE_F32) {
        float rounded = (float)value;
        memcpy(element, &rounded, sizeof rounded);
        return;
    }
    uint16_t bits = half_store(dtype == BP_DTYPE_F16 ? &f16_format : &bf16_format, value);
    memcpy(element, &bits, sizeof bits);
}

/* f16 without a branch, for loops the compiler vectorises: shifted into a float's fields the
 * exponent is 112 too small, which one multiplication mends for normal and subnormal alike. */
static float f16_to_float(uint16_t bits)
{
    uint32_t raw = (uint32_t)(bits & 0x7fff) << 13;
    uint32_t special = raw >= 0x0f800000u ? 0x7f800000u : 0;
    float magnitude;
    memcpy(&magnitude, &raw, sizeof magnitude);
    magnitude *= 0x1p112f;
    memcpy(&raw, &magnitude, sizeof raw);
    raw |= special | (uint32_t)(bits & 0x8000) << 16;
    memcpy(&magnitude, &raw, sizeof magnitude);
    return magnitude;
}

void bp_dtype_to_floats(enum bp_dtype dtype, const void *elements, size_t count, float *floats)
{
    const uint16_t *half = elements;
    switch (dtype) {
    case BP_DTYPE_F16:
        for (size_t i = 0; i < count; i++)
            floats[i] = f16_to_float(half[i]);
        break;
    case BP_DTYPE_BF16:
        for (size_t i = 0; i < count; i++) {
            uint32_t raw = (uint32_t)half[i] << 16;
            memcpy(&floats[i], &raw, sizeof raw);
        }
        break;
    default:
        memcpy(floats, elements, count * sizeof *floats);
    }
}

static int check_range(const char *shape, const char *field, uint32_t value, uint32_t low,
                       uint32_t high, struct bp_error *err)
{
    if (value >= low && value <= high)
        return 0;
    return bp_fail(err, BP_ERR_USAGE, "shape %s: %s is %u, must be %u to %u", shape, field, value,
                   low, high);
}

int bp_shape_check(const struct bp_shape *shape, struct bp_error *err)
{
    if (!memchr(shape->name, '\0', sizeof shape->name))
        return bp_fail(err, BP_ERR_USAGE, "a shape's name is not terminated");
    const struct {
        const char *field;
        uint32_t value, low, high;
    } ranges[] = {
        {"batch", shape->batch, 1, BP_MAX_BATCH},
        {"q_heads", shape->q_heads, 1, BP_MAX_HEADS},
        {"kv_heads", shape->kv_heads, 1, BP_MAX_HEADS},
        {"q_len", shape->q_len, 1, MAX_TOKENS},
        {"kv_len", shape->kv_len, 1, MAX_TOKENS},
        {"head_dim", shape->head_dim, 8, BP_MAX_HEAD_DIM},
        {"causal", shape->causal, 0, 1},
        {"window", shape->window, 0, MAX_TOKENS},
        {"ragged", shape->ragged, 0, 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (check_range(shape->name, ranges[i].field, ranges[i].value, ranges[i].low,
                        ranges[i].high, err) < 0)
            return -1;
    }
    if (shape->head_dim % 8 != 0)
        return bp_fail(err, BP_ERR_USAGE, "shape %s: head_dim %u is no multiple of 8", shape->name,
                       shape->head_dim);
    if (shape->q_heads % shape->kv_heads != 0)
        return bp_fail(err, BP_ERR_USAGE, "shape %s: q_heads %u is no multiple of kv_heads %u",
                       shape->name, shape->q_heads, shape->kv_heads);
    for (uint32_t b = 0; shape->ragged && b < shape->batch; b++) {
        if (check_range(shape->name, "kv_lens", shape->kv_lens[b], 0, shape->kv_len, err) < 0)
            return -1;
    }
    return 0;
}

uint32_t bp_shape_kv_len(const struct bp_shape *shape, uint32_t batch)
{
    return shape->ragged ? shape->kv_lens[batch] : shape->kv_len;
}

void bp_shape_visible(const struct bp_shape *shape, uint32_t batch, uint32_t token, uint32_t *begin,
                      uint32_t *end)
{
    int64_t length = bp_shape_kv_len(shape, batch);
    /* One past the key that stands beside the token when both sequences end together. */
    int64_t diagonal = (int64_t)token + length - shape->q_len + 1;
    int64_t last = shape->causal && diagonal < length ? diagonal : length;
    int64_t first = shape->window ? diagonal - shape->window : 0;
    *begin = first < 0 ? 0 : (uint32_t)first;
    *end = last < 0 ? 0 : (uint32_t)last;
}

size_t bp_shape_q_elements(const struct bp_shape *shape)
{
    return (size_t)shape->batch * shape->q_heads * shape->q_len * shape->head_dim;
}

size_t bp_shape_kv_elements(const struct bp_shape *shape)
{
    return (size_t)shape->batch * shape->kv_heads * shape->kv_len * shape->head_dim;
}

double bp_shape_flops_useful(const struct bp_shape *shape)
{
    double pairs = 0;
    for (uint32_t b = 0; b < shape->batch; b++) {
        for (uint32_t i = 0; i < shape->q_len; i++) {
            uint32_t begin, end;
            bp_shape_visible(shape, b, i, &begin, &end);
            if (end > begin)
                pairs += end - begin;
        }
    }
    return 4.0 * shape->head_dim * shape->q_heads * pairs;
}

double bp_shape_flops_full(const struct bp_shape *shape)
{
    return 4.0 * shape->batch * shape->q_heads * shape->q_len * shape->kv_len * shape->head_dim;
}

double bp_shape_bytes(const struct bp_shape *shape, enum bp_dtype dtype)
{
    double keys = 0;
    for (uint32_t b = 0; b < shape->batch; b++) {
        uint32_t begin, end, unused;
        bp_shape_visible(shape, b, 0, &begin, &unused);
        bp_shape_visible(shape, b, shape->q_len - 1, &unused, &end);
        if (end > begin)
            keys += end - begin;
    }
    double elements =
        2.0 * (double)bp_shape_q_elements(shape) + 2.0 * keys * shape->kv_heads * shape->head_dim;
    return elements * (double)bp_dtype_size(dtype);
}

static void dense_strides(gqa_i64 stride[3], uint32_t heads, uint32_t tokens, uint32_t head_dim)
{
    stride[2] = head_dim;
    stride[1] = stride[2] * tokens;
    stride[0] = stride[1] * heads;
}

float bp_shape_scale(const struct bp_shape *shape)
{
    return (float)(1 / sqrt(shape->head_dim));
}

void bp_shape_to_abi(const struct bp_shape *shape, const gqa_i32 *kv_lens, struct gqa_shape *abi)
{
    *abi = (struct gqa_shape){
        .abi = GQA_ABI,
        .batch = (gqa_i32)shape->batch,
        .q_heads = (gqa_i32)shape->q_heads,
        .kv_heads = (gqa_i32)shape->kv_heads,
        .q_len = (gqa_i32)shape->q_len,
        .kv_len = (gqa_i32)shape->kv_len,
        .head_dim = (gqa_i32)shape->head_dim,
        .causal = (gqa_i32)shape->causal,
        .window = (gqa_i32)shape->window,
        .kv_lens = kv_lens,
        .scale = bp_shape_scale(shape),
    };
    dense_strides(abi->q_stride, shape->q_heads, shape->q_len, shape->head_dim);
    dense_strides(abi->k_stride, shape->kv_heads, shape->kv_len, shape->head_dim);
    dense_strides(abi->v_stride, shape->kv_heads, shape->kv_len, shape->head_dim);
    dense_strides(abi->o_stride, shape->q_heads, shape->q_len, shape->head_dim);
}
