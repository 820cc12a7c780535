#include "evaluator/simt.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evaluator/crash.h"
#include "evaluator/fiber.h"
#include "kernels/include/gqa_simt.h"

#define PAGE 4096
#define STACK_BYTES (128u << 10)
#define STACK_STRIDE (STACK_BYTES + PAGE) /* with the guard page below */
#define THREAD_STACK_BYTES (8u << 20)     /* a one-thread block runs on it */
#define SPINS 2000                        /* before a futex wait: some 50 us */
#define WAVES (BP_SIMT_BLOCK_THREADS / BP_SIMT_WAVE)
#define NO_SITE UINT32_MAX

/* A lane is in ready while it runs or may run, in at_operation while it waits for its wave, and in
 * neither while it waits at the barrier. */
struct wave {
    uint32_t live, ready, at_operation;
    uint32_t participants; /* of the last finished operation */
    uint32_t site, first_lane;
    uint32_t phase; /* of the exchange: a lane may bring its next value before others read this */
    uint64_t exchange[2][BP_SIMT_WAVE];
};

/* One OS thread and the block it runs. */
struct executor {
    pthread_t thread;
    struct bp_crash_stack crash_stack;
    unsigned char *lds; /* mapping of LDS_BYTES between guard pages */
    char *stacks;       /* mapping of stack_count stacks, or null */
    uint32_t stack_count;

    const struct bp_simt_launch *launch;
    uint64_t block;
    bool in_fiber;
    uint32_t threads, live, wave_count;
    uint32_t current, wave; /* the running fiber and its wave */
    uint32_t turn;          /* the wave's place in the order of waves */
    uint32_t barrier_site, barrier_first;
    struct bp_simt_fault fault;
    struct wave waves[WAVES];
    struct bp_fiber main, fibers[BP_SIMT_BLOCK_THREADS];
    struct bp_simt_dim ids[BP_SIMT_BLOCK_THREADS];
};

/* What the pool works on. A new generation tells the threads that a job is there. */
static struct {
    uint32_t threads;
    struct executor **executors; /* [threads]; 0 is the caller's */
    sem_t started;               /* posted by each new thread */
    const struct bp_simt_launch *launch;
    uint64_t blocks;
    enum bp_simt_order order;
    struct bp_simt_fault fault; /* of the last launch */
    bool stop;
    _Alignas(64) _Atomic uint64_t next;
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic uint32_t running;
    _Atomic uint32_t caller_sleeps;
} pool;

__thread struct bp_simt_thread bp_simt_self __attribute__((tls_model("initial-exec")));
static __thread struct executor *self;

void *bp_simt_tls_address(const struct bp_simt_tls_index *index)
{
    return bp_simt_self.static_lds + index->offset;
}

/* ---- fibers: who runs next ---- */

static struct bp_fiber *stop_block(struct executor *ex, enum bp_simt_fault_kind kind,
                                   uint32_t first, uint32_t second)
{
    ex->fault = (struct bp_simt_fault){kind, ex->block, first, second};
    return &ex->main;
}

static uint32_t full_mask(uint32_t lanes)
{
    return lanes >= BP_SIMT_WAVE ? UINT32_MAX : (1u << lanes) - 1;
}

static void set_turn(struct executor *ex, uint32_t turn)
{
    ex->turn = turn;
    ex->wave = pool.order == BP_SIMT_REVERSED ? ex->wave_count - 1 - turn : turn;
}

/* Of a set that is not empty. */
static uint32_t next_lane(uint32_t ready)
{
    return (uint32_t)(pool.order == BP_SIMT_REVERSED ? 31 - __builtin_clz(ready)
                                                     : __builtin_ctz(ready));
}

/* Every wave has run until all its lanes wait at the barrier or have returned. Lets the block pass
 * and returns true, or false when it is finished or at fault. */
static bool pass_barrier(struct executor *ex)
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

