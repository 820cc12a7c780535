#include "evaluator/profile_amd.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_EXECUTABLE 8 /* AMD_COMGR_DATA_KIND_EXECUTABLE */
#define MAX_LISTED 64     /* kernels of an object that are looked at */

/* amd_comgr's handles, all of one shape: passed by value. */
struct handle {
    uint64_t value;
};

/* Signatures of amd_comgr 2 and 3. Statuses: 0 is success. */
static struct {
    int (*create_data)(int kind, struct handle *data);
    int (*set_data)(struct handle data, size_t bytes, const char *content);
    int (*release_data)(struct handle data);
    int (*isa_name)(struct handle data, size_t *bytes, char *name);
    int (*metadata)(struct handle data, struct handle *node);
    int (*lookup)(struct handle map, const char *key, struct handle *node);
    int (*list_size)(struct handle list, size_t *count);
    int (*list_index)(struct handle list, size_t index, struct handle *node);
    int (*string)(struct handle node, size_t *bytes, char *text);
    int (*destroy)(struct handle node);
    int (*create_disassembler)(const char *isa,
                               uint64_t (*read)(uint64_t from, char *to, uint64_t bytes, void *),
                               void (*print)(const char *instruction, void *),
                               void (*annotate)(uint64_t address, void *), struct handle *info);
    int (*disassemble)(struct handle info, uint64_t address, void *context, uint64_t *bytes);
    int (*destroy_disassembler)(struct handle info);
} comgr;

static const struct {
    void *function;
    const char *name;
} entries[] = {
    {&comgr.create_data, "amd_comgr_create_data"},
    {&comgr.set_data, "amd_comgr_set_data"},
    {&comgr.release_data, "amd_comgr_release_data"},
    {&comgr.isa_name, "amd_comgr_get_data_isa_name"},
    {&comgr.metadata, "amd_comgr_get_data_metadata"},
    {&comgr.lookup, "amd_comgr_metadata_lookup"},
    {&comgr.list_size, "amd_comgr_get_metadata_list_size"},
    {&comgr.list_index, "amd_comgr_index_list_metadata"},
    {&comgr.string, "amd_comgr_get_metadata_string"},
    {&comgr.destroy, "amd_comgr_destroy_metadata"},
    {&comgr.create_disassembler, "amd_comgr_create_disassembly_info"},
    {&comgr.disassemble, "amd_comgr_disassemble_instruction"},
    {&comgr.destroy_disassembler, "amd_comgr_destroy_disassembly_info"},
};

static int find_functions(void *library, struct bp_error *err)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *function = library ? dlsym(library, entries[i].name) : NULL;
        if (!function)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "no %s", entries[i].name);
        memcpy(entries[i].function, &function, sizeof function);
    }
    return 0;
}

/* ---- metadata ---- */

static bool text_of(struct handle map, const char *key, char *text, size_t size)
{
    struct handle node;
    size_t bytes = 0;
    if (comgr.lookup(map, key, &node) != 0)
        return false;
    bool fits = comgr.string(node, &bytes, NULL) == 0 && bytes > 0 && bytes <= size;
    bool got = fits && comgr.string(node, &bytes, text) == 0;
    comgr.destroy(node);
    return got;
}

static uint32_t number_of(struct handle map, const char *key)
{
    char text[24];
    return text_of(map, key, text, sizeof text) ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static void take_kernel(struct handle map, struct bp_profile *profile)
{
    char name[BP_PROFILE_NAME];
    struct bp_profile_kernel *kernel = NULL;
    if (text_of(map, ".name", name, sizeof name) && bp_profile_wants(name))
        kernel = bp_profile_add(profile, name);
    if (!kernel)
        return;
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
        *rows[i].value = number_of(map, rows[i].key);
    /* Where both kinds share a file, vgpr_count is the sum of both. */
    kernel->vgpr -= kernel->agpr <= kernel->vgpr ? kernel->agpr : 0;
}

static int take_metadata(struct handle data, struct bp_profile *profile, struct bp_error *err)
{
    struct handle root, list, map;
    size_t count = 0;
    if (comgr.metadata(data, &root) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the object has no metadata");
    if (comgr.lookup(root, "amdhsa.kernels", &list) == 0) {
        if (comgr.list_size(list, &count) != 0)
            count = 0;
        for (size_t i = 0; i < count && i < MAX_LISTED; i++)
            if (comgr.list_index(list, i, &map) == 0) {
                take_kernel(map, profile);
                comgr.destroy(map);
            }
        comgr.destroy(list);
    }
    comgr.destroy(root);
    return 0;
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
static void take_mix(struct handle disassembler, const struct object *object,
                     struct bp_profile_kernel *kernel)
{
    struct reading reading = {.mix = kernel->mix};
    if (!find_code(object, kernel->name, &reading.code))
        return;
    uint64_t at = 0, bytes = 0;
    while (at < reading.code.size && comgr.disassemble(disassembler, at, &reading, &bytes) == 0 &&
           bytes > 0)
        at += bytes;
    kernel->has_mix = at >= reading.code.size;
    if (!kernel->has_mix)
        memset(kernel->mix, 0, sizeof kernel->mix);
}

static int take_code(struct handle data, const struct object *object, struct bp_profile *profile,
                     struct bp_error *err)
{
    char isa[128];
    size_t bytes = 0;
    struct handle disassembler;
    if (comgr.isa_name(data, &bytes, NULL) != 0 || bytes > sizeof isa ||
        comgr.isa_name(data, &bytes, isa) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the object does not say for which GPU it is");
    if (comgr.create_disassembler(isa, read_code, count_instruction, ignore_address,
                                  &disassembler) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "no disassembler for %s", isa);
    for (uint32_t i = 0; i < profile->kernel_count; i++)
        take_mix(disassembler, object, &profile->kernels[i]);
    comgr.destroy_disassembler(disassembler);
    return 0;
}

int bp_profile_amd(void *library, const void *object, size_t bytes, struct bp_profile *profile,
                   struct bp_error *err)
{
    struct object file = {object, bytes};
    struct handle data;
    profile->kernel_count = 0;
    if (find_functions(library, err) < 0)
        return -1;
    if (comgr.create_data(DATA_EXECUTABLE, &data) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "amd_comgr cannot begin");
    int result = -1;
    if (comgr.set_data(data, bytes, object) != 0)
        bp_fail(err, BP_ERR_UNAVAILABLE, "amd_comgr does not take the object");
    else if (take_metadata(data, profile, err) == 0)
        result = take_code(data, &file, profile, err);
    comgr.release_data(data);
    return result;
}
