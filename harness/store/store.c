#include "harness/store/store.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "harness/store/database.h"
#include "harness/store/lock.h"

/* One thing for the writer to do; which of the three it is shows in what is set. */
struct item {
    struct item *next;
    size_t bytes;
    int64_t wall_ms;
    char *event_kind, *event_json;
    struct bp_evaluation *evaluation;
    struct bp_store_job job;
};

struct bp_store {
    struct bp_database database; /* the writer's alone while it runs */
    struct bp_key run_key;
    int lock_fd;
    pthread_t writer;

    pthread_mutex_t mutex; /* guards what follows; held for a few assignments only */
    pthread_cond_t work, idle;
    struct item *first, **last;
    size_t bytes; /* queued or being written */
    bool writing, stopping, failed;
    struct bp_error failure;
};

static void item_free(struct item *item)
{
    free(item->event_kind);
    free(item->event_json);
    bp_evaluation_free(item->evaluation);
    if (item->job.release)
        item->job.release(item->job.context);
    free(item);
}

static void items_free(struct item *items)
{
    while (items) {
        struct item *next = items->next;
        item_free(items);
        items = next;
    }
}

/* Detaches what one transaction takes: events up to and with the next evaluation, or one job. */
static struct item *take_batch(struct bp_store *store)
{
    struct item *batch = store->first, *end = batch;
    while (!end->job.run && !end->evaluation && end->next && !end->next->job.run)
        end = end->next;
    store->first = end->next;
    if (!store->first)
        store->last = &store->first;
    end->next = NULL;
    return batch;
}

static int write_item(struct bp_database *database, const struct item *item, struct bp_error *err)
{
    if (item->evaluation)
        return bp_database_add_evaluation(database, item->wall_ms, item->evaluation, err);
    return bp_database_add_event(database, item->wall_ms, item->event_kind, item->event_json, err);
}

static int write_batch(struct bp_database *database, const struct item *batch, struct bp_error *err)
{
    if (batch->job.run)
        return batch->job.run(batch->job.context, err);
    if (bp_database_begin(database, err) < 0)
        return -1;
    int result = 0;
    for (const struct item *item = batch; item && result == 0; item = item->next)
        result = write_item(database, item, err);
    if (result == 0)
        result = bp_database_commit(database, err);
    if (result < 0)
        bp_database_rollback(database);
    return result;
}

static size_t batch_bytes(const struct item *item)
{
    size_t bytes = 0;
    for (; item; item = item->next)
        bytes += item->bytes;
    return bytes;
}

