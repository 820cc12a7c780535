/* synthetic.h: a run without compilers and kernels: a strategy proposes, results are made up, and the
 * ledger and run.db take them as in `evolve`. For what a long history costs. */
#ifndef BP_TESTS_BENCH_SYNTHETIC_H
#define BP_TESTS_BENCH_SYNTHETIC_H

#include "harness/evolve/ledger.h"
#include "harness/store/store.h"

struct synthetic {
    struct bp_store *store; /* owned */
    struct bp_space space;  /* owned; eight knobs of eight values */
    struct bp_ledger ledger;
    struct bp_key key; /* of decisions and results */
};

/* What one evaluation cost, in milliseconds. */
struct synthetic_cost {
    double search_ms; /* proposal, look-up of duplicates, ledger */
    double queue_ms;  /* of the supervisor's time: handing over to the writer */
    double commit_ms; /* until it is on disk, queuing included */
};

/* A new run in dir, or the one that is there with all it holds. */
int synthetic_create(struct synthetic *run, const char *dir, struct bp_error *err) BP_MUST_CHECK;
int synthetic_resume(struct synthetic *run, const char *dir, struct bp_error *err) BP_MUST_CHECK;
int synthetic_close(struct synthetic *run, struct bp_error *err) BP_MUST_CHECK;

/* Proposes, makes up and records one evaluation. */
int synthetic_step(struct synthetic *run, struct synthetic_cost *cost, struct bp_error *err)
    BP_MUST_CHECK;

#endif
