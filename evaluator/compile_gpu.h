/* compile_gpu.h: hipRTC and NVRTC for GPU devices, as struct bp_device's compile. Both work within the
 * process that calls them, and may abort it: the compile child's end is then the verdict. */
#ifndef BP_EVALUATOR_COMPILE_GPU_H
#define BP_EVALUATOR_COMPILE_GPU_H

#include "evaluator/gpu_arch.h"
#include "evaluator/messages.h"

/* Opens the vendor's compiler and whatever it will open later. In a compile child before it is
 * confined: afterwards it needs no file but its private directory. BP_ERR_UNAVAILABLE says what to
 * install. May be repeated. */
int bp_compile_gpu_open(enum bp_gpu_kind kind, struct bp_error *err) BP_MUST_CHECK;

/* By the vendor of request->arch (gpu_arch.h). BP_ERR_UNAVAILABLE when there is no compiler, or when it
 * does not know the architecture and says so; BP_ERR_PROTOCOL when request->arch is in no table or a
 * define could be no option. */
int bp_compile_gpu(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err) BP_MUST_CHECK;

#endif
