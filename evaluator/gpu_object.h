/* gpu_object.h: vets an object for a GPU before the driver sees it. In the run child. */
#ifndef BP_EVALUATOR_GPU_OBJECT_H
#define BP_EVALUATOR_GPU_OBJECT_H

#include "evaluator/gpu_api.h"
#include "evaluator/messages.h"

/* PASS, or LAUNCH_ERROR with the reason in message: no object of the vendor's, or one that asks for calls
 * of the process that launches it, as the CPU device's objects may import listed functions only. AMD's
 * *hostcall* calls any address in that process that a kernel names, which could then forge what it likes;
 * printf, assert and malloc of a device are made of it. */
enum bp_verdict bp_gpu_object_check(const struct bp_gpu_api *api, const void *image, size_t bytes,
                                    char message[BP_TEXT_LINE]);

#endif
