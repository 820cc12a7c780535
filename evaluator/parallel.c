#include "evaluator/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct loop {
    atomic_uint next;
    uint32_t count;
    void (*work)(void *context, uint32_t index, uint32_t worker);
    void *context;
};

struct worker {
    struct loop *loop;
    uint32_t number;
    pthread_t thread;
};

/* sched_getaffinity and not sysconf, which opens files below /sys. */
uint32_t bp_parallel_workers(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    int cpus = CPU_COUNT(&set);
    return cpus < 1 ? 1 : cpus > BP_PARALLEL_MAX ? BP_PARALLEL_MAX : (uint32_t)cpus;
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    struct loop *loop = worker->loop;
    for (;;) {
        uint32_t index = atomic_fetch_add(&loop->next, 1);
        if (index >= loop->count)
            return NULL;
        loop->work(loop->context, index, worker->number);
    }
}

void bp_parallel_for(uint32_t count, void (*work)(void *context, uint32_t index, uint32_t worker),
                     void *context)
{
    struct loop loop = {.count = count, .work = work, .context = context};
    struct worker workers[BP_PARALLEL_MAX];
    uint32_t wanted = bp_parallel_workers();
    if (wanted > count)
        wanted = count;

    uint32_t started = 1;
    for (; started < wanted; started++) {
        workers[started] = (struct worker){.loop = &loop, .number = started};
        if (pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]) != 0)
            break;
    }
    workers[0] = (struct worker){.loop = &loop};
    run_worker(&workers[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
}
