/* reader.h: the reading side of run.db, over a connection of its own that can change nothing. */
#ifndef BP_HARNESS_STORE_READER_H
#define BP_HARNESS_STORE_READER_H

#include "harness/store/connection.h"
#include "harness/store/store.h"

struct bp_reader {
    struct bp_connection connection;
};

/* Errors as of bp_connection_identify; BP_ERR_USAGE when there is no such file. */
int bp_reader_open(struct bp_reader *reader, const char *path, struct bp_error *err) BP_MUST_CHECK;
void bp_reader_close(struct bp_reader *reader);

/* As the bp_store_* calls of the same names. */
int bp_reader_text(struct bp_reader *reader, const char *name, char *text, size_t size,
                   struct bp_error *err) BP_MUST_CHECK;
int bp_reader_events(struct bp_reader *reader, const char *kind, int64_t from,
                     bp_store_visit_event visit, void *context, struct bp_error *err) BP_MUST_CHECK;

int bp_reader_evaluations(struct bp_reader *reader, bp_store_visit_recorded visit, void *context,
                          struct bp_error *err) BP_MUST_CHECK;
int bp_reader_evaluation(struct bp_reader *reader, uint32_t number,
                         struct bp_evaluation **evaluation, struct bp_error *err) BP_MUST_CHECK;

#endif
