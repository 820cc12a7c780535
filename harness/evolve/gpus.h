/* gpus.h: what of this machine's GPUs can be used, and what is in the way: for doctor. */
#ifndef BP_HARNESS_EVOLVE_GPUS_H
#define BP_HARNESS_EVOLVE_GPUS_H

#include <stdbool.h>

#include "base/error.h"
#include "evaluator/gpu_arch.h"

#define BP_GPUS_MAX 16
#define BP_GPUS_NODES 20
#define BP_GPUS_TEXT 240

/* A device file. */
struct bp_gpu_node {
    char path[64];
    char group[64]; /* its group's name, or number */
    bool open;      /* this process may read and write it */
};

struct bp_gpu_found {
    char arch[32], name[128];
    uint64_t memory_mib;
};

/* All of one vendor. */
struct bp_gpus {
    enum bp_gpu_kind kind;
    const char *device;          /* "hip", "cuda": what its devices are called */
    char library[BP_GPUS_TEXT];  /* file of the driver's library; empty: none */
    char compiler[BP_GPUS_TEXT]; /* title, version, file; empty: none */
    char no_library[BP_GPUS_TEXT], no_compiler[BP_GPUS_TEXT];
    int library_version;       /* as the library counts; 0: not told */
    char driver[BP_GPUS_TEXT]; /* of the kernel; empty: none is loaded */
    uint32_t node_count;
    struct bp_gpu_node nodes[BP_GPUS_NODES];
    bool asked; /* the library could be asked */
    int init_status, count_status;
    char init_name[64], count_name[64];
    uint32_t count;
    struct bp_gpu_found found[BP_GPUS_MAX];
    bool usable;
    char why[BP_GPUS_TEXT], fix[BP_GPUS_TEXT]; /* when it is not; fix: what helps, may be empty */
};

/* Asks libraries (in a process of its own, six seconds at most) and looks at device files. -1 only when
 * that process cannot be started. */
int bp_gpus_look(enum bp_gpu_kind kind, const char *worker_path, struct bp_gpus *gpus,
                 struct bp_error *err) BP_MUST_CHECK;

/* What a status of init or of counting means, in words; null when there is nothing to say beyond its
 * name. */
const char *bp_gpus_meaning(enum bp_gpu_kind kind, int status);

#endif
