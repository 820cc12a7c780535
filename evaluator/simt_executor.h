/* simt_executor.h: one OS thread that runs blocks (simt.h), and its turns. Only simt*.c include it. */
#ifndef BP_EVALUATOR_SIMT_EXECUTOR_H
#define BP_EVALUATOR_SIMT_EXECUTOR_H

#include <pthread.h>

#include "evaluator/crash.h"
#include "evaluator/fiber.h"
#include "evaluator/simt.h"
#include "kernels/include/gqa_simt.h"

#define BP_SIMT_WAVES (BP_SIMT_BLOCK_THREADS / BP_SIMT_WAVE)

/* A lane is in ready while it runs or may run, in at_operation while it waits for its wave, and in
 * neither while it waits at the barrier. */
struct bp_simt_wave_state {
    uint32_t live, ready, at_operation;
    uint32_t participants; /* of the last finished operation */
    uint32_t site, first_lane;
    uint32_t phase; /* of the exchange: a lane may bring its next value before others read this */
    uint64_t exchange[2][BP_SIMT_WAVE];
};

/* One OS thread and the block it runs. */
struct bp_simt_executor {
    pthread_t thread;
    struct bp_crash_stack crash_stack;
    unsigned char *lds; /* mapping of LDS_BYTES between guard pages */
    char *stacks;       /* mapping of stack_count stacks, or null */
    uint32_t stack_count;

    const struct bp_simt_launch *launch;
    uint64_t block;
    enum bp_simt_order order; /* of the launch */
    bool in_fiber;
    uint32_t threads, live, wave_count;
    uint32_t current, wave; /* the running fiber and its wave */
    uint32_t turn;          /* the wave's place in the order of waves */
    uint32_t barrier_site, barrier_first;
    struct bp_simt_fault fault;
    struct bp_simt_wave_state waves[BP_SIMT_WAVES];
    struct bp_fiber main, fibers[BP_SIMT_BLOCK_THREADS];
    struct bp_simt_dim ids[BP_SIMT_BLOCK_THREADS];
};

/* With its LDS, without stacks; null when there is no memory. */
struct bp_simt_executor *bp_simt_executor_new(void);
void bp_simt_executor_free(struct bp_simt_executor *ex);

/* The calling thread is ex from now on, with a grid and blocks of these sizes. */
void bp_simt_executor_enter(struct bp_simt_executor *ex, const struct gqa_launch *geometry);

/* Stacks for a block of fibers; kept for later ones. mmap only, as mprotect is forbidden by the time a
 * candidate's plan is known. */
bool bp_simt_executor_reserve_stacks(struct bp_simt_executor *ex);

/* Runs block ex->block of ex->launch, every thread a fiber (stacks are reserved) or a plain call; a fault
 * is then in ex->fault. */
void bp_simt_executor_run_fibers(struct bp_simt_executor *ex);
void bp_simt_executor_run_calls(struct bp_simt_executor *ex);

/* Where a block's dynamic LDS of that size begins: it ends at the guard page, so that an overrun of more
 * than the alignment faults. */
unsigned char *bp_simt_executor_dynamic_lds(const struct bp_simt_executor *ex, uint32_t bytes);

#endif
