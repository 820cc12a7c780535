#include "evaluator/simt.h"

#include <stdatomic.h>
#include <stdio.h>

#include "evaluator/simt_pool.h"

/* What the pool works on. */
static struct {
    const struct bp_simt_launch *launch;
    uint64_t blocks;
    enum bp_simt_order order;
    struct bp_simt_fault fault; /* of the last launch */
    _Alignas(64) _Atomic uint64_t next;
} job;

/* ---- on each thread ---- */

static void run_blocks(struct bp_simt_executor *ex, bool fibers)
{
    const uint32_t *grid = ex->launch->geometry->grid;
    uint64_t blocks = job.blocks;
    uint64_t next;
    while ((next = atomic_fetch_add_explicit(&job.next, 1, memory_order_relaxed)) < blocks) {
        uint64_t block = job.order == BP_SIMT_REVERSED ? blocks - 1 - next : next;
        ex->block = block;
        bp_simt_self.block.x = (uint32_t)(block % grid[0]);
        bp_simt_self.block.y = (uint32_t)(block / grid[0] % grid[1]);
        bp_simt_self.block.z = (uint32_t)(block / grid[0] / grid[1]);
        if (fibers)
            bp_simt_executor_run_fibers(ex);
        else
            bp_simt_executor_run_calls(ex);
        if (ex->fault.kind != BP_SIMT_FAULT_NONE) {
            atomic_store(&job.next, blocks);
            return;
        }
    }
}

static void work(struct bp_simt_executor *ex)
{
    ex->launch = job.launch;
    ex->fault.kind = BP_SIMT_FAULT_NONE;
    ex->order = job.order;
    bp_simt_executor_enter(ex, ex->launch->geometry);
    bool fibers = ex->launch->synchronizes && ex->threads > 1;
    if (fibers && !bp_simt_executor_reserve_stacks(ex)) {
        ex->fault = (struct bp_simt_fault){.kind = BP_SIMT_FAULT_NO_MEMORY};
        atomic_store(&job.next, job.blocks);
        return;
    }
    run_blocks(ex, fibers);
}

/* ---- launches ---- */

static enum bp_verdict describe(const struct bp_simt_fault *fault,
                                const struct bp_simt_launch *launch, char message[BP_TEXT_LINE])
{
    const uint32_t *grid = launch->geometry->grid;
    char at[80];
    snprintf(at, sizeof at, "block (%u,%u,%u)", (uint32_t)(fault->block % grid[0]),
             (uint32_t)(fault->block / grid[0] % grid[1]),
             (uint32_t)(fault->block / grid[0] / grid[1]));
    switch (fault->kind) {
    case BP_SIMT_FAULT_NONE:
        return BP_VERDICT_PASS;
    case BP_SIMT_FAULT_NO_MEMORY:
        snprintf(message, BP_TEXT_LINE, "no memory for the stacks of the block's threads");
        return BP_VERDICT_OOM_HOST;
    case BP_SIMT_FAULT_DIVERGENT_BARRIER:
        snprintf(message, BP_TEXT_LINE,
                 "divergent barrier: threads %u and %u of %s wait at different __syncthreads()",
                 fault->first, fault->second, at);
        break;
    case BP_SIMT_FAULT_DIVERGENT_WAVE:
        snprintf(message, BP_TEXT_LINE,
                 "divergent wave: threads %u and %u of %s meet at different wave operations",
                 fault->first, fault->second, at);
        break;
    case BP_SIMT_FAULT_DEADLOCK:
        snprintf(message, BP_TEXT_LINE,
                 "deadlock: in one wave of %s thread %u waits at a wave operation and thread %u at "
                 "__syncthreads()",
                 at, fault->first, fault->second);
        break;
    case BP_SIMT_FAULT_EXITED:
        snprintf(message, BP_TEXT_LINE,
                 "barrier after exit: %u of the %u threads of %s wait at __syncthreads(), the "
                 "others have returned",
                 fault->first, fault->second, at);
        break;
    }
    return BP_VERDICT_RACE;
}

/* Of several faults found in parallel, the lowest block's. */
static const struct bp_simt_fault *first_fault(uint32_t executors)
{
    const struct bp_simt_fault *first = &bp_simt_pool_executor(0)->fault;
    for (uint32_t i = 1; i < executors; i++) {
        const struct bp_simt_fault *fault = &bp_simt_pool_executor(i)->fault;
        if (fault->kind != BP_SIMT_FAULT_NONE &&
            (first->kind == BP_SIMT_FAULT_NONE || fault->block < first->block))
            first = fault;
    }
    return first;
}

enum bp_verdict bp_simt_run(const struct bp_simt_launch *launch, char message[BP_TEXT_LINE])
{
    const uint32_t *grid = launch->geometry->grid;
    job.launch = launch;
    job.blocks = (uint64_t)grid[0] * grid[1] * grid[2];
    atomic_store_explicit(&job.next, 0, memory_order_relaxed);
    uint32_t threads = job.blocks == 1 ? 1 : bp_simt_pool_threads();
    if (threads == 1)
        work(bp_simt_pool_executor(0));
    else
        bp_simt_pool_run(work);
    job.fault = *first_fault(threads);
    return describe(&job.fault, launch, message);
}

void bp_simt_set_order(enum bp_simt_order order)
{
    job.order = order;
}

const struct bp_simt_fault *bp_simt_last_fault(void)
{
    return &job.fault;
}

unsigned char *bp_simt_lds(void)
{
    return bp_simt_pool_executor(0)->lds;
}

unsigned char *bp_simt_dynamic_lds(uint32_t bytes)
{
    return bp_simt_executor_dynamic_lds(bp_simt_pool_executor(0), bytes);
}

void bp_simt_run_plan(void (*function)(struct gqa_shape, struct gqa_launch_plan *),
                      const struct gqa_shape *shape, struct gqa_launch_plan *plan)
{
    static const struct gqa_launch one = {.grid = {1, 1, 1}, .block = {1, 1, 1}};
    bp_simt_executor_enter(bp_simt_pool_executor(0), &one);
    bp_simt_self.thread = bp_simt_self.block = (struct bp_simt_dim){0, 0, 0};
    bp_simt_self.lane = 0;
    function(*shape, plan);
}
