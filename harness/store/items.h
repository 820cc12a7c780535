/* items.h: what waits to be written to the record (store.h), and how a transaction is made of it. */
#ifndef BP_HARNESS_STORE_ITEMS_H
#define BP_HARNESS_STORE_ITEMS_H

#include "harness/store/database.h"
#include "harness/store/store.h"

enum bp_item_type { BP_ITEM_EVENT, BP_ITEM_EVALUATION, BP_ITEM_SESSION, BP_ITEM_TEXT, BP_ITEM_JOB };

/* One thing for the writer to do. It owns what it points to, and a job's context. */
struct bp_item {
    enum bp_item_type type;
    struct bp_item *next;
    size_t bytes;
    int64_t wall_ms;
    char *name, *text; /* kind and JSON of an event, or name and value of a text */
    struct bp_evaluation *evaluation;
    struct bp_store_job job;
};

struct bp_item_list {
    struct bp_item *first, **last;
};

/* Each makes an item, with copies of what it is given; null (err set) when there is no memory. A job is
 * taken over as it is, and released when this fails. */
struct bp_item *bp_item_of_texts(enum bp_item_type type, const char *name, const char *text,
                                 struct bp_error *err);
struct bp_item *bp_item_of_session(struct bp_error *err);
struct bp_item *bp_item_of_evaluation(const struct bp_evaluation *evaluation, struct bp_error *err);
struct bp_item *bp_item_of_job(struct bp_store_job job, struct bp_error *err);

void bp_items_init(struct bp_item_list *list);
void bp_items_append(struct bp_item_list *list, struct bp_item *item);
/* Moves everything of more behind list. */
void bp_items_join(struct bp_item_list *list, struct bp_item_list *more);

/* Detaches what one transaction takes: what was queued up to and with the next evaluation, or one job. The
 * queue must not be empty. */
struct bp_item *bp_items_take_batch(struct bp_item_list *queue);

/* Of an item and those behind it. */
size_t bp_items_bytes(const struct bp_item *item);
void bp_items_free(struct bp_item *items);

/* Writes a batch as one transaction, or runs its job; what may pass is tried again for a while. */
int bp_items_write(struct bp_database *database, const struct bp_item *batch, struct bp_error *err)
    BP_MUST_CHECK;

#endif
