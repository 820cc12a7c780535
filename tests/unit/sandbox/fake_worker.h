/* fake_worker.h: what the acts need of the fake worker. */
#ifndef BP_TESTS_SANDBOX_FAKE_WORKER_H
#define BP_TESTS_SANDBOX_FAKE_WORKER_H

#include "sandbox/worker_fd.h"

/* A sealed memfd of the test's shared object, or -1. */
extern int fake_worker_object;

/* One line on the answers pipe: "<what> <number> <text>". */
void fake_worker_say(const char *what, int number, const char *text);

#endif
