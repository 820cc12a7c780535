/* tables.h: the instruction tables, one a file, and the look-up over all of them. */
#ifndef EMU_TABLES_H
#define EMU_TABLES_H

#include "evaluator/emulator/isa/wave.h"
#include <stddef.h>

struct emu_table {
    const struct emu_row *rows;
    size_t count;
};

extern const struct emu_table emu_integer_table;
extern const struct emu_table emu_integer16_table;
extern const struct emu_table emu_float_table;
extern const struct emu_table emu_convert_table;
extern const struct emu_table emu_half_table;
extern const struct emu_table emu_wide_table;
extern const struct emu_table emu_packed_table;
extern const struct emu_table emu_compare_table;
extern const struct emu_table emu_crosslane_table;
extern const struct emu_table emu_matrix_table;
extern const struct emu_table emu_scalar_table;
extern const struct emu_table emu_scalar_float_table;
extern const struct emu_table emu_scalar_compare_table;
extern const struct emu_table emu_control_table;
extern const struct emu_table emu_smem_table;
extern const struct emu_table emu_lds_table;
extern const struct emu_table emu_vmem_table;
extern const struct emu_table emu_atomic_table;

/* The row of a mnemonic as some generation's disassembler prints it (v_add_f32_e32, s_load_dwordx2,
 * v_dual_mul_f32); NULL if there is none. */
const struct emu_row *emu_find_row(const char *mnemonic);

#endif
