/* store.h: run.db, the record of a run. The only user of SQLite.
 *
 * Tables: meta (secret run key, seed), event (append-only: number, wall_ms, kind, json), source,
 * candidate, evaluation, attempt, timing, correctness; docs/results.md has the columns. WAL,
 * synchronous=FULL; one transaction an evaluation. All writes happen on the store's own thread, so
 * that an fsync never delays the supervisor's loop; a failure there is reported by the next call
 * here and by every later one, and nothing is written after it.
 *
 * The calls below are for one thread, the supervisor's. The queuing ones never wait: BP_ERR_LIMIT
 * when BP_STORE_QUEUE_BYTES are already waiting to be written. */
#ifndef BP_HARNESS_STORE_STORE_H
#define BP_HARNESS_STORE_STORE_H

#include "base/random.h"
#include "harness/store/evaluation.h"

#define BP_STORE_QUEUE_BYTES ((size_t)64 << 20)

struct bp_store;

/* Creates dir/run.db (mode 0600; BP_ERR_USAGE when it exists already) and starts the writer. Takes
 * dir/run.lock, which a second process cannot have (BP_ERR_USAGE naming the holder's pid). Makes
 * and keeps a random run key. dir must exist. On failure no run.db is left behind. */
int bp_store_create(const char *dir, uint64_t seed, struct bp_store **store, struct bp_error *err)
    BP_MUST_CHECK;

/* Waits for queued writes, then closes; reports the first write that failed. Frees always. */
int bp_store_close(struct bp_store *store, struct bp_error *err);

void bp_store_run_key(const struct bp_store *store, struct bp_key *key);

/* Queues an event: kind is a word, json an object's text (copied; BP_ERR_STATE when it is none). */
int bp_store_event(struct bp_store *store, const char *kind, const char *json, struct bp_error *err)
    BP_MUST_CHECK;

/* Queues the whole evaluation, and an event "evaluation", as one transaction (the data is copied
 * before this returns). BP_ERR_STATE when its number is 0 or its source is null. */
int bp_store_evaluation(struct bp_store *store, const struct bp_evaluation *evaluation,
                        struct bp_error *err) BP_MUST_CHECK;

/* Other slow work for the writer thread, such as the artifacts: run is called there once all that
 * was queued before is committed; a failure of it is a failure of the store. release frees context
 * in every case, also when run was never called or this call fails. */
struct bp_store_job {
    int (*run)(void *context, struct bp_error *err);
    void (*release)(void *context);
    void *context;
    size_t bytes; /* that context holds, counted against the queue's bound */
};
int bp_store_run(struct bp_store *store, struct bp_store_job job, struct bp_error *err)
    BP_MUST_CHECK;

/* Whether nothing is queued or being written: the writer thread uses no processor. Never waits. */
bool bp_store_idle(struct bp_store *store);

/* Waits until everything queued is committed and synced. */
int bp_store_flush(struct bp_store *store, struct bp_error *err) BP_MUST_CHECK;

#endif
