/* compile_cpu.h: drives clang and lld for the CPU device, as struct bp_device's compile. */
#ifndef BP_EVALUATOR_COMPILE_CPU_H
#define BP_EVALUATOR_COMPILE_CPU_H

#include "evaluator/messages.h"

/* Writes the contract's headers, kernel.hip and the compiler's files into the current directory,
 * which must be private to this compile. Fails with BP_ERR_UNAVAILABLE when there is no clang or
 * lld, BP_ERR_PROTOCOL when a define or the arch could not be a compiler argument. */
int bp_compile_cpu(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err) BP_MUST_CHECK;

#endif
