#include "harness/store/store.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/persist.h"
#include "harness/store/items.h"
#include "harness/store/lock.h"
#include "harness/store/reader.h"

struct bp_store {
    struct bp_database database; /* the writer's alone while it runs */
    struct bp_database_facts facts;
    struct bp_reader reader; /* the supervisor's; opened when first needed */
    char path[4096];         /* of run.db */
    bool writable;           /* lock, database and writer are there */
    int lock_fd;
    pthread_t writer;
    struct bp_item_list attached; /* the supervisor's, until the next evaluation */

    pthread_mutex_t mutex; /* guards what follows; held for a few assignments only */
    pthread_cond_t work, idle;
    struct bp_item_list queue;
    size_t bytes; /* queued or being written */
    bool writing, stopping, failed;
    struct bp_error failure;
};

static void *write_loop(void *argument)
{
    struct bp_store *store = argument;
    struct bp_error err;
    bp_fault_enter(BP_FAULT_SCOPE_RECORD);
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        while (!store->queue.first && !store->stopping)
            pthread_cond_wait(&store->work, &store->mutex);
        if (!store->queue.first)
            break;
        struct bp_item *batch = bp_items_take_batch(&store->queue);
        store->writing = true;
        bool failed = store->failed;
        pthread_mutex_unlock(&store->mutex);

        int result = failed ? 0 : bp_items_write(&store->database, batch, &err);
        size_t bytes = bp_items_bytes(batch);
        bp_items_free(batch);

        pthread_mutex_lock(&store->mutex);
        store->writing = false;
        store->bytes -= bytes;
        if (result < 0) {
            store->failed = true;
            store->failure = err;
        }
        pthread_cond_signal(&store->idle);
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* The supervisor reads its signals from a signalfd; none may be delivered to this thread instead. */
static int start_writer(struct bp_store *store, struct bp_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&store->writer, NULL, write_loop, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        return bp_fail(err, BP_ERR_SYSTEM, "cannot start the store's writer: %s", strerror(code));
    return 0;
}

/* ---- opening ---- */

static struct bp_store *store_new(const char *dir, struct bp_error *err)
{
    struct bp_store *store = bp_fault_calloc(1, sizeof *store);
    if (!store) {
        bp_fail(err, BP_ERR_MEMORY, "no memory for the store");
        return NULL;
    }
    if ((size_t)snprintf(store->path, sizeof store->path, "%s/run.db", dir) >= sizeof store->path) {
        bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
        free(store);
        return NULL;
    }
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->work, NULL);
    pthread_cond_init(&store->idle, NULL);
    bp_items_init(&store->queue);
    bp_items_init(&store->attached);
    store->lock_fd = -1;
    return store;
}

static void store_free(struct bp_store *store)
{
    bp_items_free(store->attached.first);
    bp_reader_close(&store->reader);
    bp_close_fd(&store->lock_fd);
    pthread_cond_destroy(&store->idle);
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->mutex);
    sodium_memzero(&store->facts, sizeof store->facts);
    free(store);
}

/* With the lock held and the database open. */
static int go_on_writing(struct bp_store *store, struct bp_error *err)
{
    if (start_writer(store, err) < 0) {
        bp_database_close(&store->database);
        return -1;
    }
    store->writable = true;
    return 0;
}

static int create_database(void *context, struct bp_error *err)
{
    struct bp_store *store = context;
    return bp_database_create(&store->database, store->path, store->facts.seed,
                              &store->facts.run_key, err);
}

static int open_database(void *context, struct bp_error *err)
{
    struct bp_store *store = context;
    return bp_database_open(&store->database, store->path, &store->facts, err);
}

static int create_all(struct bp_store *store, const char *dir, uint64_t seed, struct bp_error *err)
{
    bp_key_random(&store->facts.run_key);
    store->facts.seed = seed;
    store->lock_fd = bp_lock_take(dir, err);
    if (store->lock_fd < 0 || bp_persist("store", create_database, store, err) < 0)
        return -1;
    return go_on_writing(store, err);
}

/* No lock file is left in a directory that is not a run's. */
static int must_exist(const struct bp_store *store, const char *dir, struct bp_error *err)
{
    if (access(store->path, F_OK) == 0)
        return 0;
    int cause = errno;
    bp_fail(err, BP_ERR_USAGE, "%.300s holds no record of a run: run.db: %s", dir, strerror(cause));
    err->sys_errno = cause;
    return -1;
}

