#include "evaluator/simt_pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREAD_STACK_BYTES (8u << 20) /* a one-thread block runs on it */
#define SPINS 2000                    /* before a futex wait: some 50 us */

/* A new generation tells the threads that there is work. */
static struct {
    uint32_t threads;
    struct bp_simt_executor **executors; /* [threads]; 0 is the caller's */
    sem_t started;                       /* posted by each new thread */
    bp_simt_pool_work work;
    bool stop;
    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic uint32_t running;
    _Atomic uint32_t caller_sleeps;
} pool;

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
    struct bp_simt_executor *ex = argument;
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
        pool.work(ex);
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

/* Returns when the thread runs: what glibc does in a new thread (rseq, set_robust_list) must lie
 * before the candidate's filter. */
static int start_thread(struct bp_simt_executor *ex)
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
        struct bp_simt_executor *ex = bp_simt_executor_new();
        errno = ENOMEM;
        if (ex && pool.threads > 0 && (errno = start_thread(ex)) != 0) {
            bp_simt_executor_free(ex);
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
        bp_simt_executor_free(pool.executors[i]);
    }
    free(pool.executors);
    pool.executors = NULL;
    pool.threads = 0;
}

uint32_t bp_simt_pool_threads(void)
{
    return pool.threads;
}

struct bp_simt_executor *bp_simt_pool_executor(uint32_t index)
{
    return pool.executors[index];
}

void bp_simt_pool_run(bp_simt_pool_work work)
{
    pool.work = work;
    atomic_store(&pool.running, pool.threads - 1);
    start_generation();
    work(pool.executors[0]);
    wait_for_pool();
}
