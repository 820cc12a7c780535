#include "harness/store/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/persist.h"

/* ---- making ---- */

struct bp_item *bp_item_of_texts(enum bp_item_type type, const char *name, const char *text,
                                 struct bp_error *err)
{
    struct bp_item *item = bp_fault_calloc(1, sizeof *item);
    if (item) {
        item->type = type;
        item->wall_ms = bp_clock_wall_ms();
        item->name = strdup(name);
        item->text = strdup(text);
        item->bytes = sizeof *item + strlen(name) + strlen(text) + 2;
        if (item->name && item->text)
            return item;
        bp_items_free(item);
    }
    bp_fail(err, BP_ERR_MEMORY, "no memory to record %s", name);
    return NULL;
}

struct bp_item *bp_item_of_session(struct bp_error *err)
{
    struct bp_item *item = bp_fault_calloc(1, sizeof *item);
    if (!item) {
        bp_fail(err, BP_ERR_MEMORY, "no memory to begin a session");
        return NULL;
    }
    item->type = BP_ITEM_SESSION;
    item->bytes = sizeof *item;
    return item;
}

static size_t evaluation_bytes(const struct bp_evaluation *e)
{
    return sizeof *e + e->source_bytes + e->plan_count * sizeof *e->plans +
           e->case_count * sizeof *e->cases + (e->diagnostics ? strlen(e->diagnostics) : 0);
}

struct bp_item *bp_item_of_evaluation(const struct bp_evaluation *evaluation, struct bp_error *err)
{
    struct bp_item *item = bp_fault_calloc(1, sizeof *item);
    if (item)
        item->evaluation = bp_evaluation_copy(evaluation);
    if (!item || !item->evaluation) {
        free(item);
        bp_fail(err, BP_ERR_MEMORY, "no memory for evaluation %u", evaluation->number);
        return NULL;
    }
    item->type = BP_ITEM_EVALUATION;
    item->wall_ms = bp_clock_wall_ms();
    item->bytes = sizeof *item + evaluation_bytes(evaluation);
    return item;
}

struct bp_item *bp_item_of_job(struct bp_store_job job, struct bp_error *err)
{
    struct bp_item *item = bp_fault_calloc(1, sizeof *item);
    if (!item) {
        if (job.release)
            job.release(job.context);
        bp_fail(err, BP_ERR_MEMORY, "no memory for a job of the writer");
        return NULL;
    }
    item->type = BP_ITEM_JOB;
    item->job = job;
    item->bytes = sizeof *item + job.bytes;
    return item;
}

/* ---- queueing ---- */

void bp_items_init(struct bp_item_list *list)
{
    *list = (struct bp_item_list){.last = &list->first};
}

void bp_items_append(struct bp_item_list *list, struct bp_item *item)
{
    item->next = NULL;
    *list->last = item;
    list->last = &item->next;
}

void bp_items_join(struct bp_item_list *list, struct bp_item_list *more)
{
    if (!more->first)
        return;
    *list->last = more->first;
    list->last = more->last;
    bp_items_init(more);
}

static void item_free(struct bp_item *item)
{
    free(item->name);
    free(item->text);
    bp_evaluation_free(item->evaluation);
    if (item->job.release)
        item->job.release(item->job.context);
    free(item);
}

void bp_items_free(struct bp_item *items)
{
    while (items) {
        struct bp_item *next = items->next;
        item_free(items);
        items = next;
    }
}

/* Whether a transaction ends behind the item, whatever follows. */
static bool ends_batch(const struct bp_item *item)
{
    return item->type == BP_ITEM_EVALUATION || item->type == BP_ITEM_JOB || !item->next ||
           item->next->type == BP_ITEM_JOB;
}

struct bp_item *bp_items_take_batch(struct bp_item_list *queue)
{
    struct bp_item *batch = queue->first, *end = batch;
    while (!ends_batch(end))
        end = end->next;
    queue->first = end->next;
    if (!queue->first)
        bp_items_init(queue);
    end->next = NULL;
    return batch;
}

/* ---- writing ---- */

static int write_item(struct bp_database *database, const struct bp_item *item,
                      struct bp_error *err)
{
    switch (item->type) {
    case BP_ITEM_EVENT:
        return bp_database_add_event(database, item->wall_ms, item->name, item->text, err);
    case BP_ITEM_EVALUATION:
        return bp_database_add_evaluation(database, item->wall_ms, item->evaluation, err);
    case BP_ITEM_SESSION:
        return bp_database_add_session(database, err);
    case BP_ITEM_TEXT:
        return bp_database_add_text(database, item->name, item->text, err);
    case BP_ITEM_JOB:
        break;
    }
    return bp_fail(err, BP_ERR_STATE, "a job in a transaction");
}

struct work {
    struct bp_database *database;
    const struct bp_item *batch;
};

static int write_once(void *context, struct bp_error *err)
{
    const struct work *work = context;
    struct bp_database *database = work->database;
    if (work->batch->type == BP_ITEM_JOB)
        return work->batch->job.run(work->batch->job.context, err);
    if (bp_database_begin(database, err) < 0)
        return -1;
    int result = 0;
    for (const struct bp_item *item = work->batch; item && result == 0; item = item->next)
        result = write_item(database, item, err);
    if (result == 0)
        result = bp_database_commit(database, err);
    if (result < 0)
        bp_database_rollback(database);
    return result;
}

/* A disk that fails once, or is full for a moment, is no reason to end a run. */
int bp_items_write(struct bp_database *database, const struct bp_item *batch, struct bp_error *err)
{
    struct work work = {database, batch};
    return bp_persist("store", write_once, &work, err);
}

size_t bp_items_bytes(const struct bp_item *item)
{
    size_t bytes = 0;
    for (; item; item = item->next)
        bytes += item->bytes;
    return bytes;
}
