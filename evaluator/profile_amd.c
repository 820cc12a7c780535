#include "evaluator/profile_amd.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/amd_metadata.h"

/* ---- metadata ---- */

struct listing {
    const struct bp_amd_comgr *comgr;
    struct bp_profile *profile;
};

static uint32_t number_of(const struct bp_amd_comgr *comgr, struct bp_amd_handle map,
                          const char *key)
{
    char text[24];
    bool there = bp_amd_text_of(comgr, map, key, text, sizeof text);
    return there ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static bool take_kernel(struct bp_amd_handle map, void *context)
{
    const struct listing *listing = context;
    char name[BP_PROFILE_NAME];
    struct bp_profile_kernel *kernel = NULL;
    if (bp_amd_text_of(listing->comgr, map, ".name", name, sizeof name) && bp_profile_wants(name))
        kernel = bp_profile_add(listing->profile, name);
    if (!kernel)
        return true;
    const struct {
        uint32_t *value;
        const char *key;
    } rows[] = {
        {&kernel->vgpr, ".vgpr_count"},
        {&kernel->agpr, ".agpr_count"},
        {&kernel->sgpr, ".sgpr_count"},
        {&kernel->spills, ".vgpr_spill_count"},
        {&kernel->sgpr_spills, ".sgpr_spill_count"},
        {&kernel->lds_bytes, ".group_segment_fixed_size"},
        {&kernel->scratch_bytes, ".private_segment_fixed_size"},
        {&kernel->block_threads, ".max_flat_workgroup_size"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i].value = number_of(listing->comgr, map, rows[i].key);
    /* Where both kinds share a file, vgpr_count is the sum of both. */
    kernel->vgpr -= kernel->agpr <= kernel->vgpr ? kernel->agpr : 0;
    return true;
}

/* ---- code ---- */

struct object {
    const unsigned char *bytes;
    size_t size;
};

static bool within(const struct object *object, uint64_t offset, uint64_t bytes)
{
    return offset <= object->size && bytes <= object->size - offset;
}

static bool section_at(const struct object *object, const Elf64_Ehdr *header, uint64_t index,
                       Elf64_Shdr *section)
{
    uint64_t offset = header->e_shoff + index * sizeof *section;
    if (index >= header->e_shnum || header->e_shoff > object->size ||
        !within(object, offset, sizeof *section))
        return false;
    memcpy(section, object->bytes + offset, sizeof *section);
    return section->sh_type == SHT_NOBITS || within(object, section->sh_offset, section->sh_size);
}

/* Where the function's instructions stand in the file, by one table of symbols. */
static bool find_in_table(const struct object *object, const Elf64_Ehdr *header,
                          const Elf64_Shdr *table, const char *name, struct object *code)
{
    Elf64_Shdr strings, section;
    size_t length = strlen(name) + 1;
    if (!section_at(object, header, table->sh_link, &strings) || strings.sh_type != SHT_STRTAB)
        return false;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table->sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, object->bytes + table->sh_offset + at, sizeof symbol);
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_name > strings.sh_size ||
            length > strings.sh_size - symbol.st_name ||
            memcmp(object->bytes + strings.sh_offset + symbol.st_name, name, length) != 0)
            continue;
        uint64_t offset;
        if (!section_at(object, header, symbol.st_shndx, &section) ||
            symbol.st_value < section.sh_addr ||
            __builtin_add_overflow(section.sh_offset, symbol.st_value - section.sh_addr, &offset) ||
            section.sh_type == SHT_NOBITS || !within(object, offset, symbol.st_size))
            return false;
        *code = (struct object){object->bytes + offset, symbol.st_size};
        return true;
    }
    return false;
}