static struct bp_fiber *next_fiber(struct executor *ex)
{
    for (;;) {
        struct wave *wave = &ex->waves[ex->wave];
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
            uint32_t lane = next_lane(wave->ready);
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
static void wait_for_others(struct executor *ex)
{
    struct bp_fiber *here = &ex->fibers[ex->current];
    struct bp_fiber *next = next_fiber(ex);
    if (next != here)
        bp_fiber_switch(here, next);
}

static void abandon_block(struct executor *ex, enum bp_simt_fault_kind kind, uint32_t first)
{
    struct bp_fiber *here = &ex->fibers[ex->current];
    bp_fiber_leave(here, stop_block(ex, kind, first, ex->current));
}

void bp_simt_barrier(gqa_u32 site)
{
    struct executor *ex = self;
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

static void wait_for_wave(struct executor *ex, struct wave *wave, gqa_u32 site)
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
    struct executor *ex = self;
    if (ex->in_fiber)
        wait_for_wave(ex, &ex->waves[ex->wave], site);
}

gqa_u64 bp_simt_shuffle(gqa_u32 site, gqa_u64 bits, gqa_u32 source)
{
    struct executor *ex = self;
    if (!ex->in_fiber)
        return bits;
    struct wave *wave = &ex->waves[ex->wave];
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
    struct executor *ex = self;
    /* The first fiber that an executor ever enters comes from the thread's own stack. */
    bp_fiber_entered(ex->main.bottom ? NULL : &ex->main);
    call_kernel(ex->launch);
    struct wave *wave = &ex->waves[ex->wave];
    wave->live &= ~(1u << bp_simt_self.lane);
    wave->ready &= wave->live;
    ex->live--;
    struct bp_fiber *here = &ex->fibers[ex->current];
    bp_fiber_leave(here, next_fiber(ex));
}

/* ---- blocks ---- */

static void run_block_of_fibers(struct executor *ex)
{
    for (uint32_t i = 0; i < ex->threads; i++) {
        char *top = ex->stacks + (size_t)i * STACK_STRIDE + STACK_STRIDE;
        /* Stacks a whole number of pages apart would all share the same cache sets. */
        bp_fiber_prepare(&ex->fibers[i], top - (i % 32) * 128, fiber_main);
    }
    for (uint32_t i = 0; i < ex->wave_count; i++) {
        struct wave *wave = &ex->waves[i];
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

static void run_block_of_calls(struct executor *ex)
{
    for (uint32_t n = 0; n < ex->threads; n++) {
        uint32_t i = pool.order == BP_SIMT_REVERSED ? ex->threads - 1 - n : n;
        bp_simt_self.thread = ex->ids[i];
        bp_simt_self.lane = i % BP_SIMT_WAVE;
        call_kernel(ex->launch);
    }
}

static void run_blocks(struct executor *ex, bool fibers)
{
    const uint32_t *grid = ex->launch->geometry->grid;
    uint64_t blocks = pool.blocks;
    uint64_t next;
    while ((next = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed)) < blocks) {
        uint64_t block = pool.order == BP_SIMT_REVERSED ? blocks - 1 - next : next;
        ex->block = block;
        bp_simt_self.block.x = (uint32_t)(block % grid[0]);
        bp_simt_self.block.y = (uint32_t)(block / grid[0] % grid[1]);
        bp_simt_self.block.z = (uint32_t)(block / grid[0] / grid[1]);
        if (fibers)
            run_block_of_fibers(ex);
        else
            run_block_of_calls(ex);
        if (ex->fault.kind != BP_SIMT_FAULT_NONE) {
            atomic_store(&pool.next, blocks);
            return;
        }
    }
}

/* Stacks for the fibers of this launch; kept for later ones. mmap only, as mprotect is forbidden
 * by the time a candidate's plan is known. */
static bool reserve_stacks(struct executor *ex)
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

/* Ends at the guard page, so that an overrun of more than the alignment faults. */
static unsigned char *dynamic_lds(const struct executor *ex, uint32_t bytes)
{
    return ex->lds + BP_SIMT_LDS_BYTES - ((bytes + 63) & ~63u);
}

static void set_geometry(struct executor *ex, const struct gqa_launch *geometry)
{
    const uint32_t *block = geometry->block, *grid = geometry->grid;
    ex->threads = block[0] * block[1] * block[2];
    ex->wave_count = (ex->threads + BP_SIMT_WAVE - 1) / BP_SIMT_WAVE;
    bp_simt_self.block_dim = (struct bp_simt_dim){block[0], block[1], block[2]};
    bp_simt_self.grid_dim = (struct bp_simt_dim){grid[0], grid[1], grid[2]};
    bp_simt_self.static_lds = ex->lds;
    bp_simt_self.dynamic_lds = dynamic_lds(ex, geometry->dynamic_lds);
    for (uint32_t i = 0; i < ex->threads; i++)
        ex->ids[i] =
            (struct bp_simt_dim){i % block[0], i / block[0] % block[1], i / block[0] / block[1]};
}

static void work(struct executor *ex)
{
    self = ex;
    ex->launch = pool.launch;
    ex->fault.kind = BP_SIMT_FAULT_NONE;
    ex->in_fiber = false;
    set_geometry(ex, ex->launch->geometry);
    bool fibers = ex->launch->synchronizes && ex->threads > 1;
    if (fibers && !reserve_stacks(ex)) {
        ex->fault = (struct bp_simt_fault){.kind = BP_SIMT_FAULT_NO_MEMORY};
        atomic_store(&pool.next, pool.blocks);
        return;
    }
    run_blocks(ex, fibers);
}

/* ---- the pool ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* Returns once *word differs from value. sleepers is raised before the futex reads *word, and a
 * waker writes *word before it reads sleepers: one of the two always sees the other. */
static void wait_for_change(_Atomic uint32_t *word, uint32_t value, _Atomic uint32_t *sleepers)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != value)
            return;
        __builtin_ia32_pause();
    }
    atomic_fetch_add(sleepers, 1);
    while (atomic_load(word) == value)
        futex_wait(word, value);
    atomic_fetch_sub(sleepers, 1);
}

