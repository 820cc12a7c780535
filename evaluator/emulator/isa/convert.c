/* convert.c: vector operations from one number format to another. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

EMU_TO_FLOAT_OP(f32_u32, (float)a)
EMU_TO_FLOAT_OP(f32_i32, (float)(int32_t)a)
EMU_FROM_FLOAT_OP(u32_f32, emu_to_u32((double)a))
EMU_FROM_FLOAT_OP(i32_f32, emu_to_i32((double)a))
EMU_FROM_FLOAT_OP(floor_i32_f32, emu_to_i32(floor((double)a)))
EMU_FROM_FLOAT_OP(nearest_i32_f32, emu_to_i32(floor((double)a + 0.5)))
EMU_FROM_FLOAT_OP(frexp_exp_f32, a - a == 0.f && a != 0.f ? (uint32_t)(ilogbf(a) + 1) : 0)
EMU_TO_FLOAT_OP(ubyte0, (float)(a & 0xff))
EMU_TO_FLOAT_OP(ubyte1, (float)(a >> 8 & 0xff))
EMU_TO_FLOAT_OP(ubyte2, (float)(a >> 16 & 0xff))
EMU_TO_FLOAT_OP(ubyte3, (float)(a >> 24))

static void f32_f16(struct emu_lanes *l)
{
    float wide[EMU_LANES];
    emu_widen(l->a, wide);
    memcpy(l->result, wide, sizeof wide);
}

static void f16_f32(struct emu_lanes *l)
{
    emu_narrow(l->a, l->result);
}

static uint32_t towards_zero(float value)
{
    return _cvtss_sh(value, _MM_FROUND_TO_ZERO);
}
EMU_FROM_FLOAT_OP(pkrtz, towards_zero(a) | towards_zero(b) << 16)

EMU_INT_OP(f16_u16, emu_half_bits((float)(uint16_t)a))
EMU_INT_OP(f16_i16, emu_half_bits((float)(int16_t)a))

static uint32_t clipped(double value, double low, double high)
{
    const double held = !(value == value) ? 0 : value < low ? low : value > high ? high : value;
    return (uint32_t)(int32_t)held & 0xffff;
}
EMU_INT_OP(u16_f16, clipped((double)emu_half(a), 0, 65535))
EMU_INT_OP(i16_f16, clipped((double)emu_half(a), -32768, 32767))
EMU_INT_OP(pk_u16_u32, (a < 0xffff ? a : 0xffff) | (b < 0xffff ? b : 0xffff) << 16)
EMU_INT_OP(pk_i16_i32, clipped((int32_t)a, -32768, 32767) | clipped((int32_t)b, -32768, 32767)
                                                                << 16)

/* Between 32 bits and a double. */
EMU_LANES_FN(f64_u32, uint32_t, (uint32_t), wide, emu_double_bits, (double)a)
EMU_LANES_FN(f64_i32, uint32_t, (int32_t), wide, emu_double_bits, (double)a)
EMU_LANES_FN(f64_f32, uint32_t, emu_float, wide, emu_double_bits, (double)a)
EMU_LANES_FN(u32_f64, uint64_t, emu_double, result, (uint32_t), emu_to_u32(a))
EMU_LANES_FN(i32_f64, uint64_t, emu_double, result, (uint32_t), emu_to_i32(a))
EMU_LANES_FN(f32_f64, uint64_t, emu_double, result, emu_bits, (float)a)

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_cvt_f32_u32", "f=b", f32_u32),
    ROW("v_cvt_f32_i32", "f=b", f32_i32),
    ROW("v_cvt_u32_f32", "b=f", u32_f32),
    ROW("v_cvt_i32_f32", "b=f", i32_f32),
    ROW("v_cvt_floor_i32_f32", "b=f", floor_i32_f32),
    ROW("v_cvt_nearest_i32_f32", "b=f", nearest_i32_f32),
    ROW("v_frexp_exp_i32_f32", "b=f", frexp_exp_f32),
    ROW("v_cvt_f32_ubyte0", "f=b", ubyte0),
    ROW("v_cvt_f32_ubyte1", "f=b", ubyte1),
    ROW("v_cvt_f32_ubyte2", "f=b", ubyte2),
    ROW("v_cvt_f32_ubyte3", "f=b", ubyte3),
    ROW("v_cvt_f32_f16", "f=h", f32_f16),
    ROW("v_cvt_f16_f32", "h=f", f16_f32),
    ROW("v_cvt_pk_rtz_f16_f32", "b=ff", pkrtz),
    ROW("v_cvt_f16_u16", "h=w", f16_u16),
    ROW("v_cvt_f16_i16", "h=w", f16_i16),
    ROW("v_cvt_u16_f16", "w=h", u16_f16),
    ROW("v_cvt_i16_f16", "w=h", i16_f16),
    ROW("v_cvt_pk_u16_u32", "b=bb", pk_u16_u32),
    ROW("v_cvt_pk_i16_i32", "b=bb", pk_i16_i32),
    ROW("v_cvt_f64_u32", "d=b", f64_u32),
    ROW("v_cvt_f64_i32", "d=b", f64_i32),
    ROW("v_cvt_f64_f32", "d=f", f64_f32),
    ROW("v_cvt_u32_f64", "b=d", u32_f64),
    ROW("v_cvt_i32_f64", "b=d", i32_f64),
    ROW("v_cvt_f32_f64", "f=d", f32_f64),
};

const struct emu_table emu_convert_table = {rows, sizeof rows / sizeof rows[0]};
