/* The loader of code objects: a small one made here is laid out as it says, and whatever bytes
 * it is changed into, loading ends without touching what is not there. test_loader [SEED
 * [ROUNDS]]. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hsa/hsa.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/loader.h"

#define GFX1030 0x36
#define DESCRIPTOR_AT 0x1000u
#define VARIABLE_AT 0x1100u
#define IMAGE_BYTES 0x3000u

static unsigned seed = 1;
static unsigned rounds = 20000;

/* One object as lld writes them, with only what is looked at. */
struct object {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Shdr sections[4]; /* null, symbols, their names, relocations */
    Elf64_Sym symbols[3];   /* null, kernel.kd, variable */
    char names[32];
    Elf64_Rela relocations[2];
    uint32_t contents[128]; /* of the segment: the descriptor, then the variable */
};

static void make_object(struct object *object)
{
    *object = (struct object){
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = 224,
                   .e_flags = GFX1030,
                   .e_phoff = offsetof(struct object, segment),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1,
                   .e_shoff = offsetof(struct object, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 4},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = offsetof(struct object, contents),
                    .p_vaddr = DESCRIPTOR_AT,
                    .p_filesz = sizeof(object->contents),
                    .p_memsz = IMAGE_BYTES - DESCRIPTOR_AT},
        .sections = {[1] = {.sh_type = SHT_DYNSYM,
                            .sh_link = 2,
                            .sh_offset = offsetof(struct object, symbols),
                            .sh_size = sizeof(object->symbols)},
                     [2] = {.sh_type = SHT_STRTAB,
                            .sh_offset = offsetof(struct object, names),
                            .sh_size = sizeof(object->names)},
                     [3] = {.sh_type = SHT_RELA,
                            .sh_flags = SHF_ALLOC,
                            .sh_link = 1,
                            .sh_offset = offsetof(struct object, relocations),
                            .sh_size = sizeof(object->relocations)}},
        .symbols = {[1] = {.st_name = 1, .st_shndx = 1, .st_value = DESCRIPTOR_AT, .st_size = 64},
                    [2] = {.st_name = 11, .st_shndx = 1, .st_value = VARIABLE_AT, .st_size = 24}},
        .names = "\0kernel.kd\0variable",
        .relocations = {{VARIABLE_AT, ELF64_R_INFO(0, 13), VARIABLE_AT + 4},
                        {VARIABLE_AT + 8, ELF64_R_INFO(1, 3), 8}},
        .contents = {512, 16, 48},
    };
}

static hsa_status_t load(const struct object *object, size_t bytes, struct emu_image *image)
{
    void *exact = malloc(bytes); /* so that a sanitizer sees what lies behind */
    memcpy(exact, object, bytes);
    hsa_status_t status = emu_image_load(exact, bytes, GFX1030, image);
    free(exact);
    return status;
}

static void lays_out(void **state)
{
    (void)state;
    struct object object;
    struct emu_image image;
    make_object(&object);
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_SUCCESS);
    uint64_t base = (uint64_t)image.base;
    const uint32_t *descriptor = (const void *)((char *)image.base + DESCRIPTOR_AT);
    const uint64_t *variable = (const void *)((char *)image.base + VARIABLE_AT);
    assert_int_equal(descriptor[0], 512);
    assert_int_equal(variable[0], base + VARIABLE_AT + 4);
    assert_int_equal(variable[1], base + DESCRIPTOR_AT + 8);
    assert_int_equal(image.symbol_count, 2);
    assert_string_equal(image.symbols[0].name, "kernel.kd");
    assert_true(image.symbols[0].kernel);
    assert_false(image.symbols[1].kernel);
    assert_int_equal(image.symbols[1].address, base + VARIABLE_AT);
    emu_image_unload(&image);
}

