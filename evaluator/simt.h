/* simt.h: runs a kernel's blocks on CPU threads: the runtime behind kernels/include/gqa_simt.h.
 *
 * Blocks are handed to a pool of OS threads by an atomic counter. A block of one thread, and any
 * block of a kernel without barriers and wave operations, is called directly. Otherwise every
 * thread of the block is a fiber, all on the OS thread that took the block, switched in lane order
 * at barriers and wave operations, so that a run is deterministic. */
#ifndef BP_EVALUATOR_SIMT_H
#define BP_EVALUATOR_SIMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluator/messages.h"
#include "evaluator/verdict.h"
#include "kernels/include/gqa_abi.h"

#define BP_SIMT_BLOCK_THREADS 1024
#define BP_SIMT_LDS_BYTES (4u << 20) /* static + dynamic, per block: what a core's L2 may hold */
#define BP_SIMT_LDS_ALIGN 4096       /* largest alignment of a __shared__ variable */

struct bp_simt_arguments {
    struct gqa_shape shape;
    const void *q, *k, *v;
    void *o, *workspace;
};

struct bp_simt_launch {
    void (*kernel)(struct gqa_shape shape, const void *q, const void *k, const void *v, void *o,
                   void *workspace);
    const struct bp_simt_arguments *arguments;
    const struct gqa_launch *geometry; /* within the limits above; no dimension is zero */
    bool synchronizes;                 /* the object has barriers or wave operations */
};

/* In which order threads of a block and blocks of a launch take turns. What depends on it is a race. */
enum bp_simt_order { BP_SIMT_FORWARD, BP_SIMT_REVERSED };

/* Why a launch was stopped. */
enum bp_simt_fault_kind {
    BP_SIMT_FAULT_NONE,
    BP_SIMT_FAULT_DIVERGENT_BARRIER,
    BP_SIMT_FAULT_DIVERGENT_WAVE,
    BP_SIMT_FAULT_DEADLOCK,
    BP_SIMT_FAULT_EXITED,
    BP_SIMT_FAULT_NO_MEMORY,
};

struct bp_simt_fault {
    enum bp_simt_fault_kind kind;
    uint64_t block;
    uint32_t first, second; /* threads, or for FAULT_EXITED: waiting, of all */
};

/* Makes the pool of threads (the caller is one of them) and their LDS. Calling it again with the
 * same number does nothing, with another number replaces the pool. */
int bp_simt_open(uint32_t threads, struct bp_error *err) BP_MUST_CHECK;
void bp_simt_close(void);

/* Runs every block and waits. PASS; RACE for a divergent barrier, a deadlock or a barrier after
 * some threads returned; OOM_HOST when there is no memory for fiber stacks. message is written
 * unless PASS. Only the thread that called bp_simt_open may call it. */
enum bp_verdict bp_simt_run(const struct bp_simt_launch *launch, char message[BP_TEXT_LINE]);

/* Of launches from now on; FORWARD at first. */
void bp_simt_set_order(enum bp_simt_order order);

/* Why the last launch was stopped, for whoever wants more than the message. */
const struct bp_simt_fault *bp_simt_last_fault(void);

/* The stack [*low, *high) of the fiber that runs; false when the caller is on its OS thread's. */
bool bp_simt_fiber_stack(uintptr_t *low, uintptr_t *high);

/* The LDS of blocks that the thread that called bp_simt_open runs: static variables begin at
 * bp_simt_lds(), a dynamic part of `bytes` bytes at bp_simt_dynamic_lds(bytes). */
unsigned char *bp_simt_lds(void);
unsigned char *bp_simt_dynamic_lds(uint32_t bytes);

/* Runs gqa_plan as a grid of one block of one thread on the calling thread. */
void bp_simt_run_plan(void (*function)(struct gqa_shape, struct gqa_launch_plan *),
                      const struct gqa_shape *shape, struct gqa_launch_plan *plan);

/* What an object's __tls_get_addr resolves to: offset bytes into the block's static LDS. */
struct bp_simt_tls_index {
    uint64_t module, offset;
};
void *bp_simt_tls_address(const struct bp_simt_tls_index *index);

#endif
