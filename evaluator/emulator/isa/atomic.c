/* atomic.c: read-modify-write of memory and LDS. Memory may be shared with other threads of this
 * process, so its updates are atomic for them too. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/vmem.h"
#include <inttypes.h>

/* In a row's detail, beside bytes and space. */
enum {
    COMPARES = 1 << 17,      /* the data is followed by what memory is compared with */
    COMPARE_FIRST = 1 << 18, /* or preceded by it */
};

#define ATOMIC(name, expression)                                                                   \
    static uint64_t name(uint64_t old, uint64_t data, uint64_t compare)                            \
    {                                                                                              \
        (void)old, (void)data, (void)compare;                                                      \
        return (expression);                                                                       \
    }
#define F(x) emu_float((uint32_t)(x))
#define D(x) emu_double(x)
#define I(x) ((int32_t)(x))
#define L(x) ((int64_t)(x))

ATOMIC(add, old + data)
ATOMIC(sub, old - data)
ATOMIC(rsub, data - old)
ATOMIC(clamped_sub, old < data ? 0 : old - data)
ATOMIC(conditional_sub, old < data ? old : old - data)
ATOMIC(and, old &data)
ATOMIC(or, old | data)
ATOMIC(xor, old ^ data)
ATOMIC(swap, data)
ATOMIC(cmpswap, old == compare ? data : old)
ATOMIC(umin, old < data ? old : data)
ATOMIC(umax, old > data ? old : data)
ATOMIC(imin32, I(old) < I(data) ? old : data)
ATOMIC(imax32, I(old) > I(data) ? old : data)
ATOMIC(imin64, L(old) < L(data) ? old : data)
ATOMIC(imax64, L(old) > L(data) ? old : data)
ATOMIC(inc, old >= data ? 0 : old + 1)
ATOMIC(dec, old == 0 || old > data ? data : old - 1)
ATOMIC(add_f32, emu_bits(F(old) + F(data)))
ATOMIC(min_f32, emu_bits(emu_min(F(old), F(data))))
ATOMIC(max_f32, emu_bits(emu_max(F(old), F(data))))
ATOMIC(add_f64, emu_double_bits(D(old) + D(data)))
ATOMIC(min_f64, emu_double_bits(emu_min_double(D(old), D(data))))
ATOMIC(max_f64, emu_double_bits(emu_max_double(D(old), D(data))))
ATOMIC(pk_add_f16, emu_half_bits(emu_half((uint32_t)old) + emu_half((uint32_t)data)) |
                       emu_half_bits(emu_half((uint32_t)old >> 16) + emu_half((uint32_t)data >> 16))
                           << 16)

