#include "evaluator/lines.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 64 /* of functions inlined into another */

/* Not linked: with what it needs it is half of the libraries that every child would start with. */
#define LIBRARY "libdw.so.1"
#define FUNCTIONS(X)                                                                               \
    X(dwarf_attr)                                                                                  \
    X(dwarf_begin_elf)                                                                             \
    X(dwarf_child)                                                                                 \
    X(dwarf_end)                                                                                   \
    X(dwarf_filesrc)                                                                               \
    X(dwarf_formudata)                                                                             \
    X(dwarf_get_units)                                                                             \
    X(dwarf_getsrc_die)                                                                            \
    X(dwarf_getsrcfiles)                                                                           \
    X(dwarf_haspc)                                                                                 \
    X(dwarf_lineno)                                                                                \
    X(dwarf_linesrc)                                                                               \
    X(dwarf_siblingof)                                                                             \
    X(elf_end)                                                                                     \
    X(elf_memory)                                                                                  \
    X(elf_version)

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} dw;

static const char source_name[] = "kernel.hip";

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_source(const char *file)
{
    return file && strcmp(base_name(file), source_name) == 0;
}

/* A candidate can name files as it likes, so what is not printable is not taken over. */
static void set_line(struct bp_source_line *line, const char *file, int number)
{
    snprintf(line->text, sizeof line->text, "%.40s:%d", base_name(file), number);
    for (char *at = line->text; *at; at++)
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
}

/* Where the function that was inlined as a scope was called from. */
static bool call_site(Dwarf_Die *unit, Dwarf_Die *scope, const char **file, int *number)
{
    Dwarf_Attribute attribute;
    Dwarf_Word index, value;
    Dwarf_Files *files;
    size_t count;
    if (dw.dwarf_formudata(dw.dwarf_attr(scope, DW_AT_call_line, &attribute), &value) != 0 ||
        dw.dwarf_formudata(dw.dwarf_attr(scope, DW_AT_call_file, &attribute), &index) != 0 ||
        dw.dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count)
        return false;
    *number = (int)value;
    *file = dw.dwarf_filesrc(files, index, NULL, NULL);
    return *file != NULL;
}

/* The functions around an address, outermost first. dwarf_getscopes does not tell them: within an
 * inlined one it goes on with where that was written, not where it was put. */
static uint32_t find_scopes(Dwarf_Die *unit, uint64_t address, Dwarf_Die scopes[MAX_DEPTH])
{
    uint32_t depth = 0;
    Dwarf_Die die;
    int more = dw.dwarf_child(unit, &die);
    while (more == 0 && depth < MAX_DEPTH) {
        if (dw.dwarf_haspc(&die, address) > 0) {
            scopes[depth] = die;
            more = dw.dwarf_child(&scopes[depth++], &die);
        } else {
            more = dw.dwarf_siblingof(&die, &die);
        }
    }
    return depth;
}

/* From the instruction outwards through what was inlined, to the first line of the candidate's. */
static bool find_in_unit(Dwarf_Die *unit, uint64_t address, struct bp_source_line *line)
{
    int number;
    Dwarf_Line *found = dw.dwarf_getsrc_die(unit, address);
    const char *file = found ? dw.dwarf_linesrc(found, NULL, NULL) : NULL;
    if (!file || dw.dwarf_lineno(found, &number) != 0)
        return false;
    set_line(line, file, number);
    Dwarf_Die scopes[MAX_DEPTH];
    uint32_t depth = is_source(file) ? 0 : find_scopes(unit, address, scopes);
    for (; depth > 0; depth--) {
        if (call_site(unit, &scopes[depth - 1], &file, &number) && is_source(file)) {
            set_line(line, file, number);
            break;
        }
    }
    return true;
}

int bp_lines_open(struct bp_error *err)
{
    static const struct {
        const char *name;
        void *place;
    } functions[] = {
#define X(name) {#name, &dw.name},
        FUNCTIONS(X)
#undef X
    };
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "source lines: %.200s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "source lines: " LIBRARY " has no %s",
                           functions[i].name);
        memcpy(functions[i].place, &function, sizeof function);
    }
    return 0;
}

void bp_lines_find(char *object, size_t size, uint64_t address, struct bp_source_line *line)
{
    line->text[0] = '\0';
    if (dw.elf_version(EV_CURRENT) == EV_NONE)
        return;
    Elf *elf = dw.elf_memory(object, size);
    Dwarf *dwarf = elf ? dw.dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;
    while (dwarf && dw.dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0)
        if (find_in_unit(&unit, address, line))
            break;
    dw.dwarf_end(dwarf);
    dw.elf_end(elf);
}
