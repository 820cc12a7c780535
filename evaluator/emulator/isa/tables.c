/* tables.c: from what a disassembler calls an instruction to its row. */
#include "evaluator/emulator/isa/tables.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 64, MAX_ROWS = 1024 };

static const struct emu_table *const tables[] = {
    &emu_integer_table,   &emu_integer16_table,      &emu_float_table,  &emu_convert_table,
    &emu_half_table,      &emu_wide_table,           &emu_packed_table, &emu_compare_table,
    &emu_crosslane_table, &emu_matrix_table,         &emu_scalar_table, &emu_scalar_float_table,
    &emu_control_table,   &emu_scalar_compare_table, &emu_smem_table,   &emu_lds_table,
    &emu_vmem_table,      &emu_atomic_table,
};

static const struct emu_row *sorted[MAX_ROWS];
static size_t row_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int by_name(const void *a, const void *b)
{
    const struct emu_row *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static void sort_rows(void)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (size_t i = 0; i < tables[t]->count && row_count < MAX_ROWS; i++)
            sorted[row_count++] = &tables[t]->rows[i];
    qsort(sorted, row_count, sizeof sorted[0], by_name);
}

static const struct emu_row *look_up(const char *name)
{
    const struct emu_row key = {.name = name}, *wanted = &key;
    const struct emu_row *const *found =
        bsearch(&wanted, sorted, row_count, sizeof sorted[0], by_name);
    return found ? *found : NULL;
}

static void strip_suffix(char *name)
{
    /* Longer ones first: _e64_dpp ends in _dpp. */
    static const char *const suffixes[] = {"_e64_dpp", "_e32", "_e64", "_dpp8", "_dpp", "_sdwa"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const size_t end = strlen(suffixes[i]);
        if (length > end && !strcmp(name + length - end, suffixes[i])) {
            name[length - end] = '\0';
            return;
        }
    }
}

/* Other generations' names, and parts of them. */
static const struct {
    const char *other;
    const char *name;
} renamed[] = {
    /* gfx10, whole names */
    {"s_andn2_b32", "s_and_not1_b32"},
    {"s_andn2_b64", "s_and_not1_b64"},
    {"s_orn2_b32", "s_or_not1_b32"},
    {"s_orn2_b64", "s_or_not1_b64"},
    {"s_andn1_saveexec_b32", "s_and_not0_saveexec_b32"},
    {"s_andn2_saveexec_b32", "s_and_not1_saveexec_b32"},
    {"s_orn1_saveexec_b32", "s_or_not0_saveexec_b32"},
    {"s_orn2_saveexec_b32", "s_or_not1_saveexec_b32"},
    {"s_andn1_wrexec_b32", "s_and_not0_wrexec_b32"},
    {"s_andn2_wrexec_b32", "s_and_not1_wrexec_b32"},
    {"s_ff1_i32_b32", "s_ctz_i32_b32"},
    {"s_ff1_i32_b64", "s_ctz_i32_b64"},
    {"s_flbit_i32_b32", "s_clz_i32_u32"},
    {"s_flbit_i32_b64", "s_clz_i32_u64"},
    {"s_flbit_i32", "s_cls_i32"},
    {"v_ffbh_u32", "v_clz_i32_u32"},
    {"v_ffbh_i32", "v_cls_i32"},
    {"v_ffbl_b32", "v_ctz_i32_b32"},
    {"v_mul_lo_i32", "v_mul_lo_u32"},
    {"v_mul_legacy_f32", "v_mul_dx9_zero_f32"},
    {"v_cvt_pkrtz_f16_f32", "v_cvt_pk_rtz_f16_f32"},
    {"v_cvt_flr_i32_f32", "v_cvt_floor_i32_f32"},
    {"v_cvt_rpi_i32_f32", "v_cvt_nearest_i32_f32"},
    {"v_mad_u64_u32", "v_mad_co_u64_u32"},
    {"v_mad_i64_i32", "v_mad_co_i64_i32"},
    {"ds_read_b32", "ds_load_b32"},
    {"ds_read_b64", "ds_load_b64"},
    {"ds_read_b96", "ds_load_b96"},
    {"ds_read_b128", "ds_load_b128"},
    {"ds_read2_b32", "ds_load_2addr_b32"},
    {"ds_read2_b64", "ds_load_2addr_b64"},
    {"ds_read2st64_b32", "ds_load_2addr_stride64_b32"},
    {"ds_read2st64_b64", "ds_load_2addr_stride64_b64"},
    {"ds_write2_b32", "ds_store_2addr_b32"},
    {"ds_write2_b64", "ds_store_2addr_b64"},
    {"ds_write2st64_b32", "ds_store_2addr_stride64_b32"},
    {"ds_write2st64_b64", "ds_store_2addr_stride64_b64"},
    {"ds_wrxchg_rtn_b32", "ds_storexchg_rtn_b32"},
    {"ds_wrxchg_rtn_b64", "ds_storexchg_rtn_b64"},
    /* gfx12, whole names */
    {"s_add_co_i32", "s_add_i32"},
    {"s_sub_co_i32", "s_sub_i32"},
    {"s_add_co_u32", "s_add_u32"},
    {"s_sub_co_u32", "s_sub_u32"},
    {"s_add_co_ci_u32", "s_addc_u32"},
    {"s_sub_co_ci_u32", "s_subb_u32"},
    {"s_addk_co_i32", "s_addk_i32"},
    {"s_max_num_f32", "s_max_f32"},
    {"s_min_num_f32", "s_min_f32"},
    {"s_max_num_f16", "s_max_f16"},
    {"s_min_num_f16", "s_min_f16"},
};

