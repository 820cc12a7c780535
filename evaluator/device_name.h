/* device_name.h: "cpu", "hip:0", "cuda:1", "emu:gfx1030", "emu:gfx1030:1": the device a user asks for.
 * Pure. */
#ifndef BP_EVALUATOR_DEVICE_NAME_H
#define BP_EVALUATOR_DEVICE_NAME_H

#include "evaluator/suite.h"

enum bp_device_kind {
    BP_DEVICE_KIND_CPU,
    BP_DEVICE_KIND_HIP,      /* an AMD GPU */
    BP_DEVICE_KIND_CUDA,     /* an NVIDIA GPU */
    BP_DEVICE_KIND_EMULATED, /* an AMD GPU that the emulator plays, under the true libraries */
    BP_DEVICE_KIND_COUNT
};

#define BP_DEVICE_ARCH 32
struct bp_device_name {
    enum bp_device_kind kind;
    uint32_t index;            /* of a GPU: which of those whose device nodes are there; of the
                                  emulated one, to tell several apart; else 0 */
    char arch[BP_DEVICE_ARCH]; /* of the emulated one, "gfx1030"; else empty */
};

/* BP_ERR_USAGE lists the valid names. "auto" is none of them: it is a choice among them. */
int bp_device_name_parse(const char *text, struct bp_device_name *name, struct bp_error *err)
    BP_MUST_CHECK;

/* "cpu", "hip", "cuda", "emu" */
const char *bp_device_kind_name(enum bp_device_kind kind);
enum bp_device_class bp_device_kind_class(enum bp_device_kind kind);
/* What the head of a kernel must list under `targets`: "cpu", "amd", "nvidia". */
const char *bp_device_kind_target(enum bp_device_kind kind);

#endif