static int open_all(struct bp_store *store, const char *dir, struct bp_error *err)
{
    if (must_exist(store, dir, err) < 0)
        return -1;
    store->lock_fd = bp_lock_take(dir, err);
    if (store->lock_fd < 0 || bp_persist("store", open_database, store, err) < 0)
        return -1;
    return go_on_writing(store, err);
}

static int finish_opening(struct bp_store *fresh, int result, struct bp_store **store)
{
    if (result < 0)
        store_free(fresh);
    else
        *store = fresh;
    return result;
}

int bp_store_create(const char *dir, uint64_t seed, struct bp_store **store, struct bp_error *err)
{
    struct bp_store *fresh = store_new(dir, err);
    return fresh ? finish_opening(fresh, create_all(fresh, dir, seed, err), store) : -1;
}

int bp_store_open(const char *dir, struct bp_store **store, struct bp_error *err)
{
    struct bp_store *fresh = store_new(dir, err);
    return fresh ? finish_opening(fresh, open_all(fresh, dir, err), store) : -1;
}

/* The reader is opened when first needed: a run that loads nothing does without. */
static int need_reader(struct bp_store *store, struct bp_error *err)
{
    return store->reader.connection.handle ? 0 : bp_reader_open(&store->reader, store->path, err);
}

int bp_store_read(const char *dir, struct bp_store **store, struct bp_error *err)
{
    struct bp_store *fresh = store_new(dir, err);
    if (!fresh)
        return -1;
    int result = must_exist(fresh, dir, err);
    return finish_opening(fresh, result < 0 ? -1 : need_reader(fresh, err), store);
}

static int stop_writer(struct bp_store *store, struct bp_error *err)
{
    pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->writer, NULL);
    if (store->failed)
        *err = store->failure;
    return store->failed ? -1 : 0;
}

int bp_store_close(struct bp_store *store, struct bp_error *err)
{
    int result = store->writable ? stop_writer(store, err) : 0;
    /* The last connection to close empties the log, which one that only reads cannot do. */
    bp_reader_close(&store->reader);
    bp_database_close(&store->database);
    store_free(store);
    return result;
}

/* ---- what holds for the whole run ---- */

void bp_store_run_key(const struct bp_store *store, struct bp_key *key)
{
    *key = store->facts.run_key;
}

uint64_t bp_store_seed(const struct bp_store *store)
{
    return store->facts.seed;
}

static int fail_reading_only(const struct bp_store *store, struct bp_error *err)
{
    return bp_fail(err, BP_ERR_STATE, "%s is open for reading only", store->path);
}

/* Takes the items, also when it fails. */
static int enqueue(struct bp_store *store, struct bp_item_list *items, struct bp_error *err)
{
    int result = 0;
    size_t bytes = bp_items_bytes(items->first);
    pthread_mutex_lock(&store->mutex);
    if (!store->writable) {
        result = fail_reading_only(store, err);
    } else if (store->failed) {
        *err = store->failure;
        result = -1;
    } else if (store->bytes + bytes > BP_STORE_QUEUE_BYTES) {
        result = bp_fail(err, BP_ERR_LIMIT, "more than %zu bytes wait to be written to the record",
                         BP_STORE_QUEUE_BYTES);
    } else {
        store->bytes += bytes;
        bp_items_join(&store->queue, items);
        pthread_cond_signal(&store->work);
    }
    pthread_mutex_unlock(&store->mutex);
    if (result < 0)
        bp_items_free(items->first);
    return result;
}

static int enqueue_one(struct bp_store *store, struct bp_item *item, struct bp_error *err)
{
    struct bp_item_list items;
    bp_items_init(&items);
    bp_items_append(&items, item);
    return enqueue(store, &items, err);
}

int bp_store_begin_session(struct bp_store *store, uint32_t *session, struct bp_error *err)
{
    struct bp_item *item = bp_item_of_session(err);
    if (!item || enqueue_one(store, item, err) < 0 || bp_store_flush(store, err) < 0)
        return -1;
    *session = ++store->facts.sessions;
    return 0;
}

