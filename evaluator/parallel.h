/* parallel.h: a loop over independent items on all CPUs of the process, for prepare's arithmetic. */
#ifndef BP_EVALUATOR_PARALLEL_H
#define BP_EVALUATOR_PARALLEL_H

#include <stdint.h>

#define BP_PARALLEL_MAX 16

/* Threads that bp_parallel_for uses: the CPUs this process may run on, 1 to BP_PARALLEL_MAX. */
uint32_t bp_parallel_workers(void);

/* Calls work(context, index, worker) once for every index below count and returns when all are
 * done; worker < bp_parallel_workers() names the calling thread's scratch. Where no thread can be
 * created the calling thread does all the work. work must not allocate: a confined child's threads
 * get by with the system calls of pthread_create and futex. */
void bp_parallel_for(uint32_t count, void (*work)(void *context, uint32_t index, uint32_t worker),
                     void *context);

#endif