static bool find_code(const struct object *object, const char *name, struct object *code)
{
    Elf64_Ehdr header;
    if (object->size < sizeof header || memcmp(object->bytes, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&header, object->bytes, sizeof header);
    for (uint64_t i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;
        if (section_at(object, &header, i, &section) &&
            (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) &&
            find_in_table(object, &header, &section, name, code))
            return true;
    }
    return false;
}

/* The first prefix that fits decides. */
static enum bp_mix class_of(const char *instruction)
{
    static const struct {
        const char *prefix;
        enum bp_mix mix;
    } rows[] = {
        {"v_wmma", BP_MIX_matrix},    {"v_swmmac", BP_MIX_matrix}, {"v_mfma", BP_MIX_matrix},
        {"v_smfmac", BP_MIX_matrix},  {"v_", BP_MIX_valu},         {"s_wait", BP_MIX_wait},
        {"s_barrier", BP_MIX_wait},   {"s_sleep", BP_MIX_wait},    {"s_nop", BP_MIX_wait},
        {"s_delay_alu", BP_MIX_wait}, {"s_load_", BP_MIX_memory},  {"s_buffer_", BP_MIX_memory},
        {"s_store_", BP_MIX_memory},  {"s_", BP_MIX_salu},         {"ds_", BP_MIX_lds},
        {"global_", BP_MIX_memory},   {"flat_", BP_MIX_memory},    {"buffer_", BP_MIX_memory},
        {"scratch_", BP_MIX_memory},  {"tbuffer_", BP_MIX_memory}, {"image_", BP_MIX_memory},
    };
    instruction += strspn(instruction, " \t");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(instruction, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].mix;
    return BP_MIX_other;
}

/* Addresses are offsets into the code. */
struct reading {
    struct object code;
    uint32_t *mix;
};

static uint64_t read_code(uint64_t from, char *to, uint64_t bytes, void *context)
{
    const struct reading *reading = context;
    uint64_t left = from < reading->code.size ? reading->code.size - from : 0;
    uint64_t given = bytes < left ? bytes : left;
    memcpy(to, reading->code.bytes + (given ? from : 0), given);
    return given;
}

static void count_instruction(const char *instruction, void *context)
{
    const struct reading *reading = context;
    reading->mix[class_of(instruction)]++;
}

static void ignore_address(uint64_t address, void *context)
{
    (void)address, (void)context;
}

/* What stands behind the last instruction is padding that no wave reaches. */
static void take_mix(const struct bp_amd_comgr *comgr, struct bp_amd_handle disassembler,
                     const struct object *object, struct bp_profile_kernel *kernel)
{
    struct reading reading = {.mix = kernel->mix};
    if (!find_code(object, kernel->name, &reading.code))
        return;
    uint64_t at = 0, bytes = 0;
    while (at < reading.code.size && comgr->disassemble(disassembler, at, &reading, &bytes) == 0 &&
           bytes > 0)
        at += bytes;
    kernel->has_mix = at >= reading.code.size;
    if (!kernel->has_mix)
        memset(kernel->mix, 0, sizeof kernel->mix);
}

static int take_code(const struct bp_amd_comgr *comgr, struct bp_amd_handle data,
                     const struct object *object, struct bp_profile *profile, struct bp_error *err)
{
    char isa[128];
    size_t bytes = 0;
    struct bp_amd_handle disassembler;
    if (comgr->isa_name(data, &bytes, NULL) != 0 || bytes > sizeof isa ||
        comgr->isa_name(data, &bytes, isa) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the object does not say for which GPU it is");
    if (comgr->create_disassembler(isa, read_code, count_instruction, ignore_address,
                                   &disassembler) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "no disassembler for %s", isa);
    for (uint32_t i = 0; i < profile->kernel_count; i++)
        take_mix(comgr, disassembler, object, &profile->kernels[i]);
    comgr->destroy_disassembler(disassembler);
    return 0;
}

int bp_profile_amd(void *library, const void *object, size_t bytes, struct bp_profile *profile,
                   struct bp_error *err)
{
    struct object file = {object, bytes};
    struct bp_amd_comgr comgr;
    struct bp_amd_handle data;
    struct listing listing = {&comgr, profile};
    profile->kernel_count = 0;
    if (bp_amd_comgr_find(library, &comgr, err) < 0 ||
        bp_amd_data_create(&comgr, object, bytes, &data, err) < 0)
        return -1;
    int result = bp_amd_each_kernel(&comgr, data, take_kernel, &listing, err);
    if (result == 0)
        result = take_code(&comgr, data, &file, profile, err);
    comgr.release_data(data);
    return result;
}