static uint64_t update32(uint32_t *at, emu_atomic_fn *next, uint64_t data, uint64_t compare)
{
    uint32_t old = __atomic_load_n(at, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(at, &old, (uint32_t)next(old, data, compare), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
    return old;
}

static uint64_t update64(uint64_t *at, emu_atomic_fn *next, uint64_t data, uint64_t compare)
{
    uint64_t old = __atomic_load_n(at, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(at, &old, next(old, data, compare), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        continue;
    return old;
}

static uint64_t lane_value(const struct emu_wave *wave, unsigned index, int lane, uint32_t bytes)
{
    const uint64_t low = wave->vgpr[index][lane];
    return bytes == 8 ? (uint64_t)wave->vgpr[index + 1][lane] << 32 | low : low;
}

static void update_lane(struct emu_wave *wave, const struct emu_instruction *op, int lane, void *at,
                        unsigned data, unsigned compare)
{
    const uint32_t bytes = op->row->detail & EMU_BYTES;
    const uint64_t value = lane_value(wave, data, lane, bytes);
    const uint64_t expected = lane_value(wave, compare, lane, bytes);
    if ((uintptr_t)at % bytes)
        emu_raise(wave, EMU_MEMORY_FAULT, (uintptr_t)at, "misaligned atomic");
    const uint64_t old = bytes == 8 ? update64(at, op->row->atomic, value, expected)
                                    : update32(at, op->row->atomic, value, expected);
    if (!op->destinations)
        return;
    wave->vgpr[op->dst[0].index][lane] = (uint32_t)old;
    if (bytes == 8)
        wave->vgpr[op->dst[0].index + 1][lane] = (uint32_t)(old >> 32);
}

static void atomic_memory(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    const unsigned data = op->src[1].index;
    const unsigned compare = detail & COMPARES ? data + bytes / 4 : data;
    const struct emu_operand address[2] = {op->src[0], op->src[2]};
    uint64_t addresses[EMU_LANES];
    emu_vmem_addresses(wave, op, address, addresses);
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(exec, lane))
            update_lane(wave, op, lane, emu_vmem_at(wave, op, lane, addresses[lane], bytes, true),
                        data, compare);
}

static void atomic_lds(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    const bool first = detail & COMPARE_FIRST;
    const unsigned data = op->src[first ? 2 : 1].index;
    const unsigned compare = op->src[detail & COMPARES ? 2 : 1].index;
    uint32_t address[EMU_LANES];
    memcpy(address, wave->vgpr[op->src[0].index], sizeof address);
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(exec, lane))
            update_lane(wave, op, lane,
                        emu_lds_at(wave, (uint64_t)address[lane] + (uint32_t)op->offset, bytes),
                        data, compare);
}

#define MEMORY(name, function, detail)                                                             \
    {"global_atomic_" name, "?n=nnn", EMU_VMEM, atomic_memory, {.atomic = function},               \
     (detail) | EMU_GLOBAL},                                                                       \
    {                                                                                              \
        "flat_atomic_" name, "?n=nn", EMU_VMEM, atomic_memory, {.atomic = function},               \
            (detail) | EMU_FLAT                                                                    \
    }
#define LDS_ROW(name, operands, function, detail)                                                  \
    {                                                                                              \
        name, operands, EMU_LDS, atomic_lds, {.atomic = function}, detail                          \
    }
#define LDS(name, type, function, detail)                                                          \
    LDS_ROW("ds_" name "_" type, "=nn", function, detail),                                         \
        LDS_ROW("ds_" name "_rtn_" type, "n=nn", function, detail)

static const struct emu_row rows[] = {
    MEMORY("add_u32", add, 4),
    MEMORY("add_u64", add, 8),
    MEMORY("sub_u32", sub, 4),
    MEMORY("sub_u64", sub, 8),
    MEMORY("csub_u32", clamped_sub, 4),
    MEMORY("sub_clamp_u32", clamped_sub, 4),
    MEMORY("cond_sub_u32", conditional_sub, 4),
    MEMORY("and_b32", and, 4),
    MEMORY("and_b64", and, 8),
    MEMORY("or_b32", or, 4),
    MEMORY("or_b64", or, 8),
    MEMORY("xor_b32", xor, 4),
    MEMORY("xor_b64", xor, 8),
    MEMORY("swap_b32", swap, 4),
    MEMORY("swap_b64", swap, 8),
    MEMORY("cmpswap_b32", cmpswap, 4 | COMPARES),
    MEMORY("cmpswap_b64", cmpswap, 8 | COMPARES),
    MEMORY("min_u32", umin, 4),
    MEMORY("min_u64", umin, 8),
    MEMORY("max_u32", umax, 4),
    MEMORY("max_u64", umax, 8),
    MEMORY("min_i32", imin32, 4),
    MEMORY("min_i64", imin64, 8),
    MEMORY("max_i32", imax32, 4),
    MEMORY("max_i64", imax64, 8),
    MEMORY("inc_u32", inc, 4),
    MEMORY("inc_u64", inc, 8),
    MEMORY("dec_u32", dec, 4),
    MEMORY("dec_u64", dec, 8),
    MEMORY("add_f32", add_f32, 4),
    MEMORY("min_f32", min_f32, 4),
    MEMORY("max_f32", max_f32, 4),
    MEMORY("add_f64", add_f64, 8),
    MEMORY("min_f64", min_f64, 8),
    MEMORY("max_f64", max_f64, 8),
    MEMORY("pk_add_f16", pk_add_f16, 4),
    LDS("add", "u32", add, 4),
    LDS("add", "u64", add, 8),
    LDS("sub", "u32", sub, 4),
    LDS("sub", "u64", sub, 8),
    LDS("rsub", "u32", rsub, 4),
    LDS("and", "b32", and, 4),
    LDS("and", "b64", and, 8),
    LDS("or", "b32", or, 4),
    LDS("or", "b64", or, 8),
    LDS("xor", "b32", xor, 4),
    LDS("xor", "b64", xor, 8),
    LDS("min", "u32", umin, 4),
    LDS("min", "u64", umin, 8),
    LDS("max", "u32", umax, 4),
    LDS("max", "u64", umax, 8),
    LDS("min", "i32", imin32, 4),
    LDS("min", "i64", imin64, 8),
    LDS("max", "i32", imax32, 4),
    LDS("max", "i64", imax64, 8),
    LDS("inc", "u32", inc, 4),
    LDS("dec", "u32", dec, 4),
    LDS("add", "f32", add_f32, 4),
    LDS("min", "f32", min_f32, 4),
    LDS("max", "f32", max_f32, 4),
    LDS("min", "f64", min_f64, 8),
    LDS("max", "f64", max_f64, 8),
    LDS("pk_add", "f16", pk_add_f16, 4),
    LDS_ROW("ds_storexchg_rtn_b32", "n=nn", swap, 4),
    LDS_ROW("ds_storexchg_rtn_b64", "n=nn", swap, 8),
    LDS_ROW("ds_cmpstore_b32", "=nnn", cmpswap, 4 | COMPARES),
    LDS_ROW("ds_cmpstore_b64", "=nnn", cmpswap, 8 | COMPARES),
    LDS_ROW("ds_cmpstore_rtn_b32", "n=nnn", cmpswap, 4 | COMPARES),
    LDS_ROW("ds_cmpstore_rtn_b64", "n=nnn", cmpswap, 8 | COMPARES),
    LDS_ROW("ds_cmpst_b32", "=nnn", cmpswap, 4 | COMPARE_FIRST),
    LDS_ROW("ds_cmpst_b64", "=nnn", cmpswap, 8 | COMPARE_FIRST),
    LDS_ROW("ds_cmpst_rtn_b32", "n=nnn", cmpswap, 4 | COMPARE_FIRST),
    LDS_ROW("ds_cmpst_rtn_b64", "n=nnn", cmpswap, 8 | COMPARE_FIRST),
};

const struct emu_table emu_atomic_table = {rows, sizeof rows / sizeof rows[0]};
