/* diagnostics.h: a compiler's output and exit status as a verdict and as clean text. Pure. */
#ifndef BP_EVALUATOR_DIAGNOSTICS_H
#define BP_EVALUATOR_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

#include "evaluator/verdict.h"

/* Copies text (size bytes, any bytes) to out as UTF-8 with a final NUL: control bytes but newline
 * are dropped (tab becomes a space), malformed sequences become '?', and what does not fit in
 * out_size is cut between characters. */
void bp_diagnostics_clean(const char *text, size_t size, char *out, size_t out_size);

/* The first error of a cleaned text, "file:line:column: text", or empty when there is none. */
void bp_diagnostics_first_error(const char *text, char *out, size_t out_size);

/* Whether a GPU's compiler refused a kernel because it takes more than the GPU has: out is then the line
 * that says so, else it is left as it was. */
bool bp_diagnostics_over_limit(const char *text, char *out, size_t out_size);

/* What a compiler or linker that ended with wait status `status` after printing text says of the
 * source: PASS, COMPILE_ERROR, COMPILE_LIMIT (it ran out of memory, disk or time) or
 * COMPILER_CRASH. */
enum bp_verdict bp_diagnostics_verdict(int status, const char *text);

#endif