static void tells_of_its_symbols(void **state)
{
    (void)state;
    struct object object;
    hsa_code_object_reader_t reader;
    hsa_executable_t executable;
    hsa_executable_symbol_t symbol;
    make_object(&object);
    hsa_code_object_reader_create_from_memory(&object, sizeof(object), &reader);
    hsa_executable_create_alt(HSA_PROFILE_BASE, HSA_DEFAULT_FLOAT_ROUNDING_MODE_NEAR, "",
                              &executable);
    assert_int_equal(
        hsa_executable_load_agent_code_object(executable, emu_agent_gpu, reader, "", NULL),
        HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_executable_freeze(executable, ""), HSA_STATUS_SUCCESS);
    assert_int_equal(
        hsa_executable_get_symbol_by_name(executable, "kernel", &emu_agent_gpu, &symbol),
        HSA_STATUS_ERROR_INVALID_SYMBOL_NAME);
    assert_int_equal(
        hsa_executable_get_symbol_by_name(executable, "kernel.kd", &emu_agent_gpu, &symbol),
        HSA_STATUS_SUCCESS);
    uint32_t bytes;
    uint64_t descriptor;
    hsa_executable_symbol_get_info(symbol, HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_KERNARG_SEGMENT_SIZE,
                                   &bytes);
    assert_int_equal(bytes, 48);
    hsa_executable_symbol_get_info(symbol, HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_GROUP_SEGMENT_SIZE,
                                   &bytes);
    assert_int_equal(bytes, 512);
    hsa_executable_symbol_get_info(symbol, HSA_EXECUTABLE_SYMBOL_INFO_KERNEL_OBJECT, &descriptor);
    assert_int_equal(*(const uint32_t *)descriptor, 512);
    assert_int_equal(
        hsa_executable_get_symbol_by_name(executable, "variable", &emu_agent_gpu, &symbol),
        HSA_STATUS_SUCCESS);
    hsa_executable_symbol_get_info(symbol, HSA_EXECUTABLE_SYMBOL_INFO_VARIABLE_SIZE, &bytes);
    assert_int_equal(bytes, 24);
    hsa_executable_destroy(executable);
    hsa_code_object_reader_destroy(reader);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    struct object object;
    struct emu_image image;
    make_object(&object);
    assert_int_equal(load(&object, 3, &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    assert_int_equal(load(&object, sizeof(object) - 1, &image),
                     HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    object.header.e_flags = 0x3f; /* gfx90a */
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_ISA);
    make_object(&object);
    object.relocations[1].r_offset = IMAGE_BYTES - 7;
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    make_object(&object);
    object.relocations[0].r_info = ELF64_R_INFO(0, 4);
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    make_object(&object);
    object.symbols[1].st_value = IMAGE_BYTES - 63;
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    make_object(&object);
    object.segment.p_memsz = (uint64_t)1 << 40;
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
    make_object(&object);
    memset(object.names + 11, 'x', sizeof(object.names) - 11);
    assert_int_equal(load(&object, sizeof(object), &image), HSA_STATUS_ERROR_INVALID_CODE_OBJECT);
}

/* Fields become something close to a limit as often as something random. */
static uint64_t drawn(void)
{
    static const uint64_t limits[] = {0, 1, 7, 8, 63, 64, 0x1000, 0x3000, 0x7fffffff, UINT64_MAX};
    unsigned choice = (unsigned)rand();
    uint64_t value = limits[choice % 10] + (uint64_t)(choice / 16 % 3) - 1;
    return choice % 2 ? value : (uint64_t)rand() << 16;
}

static void survives_anything(void **state)
{
    (void)state;
    unsigned loaded = 0;
    srand(seed);
    print_message("seed %u, %u rounds\n", seed, rounds);
    for (unsigned n = 0; n < rounds; n++) {
        struct object object;
        struct emu_image image;
        make_object(&object);
        for (unsigned change = (unsigned)rand() % 3 + 1; change > 0; change--) {
            uint64_t value = drawn();
            size_t width = (size_t)1 << rand() % 4;
            size_t fields = offsetof(struct object, contents) / width;
            memcpy((char *)&object + (size_t)rand() % fields * width, &value, width);
        }
        size_t bytes = rand() % 4 ? sizeof(object) : (size_t)rand() % sizeof(object) + 1;
        if (load(&object, bytes, &image) != HSA_STATUS_SUCCESS)
            continue;
        loaded++;
        emu_image_unload(&image);
    }
    assert_in_range(loaded, 1, rounds - 1);
}

static int describe(void **state)
{
    (void)state;
    emu_agents_describe(emu_target_find("gfx1030"));
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_out),
        cmocka_unit_test(tells_of_its_symbols),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(survives_anything),
    };
    if (argc > 1)
        seed = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        rounds = (unsigned)strtoul(argv[2], NULL, 10);
    return cmocka_run_group_tests_name("emulator/loader", tests, describe, NULL);
}