int bp_store_set_text(struct bp_store *store, const char *name, const char *text,
                      struct bp_error *err)
{
    char old[8];
    int got = bp_store_flush(store, err);
    if (got == 0)
        got = bp_store_text(store, name, old, sizeof old, err);
    if (got == 1 || (got < 0 && err->code == BP_ERR_LIMIT))
        return bp_fail(err, BP_ERR_STATE, "%s of %s is fixed already", name, store->path);
    struct bp_item *item = got < 0 ? NULL : bp_item_of_texts(BP_ITEM_TEXT, name, text, err);
    return item ? enqueue_one(store, item, err) : -1;
}

int bp_store_text(struct bp_store *store, const char *name, char *text, size_t size,
                  struct bp_error *err)
{
    return need_reader(store, err) < 0 ? -1 : bp_reader_text(&store->reader, name, text, size, err);
}

/* ---- writing ---- */

static bool is_object(const char *json)
{
    json_t *value = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    bool object = json_is_object(value);
    json_decref(value);
    return object;
}

static struct bp_item *event_item(const char *kind, const char *json, struct bp_error *err)
{
    if (is_object(json))
        return bp_item_of_texts(BP_ITEM_EVENT, kind, json, err);
    bp_fail(err, BP_ERR_STATE, "event %s is not a JSON object: %.200s", kind, json);
    return NULL;
}

int bp_store_event(struct bp_store *store, const char *kind, const char *json, struct bp_error *err)
{
    struct bp_item *item = event_item(kind, json, err);
    return item ? enqueue_one(store, item, err) : -1;
}

int bp_store_attach(struct bp_store *store, const char *kind, const char *json,
                    struct bp_error *err)
{
    if (!store->writable)
        return fail_reading_only(store, err);
    struct bp_item *item = event_item(kind, json, err);
    if (!item)
        return -1;
    bp_items_append(&store->attached, item);
    return 0;
}

int bp_store_evaluation(struct bp_store *store, const struct bp_evaluation *evaluation,
                        struct bp_error *err)
{
    if (evaluation->number == 0 || !evaluation->source)
        return bp_fail(err, BP_ERR_STATE, "an evaluation without %s cannot be recorded",
                       evaluation->number == 0 ? "a number" : "its source");
    struct bp_item *item = bp_item_of_evaluation(evaluation, err);
    if (!item)
        return -1;
    struct bp_item_list items;
    bp_items_init(&items);
    bp_items_join(&items, &store->attached);
    bp_items_append(&items, item);
    return enqueue(store, &items, err);
}

int bp_store_run(struct bp_store *store, struct bp_store_job job, struct bp_error *err)
{
    struct bp_item *item = bp_item_of_job(job, err);
    return item ? enqueue_one(store, item, err) : -1;
}

bool bp_store_idle(struct bp_store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool idle = !store->queue.first && !store->writing;
    pthread_mutex_unlock(&store->mutex);
    return idle;
}

int bp_store_flush(struct bp_store *store, struct bp_error *err)
{
    pthread_mutex_lock(&store->mutex);
    while (store->queue.first || store->writing)
        pthread_cond_wait(&store->idle, &store->mutex);
    bool failed = store->failed;
    if (failed)
        *err = store->failure;
    pthread_mutex_unlock(&store->mutex);
    return failed ? -1 : 0;
}

/* ---- loading ---- */

int bp_store_load_evaluations(struct bp_store *store, bp_store_visit_recorded visit, void *context,
                              struct bp_error *err)
{
    if (need_reader(store, err) < 0)
        return -1;
    return bp_reader_evaluations(&store->reader, visit, context, err);
}

int bp_store_load_evaluation(struct bp_store *store, uint32_t number,
                             struct bp_evaluation **evaluation, struct bp_error *err)
{
    if (need_reader(store, err) < 0)
        return -1;
    return bp_reader_evaluation(&store->reader, number, evaluation, err);
}

int bp_store_load_events(struct bp_store *store, const char *kind, int64_t from,
                         bp_store_visit_event visit, void *context, struct bp_error *err)
{
    if (need_reader(store, err) < 0)
        return -1;
    return bp_reader_events(&store->reader, kind, from, visit, context, err);
}
