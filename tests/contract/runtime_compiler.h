/* runtime_compiler.h: hipRTC or NVRTC, opened at run time, used to compile and never to run.
 *
 * Own declarations, no vendor header: the two libraries differ in names only. Either may abort the
 * process on odd input, so callers compile in a child. */
#ifndef BP_TESTS_CONTRACT_RUNTIME_COMPILER_H
#define BP_TESTS_CONTRACT_RUNTIME_COMPILER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum bp_runtime { BP_RUNTIME_HIPRTC, BP_RUNTIME_NVRTC };
enum bp_runtime_units { BP_RUNTIME_VECTOR, BP_RUNTIME_MATRIX };

struct bp_runtime_compiler; /* opaque; never closed: the libraries do not survive dlclose */

/* A header that sources include by name; contents is text. */
struct bp_runtime_header {
    const char *name;
    const char *contents;
};

/* Opens the library, whichever of its known versions is installed. Null when none is; *reason
 * (static text) then says what to install. */
const struct bp_runtime_compiler *bp_runtime_open(enum bp_runtime runtime, const char **reason);

/* An architecture that has these units: "gfx1030", "gfx90a". */
const char *bp_runtime_arch(enum bp_runtime runtime, enum bp_runtime_units units);

/* Compiles source for the architecture. On success the code object (ELF) is appended to
 * code; the compiler's log, if any, is appended to log either way. */
bool bp_runtime_compile(const struct bp_runtime_compiler *compiler, const char *arch,
                        const char *source, const struct bp_runtime_header *headers,
                        size_t header_count, const char *const *options, size_t option_count,
                        struct bp_buffer *code, struct bp_buffer *log);

/* Whether the code object, a 64-bit ELF file, defines the symbol. */
bool bp_code_object_defines(const struct bp_buffer *code, const char *symbol);

#endif
