/* lines.h: which source line a code address of an object comes from, by its DWARF. The object is a
 * candidate's: call this only where nothing is lost if reading it goes wrong. */
#ifndef BP_EVALUATOR_LINES_H
#define BP_EVALUATOR_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "evaluator/messages.h"

/* Opens the library that reads DWARF; before anything is found, and before the child is confined. */
int bp_lines_open(struct bp_error *err) BP_MUST_CHECK;

/* "kernel.hip:41": the line of the candidate's source, also where the instruction was inlined from a
 * header into it; a header's own when it was not. Empty when the object does not tell. */
void bp_lines_find(char *object, size_t size, uint64_t address, struct bp_source_line *line);

#endif
