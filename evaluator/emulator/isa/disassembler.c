/* disassembler.c: the few functions of amd_comgr that disassembling takes (amd_comgr.h). The library
 * is the one that libamdhip64 has loaded, so its header is not needed to build. */
#include "evaluator/emulator/isa/disassembler.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t read_fn(uint64_t from, char *to, uint64_t size, void *user);
typedef void print_fn(const char *text, void *user);
typedef void address_fn(uint64_t address, void *user);

struct info {
    uint64_t handle;
};

struct emu_disassembler {
    char isa[32];
    struct info info;
};

static struct {
    void *library;
    int (*create)(const char *isa, read_fn *read, print_fn *print, address_fn *annotate,
                  struct info *info);
    int (*disassemble)(struct info info, uint64_t address, void *user, uint64_t *size);
} comgr;

enum { MAX_ISAS = 8 };
static struct emu_disassembler known[MAX_ISAS];

/* One instruction's code and text, as the callbacks see them. Addresses are offsets into the code. */
struct request {
    const unsigned char *code;
    size_t size;
    char *text;
    size_t text_size;
};

static uint64_t read_code(uint64_t from, char *to, uint64_t size, void *user)
{
    const struct request *request = user;
    const uint64_t left = from < request->size ? request->size - from : 0;
    const uint64_t given = size < left ? size : left;
    memcpy(to, request->code + from, given);
    return given;
}

static void take_text(const char *text, void *user)
{
    const struct request *request = user;
    text += strspn(text, " \t");
    snprintf(request->text, request->text_size, "%.*s", (int)strcspn(text, "\n"), text);
}

static void ignore_address(uint64_t address, void *user)
{
    (void)address, (void)user;
}

static int load_library(char *reason, size_t reason_size)
{
    static const char *const names[] = {"libamd_comgr.so.3", "libamd_comgr.so.2"};
    if (comgr.disassemble)
        return 0;
    /* The one that is in the process already, whatever its version. */
    for (size_t i = 0; i < 2 && !comgr.library; i++)
        comgr.library = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
    for (size_t i = 0; i < 2 && !comgr.library; i++)
        comgr.library = dlopen(names[i], RTLD_NOW);
    if (!comgr.library) {
        snprintf(reason, reason_size, "no amd_comgr: %s", dlerror());
        return -1;
    }
    *(void **)&comgr.create = dlsym(comgr.library, "amd_comgr_create_disassembly_info");
    *(void **)&comgr.disassemble = dlsym(comgr.library, "amd_comgr_disassemble_instruction");
    if (comgr.create && comgr.disassemble)
        return 0;
    snprintf(reason, reason_size, "amd_comgr has no disassembler");
    return -1;
}

struct emu_disassembler *emu_disassembler_get(const char *isa, char *reason, size_t reason_size)
{
    char name[64];
    size_t i = 0;
    for (; i < MAX_ISAS && known[i].isa[0]; i++)
        if (!strcmp(known[i].isa, isa))
            return &known[i];
    if (i == MAX_ISAS || strlen(isa) >= sizeof known[i].isa) {
        snprintf(reason, reason_size, "too many isas, or one of too long a name");
        return NULL;
    }
    if (load_library(reason, reason_size))
        return NULL;
    snprintf(name, sizeof name, "amdgcn-amd-amdhsa--%s", isa);
    if (comgr.create(name, read_code, take_text, ignore_address, &known[i].info)) {
        snprintf(reason, reason_size, "amd_comgr does not know %s", isa);
        return NULL;
    }
    snprintf(known[i].isa, sizeof known[i].isa, "%s", isa);
    return &known[i];
}

uint32_t emu_disassemble(struct emu_disassembler *disassembler, const void *code, size_t size,
                         char *text, size_t text_size)
{
    struct request request = {code, size, text, text_size};
    uint64_t bytes = 0;
    text[0] = '\0';
    if (comgr.disassemble(disassembler->info, 0, &request, &bytes) || !text[0])
        return 0;
    return (uint32_t)bytes;
}