static void *write_loop(void *argument)
{
    struct bp_store *store = argument;
    struct bp_error err;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        while (!store->first && !store->stopping)
            pthread_cond_wait(&store->work, &store->mutex);
        if (!store->first)
            break;
        struct item *batch = take_batch(store);
        store->writing = true;
        bool failed = store->failed;
        pthread_mutex_unlock(&store->mutex);

        int result = failed ? 0 : write_batch(&store->database, batch, &err);
        size_t bytes = batch_bytes(batch);
        items_free(batch);

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

/* The supervisor reads its signals from a signalfd; none may be delivered to this thread instead.
 */
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

static void store_free(struct bp_store *store)
{
    bp_close_fd(&store->lock_fd);
    pthread_cond_destroy(&store->idle);
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static int open_all(struct bp_store *store, const char *dir, uint64_t seed, struct bp_error *err)
{
    char path[4096 + 16];
    snprintf(path, sizeof path, "%s/run.db", dir);
    store->lock_fd = bp_lock_take(dir, err);
    if (store->lock_fd < 0 ||
        bp_database_create(&store->database, path, seed, &store->run_key, err) < 0)
        return -1;
    if (start_writer(store, err) < 0) {
        bp_database_close(&store->database);
        return -1;
    }
    return 0;
}

int bp_store_create(const char *dir, uint64_t seed, struct bp_store **store, struct bp_error *err)
{
    struct bp_store *fresh = bp_fault_calloc(1, sizeof *fresh);
    if (!fresh)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the store");
    pthread_mutex_init(&fresh->mutex, NULL);
    pthread_cond_init(&fresh->work, NULL);
    pthread_cond_init(&fresh->idle, NULL);
    fresh->last = &fresh->first;
    bp_key_random(&fresh->run_key);
    if (open_all(fresh, dir, seed, err) < 0) {
        store_free(fresh);
        return -1;
    }
    *store = fresh;
    return 0;
}

int bp_store_close(struct bp_store *store, struct bp_error *err)
{
    pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->writer, NULL);
    bp_database_close(&store->database);
    int result = store->failed ? -1 : 0;
    if (store->failed)
        *err = store->failure;
    sodium_memzero(&store->run_key, sizeof store->run_key);
    store_free(store);
    return result;
}

void bp_store_run_key(const struct bp_store *store, struct bp_key *key)
{
    *key = store->run_key;
}

/* Takes the item, also when it fails. */
static int enqueue(struct bp_store *store, struct item *item, struct bp_error *err)
{
    int result = 0;
    item->wall_ms = bp_clock_wall_ms();
    pthread_mutex_lock(&store->mutex);
    if (store->failed) {
        *err = store->failure;
        result = -1;
    } else if (store->bytes + item->bytes > BP_STORE_QUEUE_BYTES) {
        result = bp_fail(err, BP_ERR_LIMIT, "more than %zu bytes wait to be written to the record",
                         BP_STORE_QUEUE_BYTES);
    } else {
        store->bytes += item->bytes;
        *store->last = item;
        store->last = &item->next;
        pthread_cond_signal(&store->work);
    }
    pthread_mutex_unlock(&store->mutex);
    if (result < 0)
        item_free(item);
    return result;
}

static bool is_object(const char *json)
{
    json_t *value = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    bool object = json_is_object(value);
    json_decref(value);
    return object;
}

int bp_store_event(struct bp_store *store, const char *kind, const char *json, struct bp_error *err)
{
    if (!is_object(json))
        return bp_fail(err, BP_ERR_STATE, "event %s is not a JSON object: %.200s", kind, json);
    struct item *item = bp_fault_calloc(1, sizeof *item);
    if (!item)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for event %s", kind);
    item->event_kind = strdup(kind);
    item->event_json = strdup(json);
    item->bytes = sizeof *item + strlen(kind) + strlen(json) + 2;
    if (!item->event_kind || !item->event_json) {
        item_free(item);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for event %s", kind);
    }
    return enqueue(store, item, err);
}

static size_t evaluation_bytes(const struct bp_evaluation *e)
{
    return sizeof *e + e->source_bytes + e->plan_count * sizeof *e->plans +
           e->case_count * sizeof *e->cases + (e->diagnostics ? strlen(e->diagnostics) : 0);
}

int bp_store_evaluation(struct bp_store *store, const struct bp_evaluation *evaluation,
                        struct bp_error *err)
{
    if (evaluation->number == 0 || !evaluation->source)
        return bp_fail(err, BP_ERR_STATE, "an evaluation without %s cannot be recorded",
                       evaluation->number == 0 ? "a number" : "its source");
    struct item *item = bp_fault_calloc(1, sizeof *item);
    if (item)
        item->evaluation = bp_evaluation_copy(evaluation);
    if (!item || !item->evaluation) {
        free(item);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for evaluation %u", evaluation->number);
    }
    item->bytes = sizeof *item + evaluation_bytes(evaluation);
    return enqueue(store, item, err);
}

int bp_store_run(struct bp_store *store, struct bp_store_job job, struct bp_error *err)
{
    struct item *item = bp_fault_calloc(1, sizeof *item);
    if (!item) {
        if (job.release)
            job.release(job.context);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a job of the writer");
    }
    item->job = job;
    item->bytes = sizeof *item + job.bytes;
    return enqueue(store, item, err);
}

bool bp_store_idle(struct bp_store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool idle = !store->first && !store->writing;
    pthread_mutex_unlock(&store->mutex);
    return idle;
}

int bp_store_flush(struct bp_store *store, struct bp_error *err)
{
    pthread_mutex_lock(&store->mutex);
    while (store->first || store->writing)
        pthread_cond_wait(&store->idle, &store->mutex);
    bool failed = store->failed;
    if (failed)
        *err = store->failure;
    pthread_mutex_unlock(&store->mutex);
    return failed ? -1 : 0;
}
