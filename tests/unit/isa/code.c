#include "tests/unit/isa/code.h"
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ELF ---- */

bool isa_code_load(struct isa_code *code, const void *elf, size_t size)
{
    const Elf64_Ehdr *header = elf;
    const Elf64_Phdr *programs = (const void *)((const char *)elf + header->e_phoff);
    *code = (struct isa_code){.elf = elf, .elf_size = size};
    for (int i = 0; i < header->e_phnum; i++)
        if (programs[i].p_type == PT_LOAD && programs[i].p_vaddr + programs[i].p_memsz > code->size)
            code->size = programs[i].p_vaddr + programs[i].p_memsz;
    code->size = (code->size + 4095) / 4096 * 4096;
    code->memory = code->size ? aligned_alloc(4096, code->size) : NULL;
    if (!code->memory)
        return false;
    memset(code->memory, 0, code->size);
    for (int i = 0; i < header->e_phnum; i++)
        if (programs[i].p_type == PT_LOAD)
            memcpy(code->memory + programs[i].p_vaddr, (const char *)elf + programs[i].p_offset,
                   programs[i].p_filesz);
    return true;
}

void isa_code_release(struct isa_code *code)
{
    free(code->memory);
}

static const Elf64_Shdr *section(const unsigned char *elf, const char *name)
{
    const Elf64_Ehdr *header = (const void *)elf;
    const Elf64_Shdr *sections = (const void *)(elf + header->e_shoff);
    const char *names = (const char *)elf + sections[header->e_shstrndx].sh_offset;
    for (int i = 0; i < header->e_shnum; i++)
        if (!strcmp(names + sections[i].sh_name, name))
            return &sections[i];
    return NULL;
}

const void *isa_code_symbol(const struct isa_code *code, const char *name)
{
    const Elf64_Shdr *symbols = section(code->elf, ".dynsym"),
                     *names = section(code->elf, ".dynstr");
    if (!symbols || !names)
        return NULL;
    const Elf64_Sym *symbol = (const void *)(code->elf + symbols->sh_offset);
    for (size_t i = 0; i < symbols->sh_size / sizeof *symbol; i++)
        if (!strcmp((const char *)code->elf + names->sh_offset + symbol[i].st_name, name))
            return code->memory + symbol[i].st_value;
    return NULL;
}

/* ---- amd_comgr's assembler, with its numbers (amd_comgr.h) ---- */

typedef struct {
    uint64_t handle;
} handle;

enum { KIND_SOURCE = 1, KIND_RELOCATABLE = 7, LANGUAGE_NONE = 0 };

static struct {
    int (*create_data)(int kind, handle *data);
    int (*set_data)(handle data, size_t size, const char *bytes);
    int (*set_data_name)(handle data, const char *name);
    int (*create_data_set)(handle *set);
    int (*data_set_add)(handle set, handle data);
    int (*create_action_info)(handle *info);
    int (*action_info_set_isa_name)(handle info, const char *name);
    int (*action_info_set_language)(handle info, int language);
    int (*do_action)(int action, handle info, handle from, handle to);
    int (*action_data_get_data)(handle set, int kind, size_t index, handle *data);
    int (*get_data)(handle data, size_t *size, char *bytes);
    int (*destroy_data_set)(handle set);
    int (*destroy_action_info)(handle info);
    int (*release_data)(handle data);
} comgr;

static const struct {
    const char *name;
    void *function;
} functions[] = {
    {"create_data", &comgr.create_data},
    {"set_data", &comgr.set_data},
    {"set_data_name", &comgr.set_data_name},
    {"create_data_set", &comgr.create_data_set},
    {"data_set_add", &comgr.data_set_add},
    {"create_action_info", &comgr.create_action_info},
    {"action_info_set_isa_name", &comgr.action_info_set_isa_name},
    {"action_info_set_language", &comgr.action_info_set_language},
    {"do_action", &comgr.do_action},
    {"action_data_get_data", &comgr.action_data_get_data},
    {"get_data", &comgr.get_data},
    {"destroy_data_set", &comgr.destroy_data_set},
    {"destroy_action_info", &comgr.destroy_action_info},
    {"release_data", &comgr.release_data},
};

/* The action's number moved when precompiled headers left the interface in version 3. */
static int open_comgr(int *assemble)
{
    void *library = dlopen("libamd_comgr.so.3", RTLD_NOW);
    *assemble = library ? 0x8 : 0xa;
    if (!library)
        library = dlopen("libamd_comgr.so.2", RTLD_NOW);
    for (size_t i = 0; library && i < sizeof functions / sizeof functions[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "amd_comgr_%s", functions[i].name);
        *(void **)functions[i].function = dlsym(library, name);
        if (!*(void **)functions[i].function)
            return -1;
    }
    return library ? 0 : -1;
}

static long text_section(const char *elf, unsigned char *bytes, size_t room)
{
    const Elf64_Shdr *text = section((const unsigned char *)elf, ".text");
    if (!text || text->sh_size > room)
        return -1;
    memcpy(bytes, elf + text->sh_offset, text->sh_size);
    return (long)text->sh_size;
}

static long assembled(handle set, unsigned char *bytes, size_t room)
{
    handle object;
    size_t size = 0;
    long result = -1;
    if (comgr.action_data_get_data(set, KIND_RELOCATABLE, 0, &object) ||
        comgr.get_data(object, &size, NULL))
        return -1;
    char *elf = malloc(size);
    if (elf && !comgr.get_data(object, &size, elf))
        result = text_section(elf, bytes, room);
    free(elf);
    comgr.release_data(object);
    return result;
}

long isa_assemble(const char *text, unsigned char *bytes, size_t room, bool *missing, char *reason,
                  size_t reason_size)
{
    handle source, from, to, info;
    int action;
    *missing = open_comgr(&action) != 0;
    if (*missing) {
        snprintf(reason, reason_size, "libamd_comgr is missing (apt-get install libamdhip64-5)");
        return -1;
    }
    comgr.create_data(KIND_SOURCE, &source);
    comgr.set_data(source, strlen(text), text);
    comgr.set_data_name(source, "test.s");
    comgr.create_data_set(&from);
    comgr.create_data_set(&to);
    comgr.data_set_add(from, source);
    comgr.create_action_info(&info);
    comgr.action_info_set_isa_name(info, "amdgcn-amd-amdhsa--gfx1030");
    comgr.action_info_set_language(info, LANGUAGE_NONE);
    const int status = comgr.do_action(action, info, from, to);
    const long size = status ? -1 : assembled(to, bytes, room);
    if (size < 0)
        snprintf(reason, reason_size, "the assembler objects (status %d)", status);
    comgr.destroy_data_set(from);
    comgr.destroy_data_set(to);
    comgr.destroy_action_info(info);
    comgr.release_data(source);
    return size;
}
