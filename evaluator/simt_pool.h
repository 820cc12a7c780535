/* simt_pool.h: the OS threads behind bp_simt_open and bp_simt_close (simt.h). Only simt*.c include it. */
#ifndef BP_EVALUATOR_SIMT_POOL_H
#define BP_EVALUATOR_SIMT_POOL_H

#include "evaluator/simt_executor.h"

typedef void (*bp_simt_pool_work)(struct bp_simt_executor *ex);

uint32_t bp_simt_pool_threads(void);

/* Executor 0 is the thread's that called bp_simt_open. */
struct bp_simt_executor *bp_simt_pool_executor(uint32_t index);

/* Calls work once on every thread of the pool, the caller's among them, and waits for all. */
void bp_simt_pool_run(bp_simt_pool_work work);

#endif
