/* compile_parts.h: what the compilers of all devices have in common. In the compile child. */
#ifndef BP_EVALUATOR_COMPILE_PARTS_H
#define BP_EVALUATOR_COMPILE_PARTS_H

#include <stddef.h>

#include "evaluator/messages.h"

/* Bytes a compiler may print before it is COMPILE_LIMIT. */
#define BP_COMPILE_LOG_MAX (256u << 10)
#define BP_COMPILE_DEFINE_TEXT (2 * BP_TEXT_SHORT + 4)

/* What sources are called in diagnostics. */
#define BP_COMPILE_SOURCE_NAME "kernel.hip"

/* The dtype and the knobs of a request as compiler options: pointers into texts (knobs) and to static
 * text (dtype) are appended at options[*count], 1 + define_count of them. BP_ERR_PROTOCOL when one
 * could not be an option. */
int bp_compile_defines(const struct bp_msg_compile_request *request,
                       char texts[BP_MAX_DEFINES][BP_COMPILE_DEFINE_TEXT], const char **options,
                       size_t *count, struct bp_error *err) BP_MUST_CHECK;

/* The object into the memfd, and its size into result; COMPILE_LIMIT there when it is over the
 * request's limit. */
int bp_compile_deliver(const struct bp_msg_compile_request *request, const void *object,
                       size_t bytes, int object_fd, struct bp_msg_compile_result *result,
                       struct bp_error *err) BP_MUST_CHECK;

/* COMPILE_LIMIT for a compiler that printed more than BP_COMPILE_LOG_MAX. */
void bp_compile_printed_too_much(struct bp_msg_compile_result *result);

#endif