/* A prefix for another; what follows may be renamed in its turn. */
static const struct {
    const char *other;
    const char *name;
} prefixes[] = {
    {"v_dual_", "v_"},
    {"ds_read_", "ds_load_"},
    {"ds_write_", "ds_store_"},
};

/* Parts of names that mean the same anywhere: sizes of memory operations, gfx12's numbers. */
static const struct {
    const char *within; /* the name begins so */
    const char *other;
    const char *name;
} parts[] = {
    {"s_", "_dwordx16", "_b512"},
    {"", "_dwordx2", "_b64"},
    {"", "_dwordx3", "_b96"},
    {"", "_dwordx4", "_b128"},
    {"s_", "_dwordx8", "_b256"},
    {"", "_dword", "_b32"},
    {"", "_load_ubyte_d16_hi", "_load_d16_hi_u8"},
    {"", "_load_sbyte_d16_hi", "_load_d16_hi_i8"},
    {"", "_load_short_d16_hi", "_load_d16_hi_b16"},
    {"", "_load_ubyte_d16", "_load_d16_u8"},
    {"", "_load_sbyte_d16", "_load_d16_i8"},
    {"", "_load_short_d16", "_load_d16_b16"},
    {"", "_load_ubyte", "_load_u8"},
    {"", "_load_sbyte", "_load_i8"},
    {"", "_load_ushort", "_load_u16"},
    {"", "_load_sshort", "_load_i16"},
    {"", "_store_byte_d16_hi", "_store_d16_hi_b8"},
    {"", "_store_short_d16_hi", "_store_d16_hi_b16"},
    {"", "_store_byte", "_store_b8"},
    {"", "_store_short", "_store_b16"},
    {"v_", "_num_f", "_f"},
    {"ds_", "_num_f", "_f"},
    {"ds_", "_num_rtn_f", "_rtn_f"},
    {"", "_atomic_min_num_f32", "_atomic_min_f32"},
    {"", "_atomic_max_num_f32", "_atomic_max_f32"},
};

/* Atomics of gfx10 name no type, or only its width. */
static const struct {
    const char *other;
    const char *name32;
    const char *name64;
} atomics[] = {
    {"add", "add_u32", "add_u64"},    {"sub", "sub_u32", "sub_u64"},
    {"csub", "csub_u32", NULL},       {"and", "and_b32", "and_b64"},
    {"or", "or_b32", "or_b64"},       {"xor", "xor_b32", "xor_b64"},
    {"swap", "swap_b32", "swap_b64"}, {"cmpswap", "cmpswap_b32", "cmpswap_b64"},
    {"umin", "min_u32", "min_u64"},   {"umax", "max_u32", "max_u64"},
    {"smin", "min_i32", "min_i64"},   {"smax", "max_i32", "max_i64"},
    {"inc", "inc_u32", "inc_u64"},    {"dec", "dec_u32", "dec_u64"},
    {"fmin", "min_f32", "min_f64"},   {"fmax", "max_f32", "max_f64"},
};

static void replace(char *name, char *at, size_t length, const char *by)
{
    char rest[MAX_NAME];
    snprintf(rest, sizeof rest, "%s", at + length);
    snprintf(at, MAX_NAME - (size_t)(at - name), "%s%s", by, rest);
}

static void rename_atomic(char *name)
{
    char *operation = strstr(name, "_atomic_");
    if (!operation || !strncmp(name, "ds_", 3))
        return;
    operation += strlen("_atomic_");
    for (size_t i = 0; i < sizeof atomics / sizeof atomics[0]; i++) {
        const size_t length = strlen(atomics[i].other);
        if (strncmp(operation, atomics[i].other, length) != 0)
            continue;
        const char *suffix = operation + length;
        if (*suffix == '\0')
            replace(name, operation, length, atomics[i].name32);
        else if (!strcmp(suffix, "_x2") && atomics[i].name64)
            replace(name, operation, length + 3, atomics[i].name64);
        else
            continue;
        return;
    }
}

static void rename_parts(char *name)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncmp(name, prefixes[i].other, strlen(prefixes[i].other)))
            replace(name, name, strlen(prefixes[i].other), prefixes[i].name);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *at = strstr(name, parts[i].other);
        if (at && !strncmp(name, parts[i].within, strlen(parts[i].within)))
            replace(name, at, strlen(parts[i].other), parts[i].name);
    }
    rename_atomic(name);
}

static const struct emu_row *look_up_renamed(const char *name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (!strcmp(name, renamed[i].other))
            return look_up(renamed[i].name);
    return look_up(name);
}

const struct emu_row *emu_find_row(const char *mnemonic)
{
    char name[MAX_NAME];
    pthread_once(&once, sort_rows);
    if (strlen(mnemonic) >= sizeof name / 2)
        return NULL;
    snprintf(name, sizeof name, "%s", mnemonic);
    strip_suffix(name);
    const struct emu_row *row = look_up_renamed(name);
    if (row)
        return row;
    rename_parts(name);
    return look_up_renamed(name);
}