static void *pool_thread(void *argument)
{
    struct executor *ex = argument;
    uint32_t seen = 0;
    bp_crash_enter_thread(&ex->crash_stack);
    sem_post(&pool.started);
    for (;;) {
        wait_for_change(&pool.generation, seen, &pool.sleepers);
        seen = atomic_load(&pool.generation);
        if (pool.stop) {
            bp_crash_leave_thread(&ex->crash_stack);
            return NULL;
        }
        work(ex);
        if (atomic_fetch_sub(&pool.running, 1) == 1 && atomic_load(&pool.caller_sleeps))
            futex_wake(&pool.running, 1);
    }
}

static void start_generation(void)
{
    atomic_fetch_add(&pool.generation, 1);
    if (atomic_load(&pool.sleepers) > 0)
        futex_wake(&pool.generation, INT32_MAX);
}

static void wait_for_pool(void)
{
    uint32_t running;
    while ((running = atomic_load(&pool.running)) != 0)
        wait_for_change(&pool.running, running, &pool.caller_sleeps);
}

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

static void free_executor(struct executor *ex)
{
    if (!ex)
        return;
    if (ex->lds)
        munmap(ex->lds - PAGE, BP_SIMT_LDS_BYTES + 2 * PAGE);
    if (ex->stacks)
        munmap(ex->stacks, (size_t)ex->stack_count * STACK_STRIDE);
    free(ex);
}

static struct executor *new_executor(void)
{
    struct executor *ex = calloc(1, sizeof *ex);
    if (!ex || !(ex->lds = map_lds())) {
        free(ex);
        return NULL;
    }
    return ex;
}

/* Returns when the thread runs: what glibc does in a new thread (rseq, set_robust_list) must lie
 * before the candidate's filter. */
static int start_thread(struct executor *ex)
{
    pthread_attr_t attributes;
    int rc = pthread_attr_init(&attributes);
    if (rc != 0)
        return rc;
    rc = pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    if (rc == 0)
        rc = pthread_create(&ex->thread, &attributes, pool_thread, ex);
    pthread_attr_destroy(&attributes);
    while (rc == 0 && sem_wait(&pool.started) < 0 && errno == EINTR)
        ;
    return rc;
}

