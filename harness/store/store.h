/* store.h: run.db, the record of a run. The only user of SQLite.
 *
 * Tables: meta (schema version, secret run key, seed), event (append-only: number, wall_ms, kind,
 * json), candidate, evaluation, attempt, timing, correctness. WAL, synchronous=FULL; one
 * transaction an evaluation. All writes happen on the store's own thread, so that an fsync never
 * delays the supervisor's loop; a failure there is reported by the next call here. */
#ifndef BP_HARNESS_STORE_STORE_H
#define BP_HARNESS_STORE_STORE_H

#include "base/random.h"
#include "harness/store/evaluation.h"

struct bp_store;

/* Creates dir/run.db (BP_ERR_USAGE when it exists already) and starts the writer. Takes a lock that
 * a second process on the same directory cannot have. Makes and keeps a random run key. */
int bp_store_create(const char *dir, uint64_t seed, struct bp_store **store, struct bp_error *err)
    BP_MUST_CHECK;

/* Waits for queued writes, then closes; reports the first write that failed. Frees always. */
int bp_store_close(struct bp_store *store, struct bp_error *err);

void bp_store_run_key(const struct bp_store *store, struct bp_key *key);

/* Queues an event: kind is a word, json an object's text (copied). */
int bp_store_event(struct bp_store *store, const char *kind, const char *json,
                   struct bp_error *err) BP_MUST_CHECK;

/* Queues the whole evaluation as one transaction (the data is copied before this returns). */
int bp_store_evaluation(struct bp_store *store, const struct bp_evaluation *evaluation,
                        struct bp_error *err) BP_MUST_CHECK;

/* Waits until everything queued is committed and synced. */
int bp_store_flush(struct bp_store *store, struct bp_error *err) BP_MUST_CHECK;

#endif
