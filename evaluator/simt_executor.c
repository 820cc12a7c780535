#include "evaluator/simt_executor.h"

#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096
#define STACK_BYTES (128u << 10)
#define STACK_STRIDE (STACK_BYTES + PAGE) /* with the guard page below */
#define NO_SITE UINT32_MAX

__thread struct bp_simt_thread bp_simt_self __attribute__((tls_model("initial-exec")));
static __thread struct bp_simt_executor *self;

void *bp_simt_tls_address(const struct bp_simt_tls_index *index)
{
    return bp_simt_self.static_lds + index->offset;
}

/* ---- memory ---- */

static void *map_lds(void)
{
    size_t bytes = BP_SIMT_LDS_BYTES + 2 * PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *all = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    if (mmap(all + PAGE, BP_SIMT_LDS_BYTES, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
        munmap(all, bytes);
        return NULL;
    }
    return all + PAGE;
}

void bp_simt_executor_free(struct bp_simt_executor *ex)
{
    if (!ex)
        return;
    if (ex->lds)
        munmap(ex->lds - PAGE, BP_SIMT_LDS_BYTES + 2 * PAGE);
    if (ex->stacks)
        munmap(ex->stacks, (size_t)ex->stack_count * STACK_STRIDE);
    free(ex);
}

struct bp_simt_executor *bp_simt_executor_new(void)
{
    struct bp_simt_executor *ex = calloc(1, sizeof *ex);
    if (!ex || !(ex->lds = map_lds())) {
        free(ex);
        return NULL;
    }
    return ex;
}

bool bp_simt_executor_reserve_stacks(struct bp_simt_executor *ex)
{
    if (ex->stack_count >= ex->threads)
        return true;
    if (ex->stacks)
        munmap(ex->stacks, (size_t)ex->stack_count * STACK_STRIDE);
    ex->stacks = NULL;
    ex->stack_count = 0;
    size_t bytes = (size_t)ex->threads * STACK_STRIDE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *stacks = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    if (stacks == MAP_FAILED)
        return false;
    for (uint32_t i = 0; i < ex->threads; i++) {
        char *bottom = stacks + (size_t)i * STACK_STRIDE + PAGE;
        if (mmap(bottom, STACK_BYTES, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0) ==
            MAP_FAILED) {
            munmap(stacks, bytes);
            return false;
        }
        ex->fibers[i].bottom = bottom;
        ex->fibers[i].size = STACK_BYTES;
    }
    ex->stacks = stacks;
    ex->stack_count = ex->threads;
    return true;
}

unsigned char *bp_simt_executor_dynamic_lds(const struct bp_simt_executor *ex, uint32_t bytes)
{
    return ex->lds + BP_SIMT_LDS_BYTES - ((bytes + 63) & ~63u);
}

void bp_simt_executor_enter(struct bp_simt_executor *ex, const struct gqa_launch *geometry)
{
    const uint32_t *block = geometry->block, *grid = geometry->grid;
    self = ex;
    ex->in_fiber = false;
    ex->threads = block[0] * block[1] * block[2];
    ex->wave_count = (ex->threads + BP_SIMT_WAVE - 1) / BP_SIMT_WAVE;
    bp_simt_self.block_dim = (struct bp_simt_dim){block[0], block[1], block[2]};
    bp_simt_self.grid_dim = (struct bp_simt_dim){grid[0], grid[1], grid[2]};
    bp_simt_self.static_lds = ex->lds;
    bp_simt_self.dynamic_lds = bp_simt_executor_dynamic_lds(ex, geometry->dynamic_lds);
    for (uint32_t i = 0; i < ex->threads; i++)
        ex->ids[i] =
            (struct bp_simt_dim){i % block[0], i / block[0] % block[1], i / block[0] / block[1]};
}

/* ---- fibers: who runs next ---- */

static struct bp_fiber *stop_block(struct bp_simt_executor *ex, enum bp_simt_fault_kind kind,
                                   uint32_t first, uint32_t second)
{
    ex->fault = (struct bp_simt_fault){kind, ex->block, first, second};
    return &ex->main;
}

static uint32_t full_mask(uint32_t lanes)
{
    return lanes >= BP_SIMT_WAVE ? UINT32_MAX : (1u << lanes) - 1;
}

static void set_turn(struct bp_simt_executor *ex, uint32_t turn)
{
    ex->turn = turn;
    ex->wave = ex->order == BP_SIMT_REVERSED ? ex->wave_count - 1 - turn : turn;
}

/* Of a set that is not empty. */
static uint32_t next_lane(const struct bp_simt_executor *ex, uint32_t ready)
{
    return (uint32_t)(ex->order == BP_SIMT_REVERSED ? 31 - __builtin_clz(ready)
                                                    : __builtin_ctz(ready));
}

/* Every wave has run until all its lanes wait at the barrier or have returned. Lets the block pass
 * and returns true, or false when it is finished or at fault. */
static bool pass_barrier(struct bp_simt_executor *ex)
{
    if (ex->live == 0)
        return false;
    if (ex->live != ex->threads) {
        stop_block(ex, BP_SIMT_FAULT_EXITED, ex->live, ex->threads);
        return false;
    }
    for (uint32_t i = 0; i < ex->wave_count; i++)
        ex->waves[i].ready = ex->waves[i].live;
    ex->barrier_site = NO_SITE;
    set_turn(ex, 0);
    return true;
}

static struct bp_fiber *next_fiber(struct bp_simt_executor *ex)
{
    for (;;) {
        struct bp_simt_wave_state *wave = &ex->waves[ex->wave];
        if (wave->ready == 0 && wave->at_operation != 0) {
            uint32_t elsewhere = wave->live & ~wave->at_operation;
            if (elsewhere != 0) /* at the barrier, which the others can never reach */
                return stop_block(ex, BP_SIMT_FAULT_DEADLOCK,
                                  ex->wave * BP_SIMT_WAVE + wave->first_lane,
                                  ex->wave * BP_SIMT_WAVE + (uint32_t)__builtin_ctz(elsewhere));
            wave->ready = wave->participants = wave->live;
            wave->at_operation = 0;
            wave->phase ^= 1;
        }
        if (wave->ready != 0) {
            uint32_t lane = next_lane(ex, wave->ready);
            ex->current = ex->wave * BP_SIMT_WAVE + lane;
            bp_simt_self.thread = ex->ids[ex->current];
            bp_simt_self.lane = lane;
            return &ex->fibers[ex->current];
        }
        if (ex->turn + 1 < ex->wave_count)
            set_turn(ex, ex->turn + 1);
        else if (!pass_barrier(ex))
            return &ex->main;
    }
}

/* The running fiber has left its wave's ready set: goes on with whoever is next. */
static void wait_for_others(struct bp_simt_executor *ex)
{
    struct bp_fiber *here = &ex->fibers[ex->current];
    struct bp_fiber *next = next_fiber(ex);
    if (next != here)
        bp_fiber_switch(here, next);
}

static void abandon_block(struct bp_simt_executor *ex, enum bp_simt_fault_kind kind, uint32_t first)
{
    struct bp_fiber *here = &ex->fibers[ex->current];
    bp_fiber_leave(here, stop_block(ex, kind, first, ex->current));
}

void bp_simt_barrier(gqa_u32 site)
{
    struct bp_simt_executor *ex = self;
    if (!ex->in_fiber)
        return;
    if (ex->barrier_site == NO_SITE) {
        ex->barrier_site = site;
        ex->barrier_first = ex->current;
    } else if (ex->barrier_site != site) {
        abandon_block(ex, BP_SIMT_FAULT_DIVERGENT_BARRIER, ex->barrier_first);
    }
    ex->waves[ex->wave].ready &= ~(1u << bp_simt_self.lane);
    wait_for_others(ex);
}

static void wait_for_wave(struct bp_simt_executor *ex, struct bp_simt_wave_state *wave,
                          gqa_u32 site)
{
    uint32_t lane = bp_simt_self.lane;
    if (wave->at_operation == 0) {
        wave->site = site;
        wave->first_lane = lane;
    } else if (wave->site != site) {
        abandon_block(ex, BP_SIMT_FAULT_DIVERGENT_WAVE, ex->wave * BP_SIMT_WAVE + wave->first_lane);
    }
    wave->ready &= ~(1u << lane);
    wave->at_operation |= 1u << lane;
    wait_for_others(ex);
}

void bp_simt_wave(gqa_u32 site)
{
    struct bp_simt_executor *ex = self;
    if (ex->in_fiber)
        wait_for_wave(ex, &ex->waves[ex->wave], site);
}

gqa_u64 bp_simt_shuffle(gqa_u32 site, gqa_u64 bits, gqa_u32 source)
{
    struct bp_simt_executor *ex = self;
    if (!ex->in_fiber)
        return bits;
    struct bp_simt_wave_state *wave = &ex->waves[ex->wave];
    uint64_t *exchange = wave->exchange[wave->phase];
    exchange[bp_simt_self.lane] = bits;
    wait_for_wave(ex, wave, site);
    source %= BP_SIMT_WAVE;
    return wave->participants >> source & 1 ? exchange[source] : bits;
}

static void call_kernel(const struct bp_simt_launch *launch)
{
    const struct bp_simt_arguments *a = launch->arguments;
    launch->kernel(a->shape, a->q, a->k, a->v, a->o, a->workspace);
}

static void fiber_main(void)
{
    struct bp_simt_executor *ex = self;
    /* The first fiber that an executor ever enters comes from the thread's own stack. */
    bp_fiber_entered(ex->main.bottom ? NULL : &ex->main);
    call_kernel(ex->launch);
    struct bp_simt_wave_state *wave = &ex->waves[ex->wave];
    wave->live &= ~(1u << bp_simt_self.lane);
    wave->ready &= wave->live;
    ex->live--;
    struct bp_fiber *here = &ex->fibers[ex->current];
    bp_fiber_leave(here, next_fiber(ex));
}

/* ---- blocks ---- */

void bp_simt_executor_run_fibers(struct bp_simt_executor *ex)
{
    for (uint32_t i = 0; i < ex->threads; i++) {
        char *top = ex->stacks + (size_t)i * STACK_STRIDE + STACK_STRIDE;
        /* Stacks a whole number of pages apart would all share the same cache sets. */
        bp_fiber_prepare(&ex->fibers[i], top - (i % 32) * 128, fiber_main);
    }
    for (uint32_t i = 0; i < ex->wave_count; i++) {
        struct bp_simt_wave_state *wave = &ex->waves[i];
        wave->live = wave->ready = full_mask(ex->threads - i * BP_SIMT_WAVE);
        wave->at_operation = 0;
    }
    ex->live = ex->threads;
    set_turn(ex, 0);
    ex->barrier_site = NO_SITE;
    ex->in_fiber = true;
    bp_fiber_switch(&ex->main, next_fiber(ex));
    ex->in_fiber = false;
}

void bp_simt_executor_run_calls(struct bp_simt_executor *ex)
{
    for (uint32_t n = 0; n < ex->threads; n++) {
        uint32_t i = ex->order == BP_SIMT_REVERSED ? ex->threads - 1 - n : n;
        bp_simt_self.thread = ex->ids[i];
        bp_simt_self.lane = i % BP_SIMT_WAVE;
        call_kernel(ex->launch);
    }
}

bool bp_simt_fiber_stack(uintptr_t *low, uintptr_t *high)
{
    const struct bp_simt_executor *ex = self;
    if (!ex->in_fiber)
        return false;
    *low = (uintptr_t)ex->fibers[ex->current].bottom;
    *high = *low + ex->fibers[ex->current].size;
    return true;
}
