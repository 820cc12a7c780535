/* store.h: run.db, the record of a run. The only user of SQLite.
 *
 * Tables: meta (secret run key, seed, sessions), event (append-only: number, wall_ms, kind, json),
 * source, candidate, evaluation, attempt, timing, correctness; docs/results.md has the columns. WAL,
 * synchronous=FULL. All writes happen on the store's own thread, so that an fsync never delays the
 * supervisor's loop; a failure there is reported by the next call here and by every later one, and
 * nothing is written after it: what was recorded before stays as it is.
 *
 * One transaction: the events queued up to an evaluation, with it, or a part of the events alone when
 * the writer is faster. What must be in one transaction with an evaluation is attached to it.
 *
 * The calls below are for one thread, the supervisor's, except that any thread may open a store of
 * its own for reading. The queuing ones never wait: BP_ERR_LIMIT when BP_STORE_QUEUE_BYTES are
 * already waiting to be written. */
#ifndef BP_HARNESS_STORE_STORE_H
#define BP_HARNESS_STORE_STORE_H

#include "base/random.h"
#include "harness/store/evaluation.h"

#define BP_STORE_QUEUE_BYTES ((size_t)64 << 20)

struct bp_store;

/* ---- opening ---- */

/* Creates dir/run.db (mode 0600; BP_ERR_USAGE when it exists already) and starts the writer. Takes
 * dir/run.lock, which a second process cannot have (BP_ERR_USAGE naming the holder's pid). Makes
 * and keeps a random run key. dir must exist. On failure no run.db is left behind. */
int bp_store_create(const char *dir, uint64_t seed, struct bp_store **store, struct bp_error *err)
    BP_MUST_CHECK;

/* Opens the record of an earlier start to go on with it: takes the lock as above, recovers what the
 * write-ahead log of a dead process holds, looks through the file, starts the writer. BP_ERR_USAGE:
 * no run.db there, in use, not a run's record, or of another version (both are named).
 * BP_ERR_UNAVAILABLE: damaged. On failure nothing was changed. */
int bp_store_open(const char *dir, struct bp_store **store, struct bp_error *err) BP_MUST_CHECK;

/* Opens the record for reading alone, without the lock, beside a live run or after it; also from a
 * directory that cannot be written. Only the loading calls, bp_store_text and bp_store_close may
 * follow; the others fail with BP_ERR_STATE. Errors as of bp_store_open, but never "in use". */
int bp_store_read(const char *dir, struct bp_store **store, struct bp_error *err) BP_MUST_CHECK;

/* Waits for queued writes, then closes; reports the first write that failed. Frees always. */
int bp_store_close(struct bp_store *store, struct bp_error *err);

/* ---- what holds for the whole run ---- */

void bp_store_run_key(const struct bp_store *store, struct bp_key *key);
uint64_t bp_store_seed(const struct bp_store *store);

/* Counts one more start of the run, durably before this returns: *session is 1 for the first, and
 * never the same twice. Waits for the disk. */
int bp_store_begin_session(struct bp_store *store, uint32_t *session, struct bp_error *err)
    BP_MUST_CHECK;

/* Queues a small text under a name (a word), for ever: BP_ERR_STATE when the name is taken. */
int bp_store_set_text(struct bp_store *store, const char *name, const char *text,
                      struct bp_error *err) BP_MUST_CHECK;
/* 1 with the committed text, 0 when there is none. BP_ERR_LIMIT when it does not fit. */
int bp_store_text(struct bp_store *store, const char *name, char *text, size_t size,
                  struct bp_error *err) BP_MUST_CHECK;

/* ---- writing ---- */

/* Queues an event: kind is a word, json an object's text (copied; BP_ERR_STATE when it is none). */
int bp_store_event(struct bp_store *store, const char *kind, const char *json, struct bp_error *err)
    BP_MUST_CHECK;

/* The same, but the event is kept back for the next bp_store_evaluation and committed in its
 * transaction, before its event "evaluation": both are on disk or neither. Without such a call it is
 * never written. */
int bp_store_attach(struct bp_store *store, const char *kind, const char *json,
                    struct bp_error *err) BP_MUST_CHECK;

/* Queues the whole evaluation, what was attached, and an event "evaluation", as one transaction (the
 * data is copied before this returns). BP_ERR_STATE when its number is 0 or its source is null. */
int bp_store_evaluation(struct bp_store *store, const struct bp_evaluation *evaluation,
                        struct bp_error *err) BP_MUST_CHECK;

/* Other slow work for the writer thread, such as the artifacts: run is called there once all that
 * was queued before is committed. It is called again when it fails for what may pass (base/persist.h),
 * so it must do nothing twice; failing for good it is a failure of the store. release frees context in
 * every case, also when run was never called or this call fails. */
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

/* ---- loading ----
 * At any time, over a connection of its own: what is committed is seen, what is only queued is not.
 * A visitor returns 0 for the next one, 1 to end the walk, -1 (err set) to fail it. What it is given
 * lives until it returns. A walk that was ended returns 0. */

typedef int (*bp_store_visit_recorded)(void *context, const struct bp_recorded *recorded,
                                       struct bp_error *err);

/* Every evaluation in the order in which they were recorded, which is not that of their numbers when
 * some were answered at once. */
int bp_store_load_evaluations(struct bp_store *store, bp_store_visit_recorded visit, void *context,
                              struct bp_error *err) BP_MUST_CHECK;

/* All that was recorded of one evaluation, the caller's. BP_ERR_USAGE: no such number. */
int bp_store_load_evaluation(struct bp_store *store, uint32_t number,
                             struct bp_evaluation **evaluation, struct bp_error *err) BP_MUST_CHECK;

struct bp_stored_event {
    int64_t number, wall_ms;
    const char *kind, *json;
};
typedef int (*bp_store_visit_event)(void *context, const struct bp_stored_event *event,
                                    struct bp_error *err);

/* Events of a kind (null: all) from number `from` on, in order. */
int bp_store_load_events(struct bp_store *store, const char *kind, int64_t from,
                         bp_store_visit_event visit, void *context, struct bp_error *err)
    BP_MUST_CHECK;

#endif
