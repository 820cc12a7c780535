#include "tests/contract/runtime_compiler.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS 8
#define MAX_OPTIONS 80

typedef void *program;

struct bp_runtime_compiler {
    enum bp_runtime runtime;
    int (*create)(program *, const char *source, const char *name, int headers,
                  const char *const *contents, const char *const *names);
    int (*compile)(program, int options, const char *const *);
    int (*log_size)(program, size_t *);
    int (*log)(program, char *);
    int (*code_size)(program, size_t *);
    int (*code)(program, char *);
    int (*destroy)(program *);
};

/* ROCm up to 5 keeps hipRTC inside libamdhip64. */
static const struct {
    const char *libraries[4];
    const char *arch_option;
    const char *archs[2]; /* by enum bp_runtime_units; every version knows them */
    const char *missing;
} runtimes[] = {
    [BP_RUNTIME_HIPRTC] = {{"libhiprtc.so.7", "libhiprtc.so.6", "libamdhip64.so.5"},
                           "--offload-arch=",
                           {"gfx1030", "gfx90a"},
                           "no hipRTC (on Debian 12: apt install libamdhip64-5)"},
    [BP_RUNTIME_NVRTC] = {{"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"},
                          "--gpu-architecture=",
                          {"sm_90", "sm_90"},
                          "no NVRTC (it comes with the CUDA toolkit, 12 or 13)"},
};

static const struct {
    size_t offset;
    const char *names[2]; /* by enum bp_runtime */
} entries[] = {
#define AT(member) offsetof(struct bp_runtime_compiler, member)
    {AT(create), {"hiprtcCreateProgram", "nvrtcCreateProgram"}},
    {AT(compile), {"hiprtcCompileProgram", "nvrtcCompileProgram"}},
    {AT(log_size), {"hiprtcGetProgramLogSize", "nvrtcGetProgramLogSize"}},
    {AT(log), {"hiprtcGetProgramLog", "nvrtcGetProgramLog"}},
    {AT(code_size), {"hiprtcGetCodeSize", "nvrtcGetCUBINSize"}},
    {AT(code), {"hiprtcGetCode", "nvrtcGetCUBIN"}},
    {AT(destroy), {"hiprtcDestroyProgram", "nvrtcDestroyProgram"}},
#undef AT
};

const struct bp_runtime_compiler *bp_runtime_open(enum bp_runtime runtime, const char **reason)
{
    static struct bp_runtime_compiler compiler;
    void *library = NULL;
    for (size_t n = 0; !library && n < 4 && runtimes[runtime].libraries[n]; n++)
        library = dlopen(runtimes[runtime].libraries[n], RTLD_NOW | RTLD_LOCAL);
    *reason = runtimes[runtime].missing;
    if (!library)
        return NULL;
    compiler.runtime = runtime;
    for (size_t n = 0; n < sizeof(entries) / sizeof(entries[0]); n++) {
        void *function = dlsym(library, entries[n].names[runtime]);
        if (!function)
            return NULL;
        memcpy((char *)&compiler + entries[n].offset, &function, sizeof(function));
    }
    return &compiler;
}

const char *bp_runtime_arch(enum bp_runtime runtime, enum bp_runtime_units units)
{
    return runtimes[runtime].archs[units];
}

/* Appends what a pair of "size of" and "copy out" functions gives. */
static bool append(program p, int (*size_of)(program, size_t *), int (*copy)(program, char *),
                   struct bp_buffer *buffer)
{
    size_t size = 0;
    if (size_of(p, &size) != 0)
        return false;
    char *data = calloc(1, size + 1);
    struct bp_error err;
    bool copied = data && copy(p, data) == 0 && bp_buffer_add(buffer, data, size, &err) == 0;
    free(data);
    return copied;
}

bool bp_runtime_compile(const struct bp_runtime_compiler *compiler, const char *arch,
                        const char *source, const struct bp_runtime_header *headers,
                        size_t header_count, const char *const *options, size_t option_count,
                        struct bp_buffer *code, struct bp_buffer *log)
{
    const char *contents[MAX_HEADERS], *names[MAX_HEADERS], *all[MAX_OPTIONS];
    if (header_count > MAX_HEADERS || option_count + 1 > MAX_OPTIONS)
        return false;
    for (size_t n = 0; n < header_count; n++) {
        contents[n] = headers[n].contents;
        names[n] = headers[n].name;
    }
    char arch_option[64];
    snprintf(arch_option, sizeof(arch_option), "%s%s", runtimes[compiler->runtime].arch_option,
             arch);
    all[0] = arch_option;
    memcpy(all + 1, options, option_count * sizeof(options[0]));

    program p = NULL;
    if (compiler->create(&p, source, "kernel.hip", (int)header_count, contents, names) != 0)
        return false;
    bool ok = compiler->compile(p, (int)option_count + 1, all) == 0;
    append(p, compiler->log_size, compiler->log, log);
    ok = ok && append(p, compiler->code_size, compiler->code, code);
    compiler->destroy(&p);
    return ok;
}

static bool section_defines(const char *file, const Elf64_Shdr *symbols, const char *strings,
                            const char *name)
{
    for (size_t offset = 0; offset < symbols->sh_size; offset += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, file + symbols->sh_offset + offset, sizeof(symbol));
        if (symbol.st_shndx != SHN_UNDEF && strcmp(strings + symbol.st_name, name) == 0)
            return true;
    }
    return false;
}

bool bp_code_object_defines(const struct bp_buffer *code, const char *symbol)
{
    Elf64_Ehdr header;
    if (code->size < sizeof(header) || memcmp(code->data, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&header, code->data, sizeof(header));
    for (unsigned n = 0; n < header.e_shnum; n++) {
        const char *table = code->data + header.e_shoff;
        Elf64_Shdr section, strings;
        memcpy(&section, table + n * sizeof(section), sizeof(section));
        if (section.sh_type != SHT_SYMTAB)
            continue;
        memcpy(&strings, table + section.sh_link * sizeof(strings), sizeof(strings));
        if (section_defines(code->data, &section, code->data + strings.sh_offset, symbol))
            return true;
    }
    return false;
}