int bp_simt_open(uint32_t threads, struct bp_error *err)
{
    if (threads == 0 || threads > 4096)
        return bp_fail(err, BP_ERR_USAGE, "%u threads: 1 to 4096 are possible", threads);
    if (pool.threads == threads)
        return 0;
    bp_simt_close();
    pool.executors = calloc(threads, sizeof *pool.executors);
    if (!pool.executors)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %u threads", threads);
    pool.stop = false;
    sem_init(&pool.started, 0, 0);
    atomic_store(&pool.generation, 0);
    for (pool.threads = 0; pool.threads < threads; pool.threads++) {
        struct executor *ex = new_executor();
        errno = ENOMEM;
        if (ex && pool.threads > 0 && (errno = start_thread(ex)) != 0) {
            free_executor(ex);
            ex = NULL;
        }
        if (!ex) {
            bp_fail_errno(err, "cannot make thread %u of %u", pool.threads + 1, threads);
            bp_simt_close();
            return -1;
        }
        pool.executors[pool.threads] = ex;
        if (pool.threads == 0)
            bp_crash_enter_thread(&ex->crash_stack);
    }
    return 0;
}

void bp_simt_close(void)
{
    pool.stop = true;
    start_generation();
    for (uint32_t i = 0; i < pool.threads; i++) {
        if (i > 0)
            pthread_join(pool.executors[i]->thread, NULL);
        else
            bp_crash_leave_thread(&pool.executors[0]->crash_stack);
        free_executor(pool.executors[i]);
    }
    free(pool.executors);
    pool.executors = NULL;
    pool.threads = 0;
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
    const struct bp_simt_fault *first = &pool.executors[0]->fault;
    for (uint32_t i = 1; i < executors; i++) {
        const struct bp_simt_fault *fault = &pool.executors[i]->fault;
        if (fault->kind != BP_SIMT_FAULT_NONE &&
            (first->kind == BP_SIMT_FAULT_NONE || fault->block < first->block))
            first = fault;
    }
    return first;
}

enum bp_verdict bp_simt_run(const struct bp_simt_launch *launch, char message[BP_TEXT_LINE])
{
    const uint32_t *grid = launch->geometry->grid;
    pool.launch = launch;
    pool.blocks = (uint64_t)grid[0] * grid[1] * grid[2];
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    bool alone = pool.threads == 1 || pool.blocks == 1;
    if (!alone) {
        atomic_store(&pool.running, pool.threads - 1);
        start_generation();
    }
    work(pool.executors[0]);
    if (!alone)
        wait_for_pool();
    pool.fault = *first_fault(alone ? 1 : pool.threads);
    return describe(&pool.fault, launch, message);
}

void bp_simt_set_order(enum bp_simt_order order)
{
    pool.order = order;
}

const struct bp_simt_fault *bp_simt_last_fault(void)
{
    return &pool.fault;
}

bool bp_simt_fiber_stack(uintptr_t *low, uintptr_t *high)
{
    const struct executor *ex = self;
    if (!ex->in_fiber)
        return false;
    *low = (uintptr_t)ex->fibers[ex->current].bottom;
    *high = *low + ex->fibers[ex->current].size;
    return true;
}

unsigned char *bp_simt_lds(void)
{
    return pool.executors[0]->lds;
}

unsigned char *bp_simt_dynamic_lds(uint32_t bytes)
{
    return dynamic_lds(pool.executors[0], bytes);
}

void bp_simt_run_plan(void (*function)(struct gqa_shape, struct gqa_launch_plan *),
                      const struct gqa_shape *shape, struct gqa_launch_plan *plan)
{
    static const struct gqa_launch one = {.grid = {1, 1, 1}, .block = {1, 1, 1}};
    self = pool.executors[0];
    self->in_fiber = false;
    set_geometry(self, &one);
    bp_simt_self.thread = bp_simt_self.block = (struct bp_simt_dim){0, 0, 0};
    bp_simt_self.lane = 0;
    function(*shape, plan);
}
