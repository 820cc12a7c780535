/* profile.h: what a compiled kernel takes of a GPU, known from its object alone. Plain data, pure. */
#ifndef BP_EVALUATOR_PROFILE_H
#define BP_EVALUATOR_PROFILE_H

#include "evaluator/gpu_arch.h"
#include "evaluator/verdict.h"
#include "kernels/include/gqa_abi.h"

#define BP_PROFILE_KERNELS (GQA_MAX_LAUNCHES + 1) /* and gqa_plan */
#define BP_PROFILE_NAME 32

/* Classes of instructions, as they stand in the code: a loop's count once. */
#define BP_MIX_LIST(X)                                                                             \
    X(matrix) /* WMMA, MFMA */                                                                     \
    X(valu)   /* vector arithmetic */                                                              \
    X(salu)   /* scalar arithmetic and branches */                                                 \
    X(lds)                                                                                         \
    X(memory) /* global, scratch and scalar loads and stores */                                    \
    X(wait)   /* waits, barriers, sleeps */                                                        \
    X(other)

enum bp_mix {
#define BP_MIX_ENUM(name) BP_MIX_##name,
    BP_MIX_LIST(BP_MIX_ENUM)
#undef BP_MIX_ENUM
        BP_MIX_COUNT
};

const char *bp_mix_name(enum bp_mix mix);

struct bp_profile_kernel {
    char name[BP_PROFILE_NAME];
    uint32_t vgpr, agpr, sgpr; /* registers: vector and accumulation per lane, scalar per wave */
    uint32_t spills;           /* vector registers; NVIDIA: 4-byte words stored to spill */
    uint32_t sgpr_spills;
    uint32_t lds_bytes;     /* static, per block */
    uint32_t scratch_bytes; /* per thread */
    uint32_t block_threads; /* of the largest block it was compiled for; 0: not known */
    uint32_t occupancy;     /* waves per SIMD, by bp_gpu_occupancy with the static LDS alone */
    uint32_t occupancy_max; /* of the architecture */
    uint32_t has_mix;       /* 0 or 1 */
    uint32_t mix[BP_MIX_COUNT];
};

struct bp_profile {
    uint32_t kernel_count; /* 0: there is no profile */
    struct bp_profile_kernel kernels[BP_PROFILE_KERNELS];
};

/* Whether a name is one that the contract gives to kernels, and so is profiled. */
bool bp_profile_wants(const char *name);

/* The kernel of that name, added if need be; null when the profile is full. */
struct bp_profile_kernel *bp_profile_add(struct bp_profile *profile, const char *name);

/* Sorts by name and sets occupancy and occupancy_max of every kernel. */
void bp_profile_finish(struct bp_profile *profile, const struct bp_gpu_arch *arch);

/* RESOURCE_LIMIT when a kernel takes more than a block may have on arch, or when it spills vector registers
 * and not fewer than spills_below (0: it may); message then says which and what. Else PASS. */
enum bp_verdict bp_profile_check(const struct bp_profile *profile, const struct bp_gpu_arch *arch,
                                 uint32_t spills_below, char *message, size_t size);

#endif
