#include "evaluator/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 64 /* of functions inlined into another */

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
    if (dwarf_formudata(dwarf_attr(scope, DW_AT_call_line, &attribute), &value) != 0 ||
        dwarf_formudata(dwarf_attr(scope, DW_AT_call_file, &attribute), &index) != 0 ||
        dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count)
        return false;
    *number = (int)value;
    *file = dwarf_filesrc(files, index, NULL, NULL);
    return *file != NULL;
}

/* The functions around an address, outermost first. dwarf_getscopes does not tell them: within an
 * inlined one it goes on with where that was written, not where it was put. */
static uint32_t find_scopes(Dwarf_Die *unit, uint64_t address, Dwarf_Die scopes[MAX_DEPTH])
{
    uint32_t depth = 0;
    Dwarf_Die die;
    int more = dwarf_child(unit, &die);
    while (more == 0 && depth < MAX_DEPTH) {
        if (dwarf_haspc(&die, address) > 0) {
            scopes[depth] = die;
            more = dwarf_child(&scopes[depth++], &die);
        } else {
            more = dwarf_siblingof(&die, &die);
        }
    }
    return depth;
}

/* From the instruction outwards through what was inlined, to the first line of the candidate's. */
static bool find_in_unit(Dwarf_Die *unit, uint64_t address, struct bp_source_line *line)
{
    int number;
    Dwarf_Line *found = dwarf_getsrc_die(unit, address);
    const char *file = found ? dwarf_linesrc(found, NULL, NULL) : NULL;
    if (!file || dwarf_lineno(found, &number) != 0)
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

void bp_lines_find(char *object, size_t size, uint64_t address, struct bp_source_line *line)
{
    line->text[0] = '\0';
    if (elf_version(EV_CURRENT) == EV_NONE)
        return;
    Elf *elf = elf_memory(object, size);
    Dwarf *dwarf = elf ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;
    while (dwarf && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0)
        if (find_in_unit(&unit, address, line))
            break;
    dwarf_end(dwarf);
    elf_end(elf);
}
