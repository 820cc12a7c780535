/* database.h: the writing side of run.db: schema, transactions and the rows of one evaluation.
 * Not thread-safe; the store hands it from the thread that opens it to its writer and back. */
#ifndef BP_HARNESS_STORE_DATABASE_H
#define BP_HARNESS_STORE_DATABASE_H

#include <sys/types.h>

#include "base/random.h"
#include "harness/store/connection.h"
#include "harness/store/evaluation.h"

/* One prepared INSERT a table; the SQL is in database.c. */
enum bp_insert {
    BP_INSERT_META,
    BP_INSERT_SESSION,
    BP_INSERT_EVENT,
    BP_INSERT_SOURCE,
    BP_INSERT_CANDIDATE,
    BP_INSERT_EVALUATION,
    BP_INSERT_ATTEMPT,
    BP_INSERT_TIMING,
    BP_INSERT_CORRECTNESS,
    BP_INSERT_GATE,
    BP_INSERT_PROFILE,
    BP_INSERT_UNSEEN,
    BP_INSERT_COUNTERS,
    BP_INSERT_COUNT
};

struct bp_database {
    struct bp_connection connection;
    sqlite3_stmt *inserts[BP_INSERT_COUNT];
    int64_t events;           /* written so far: the last event's number */
    int64_t committed_events; /* of them, before the transaction under way */
    dev_t device;             /* of the file, to notice that it was taken away */
    ino_t inode;
};

/* The meta rows that are fixed at creation. */
struct bp_database_facts {
    struct bp_key run_key;
    uint64_t seed;
    uint32_t sessions;
};

/* Creates path (mode 0600, must not exist) with the schema and the meta rows. On failure nothing is
 * left open, and path is removed unless it existed before. */
int bp_database_create(struct bp_database *database, const char *path, uint64_t seed,
                       const struct bp_key *run_key, struct bp_error *err) BP_MUST_CHECK;
/* Opens what bp_database_create made, checks it and goes on counting its events. Errors as of
 * bp_connection_identify and bp_connection_check. On failure nothing is left open or changed. */
int bp_database_open(struct bp_database *database, const char *path,
                     struct bp_database_facts *facts, struct bp_error *err) BP_MUST_CHECK;
void bp_database_close(struct bp_database *database);

/* After a failure inside a transaction only rollback is allowed. A commit fails too when the file was
 * removed or replaced meanwhile: SQLite itself would go on writing to the one without a name. */
int bp_database_begin(struct bp_database *database, struct bp_error *err) BP_MUST_CHECK;
int bp_database_commit(struct bp_database *database, struct bp_error *err) BP_MUST_CHECK;
void bp_database_rollback(struct bp_database *database);

int bp_database_add_session(struct bp_database *database, struct bp_error *err) BP_MUST_CHECK;
int bp_database_add_text(struct bp_database *database, const char *name, const char *text,
                         struct bp_error *err) BP_MUST_CHECK;
int bp_database_add_event(struct bp_database *database, int64_t wall_ms, const char *kind,
                          const char *json, struct bp_error *err) BP_MUST_CHECK;
/* All rows of the evaluation, and its event (rows.c). */
int bp_database_add_evaluation(struct bp_database *database, int64_t wall_ms,
                               const struct bp_evaluation *evaluation, struct bp_error *err)
    BP_MUST_CHECK;

/* One value of a row. */
struct bp_cell {
    enum { BP_CELL_NULL, BP_CELL_INTEGER, BP_CELL_REAL, BP_CELL_TEXT, BP_CELL_BLOB } type;
    int64_t integer; /* or bytes of the blob */
    double real;
    const void *data; /* borrowed */
};

static inline struct bp_cell bp_cell_integer(int64_t value)
{
    return (struct bp_cell){.type = BP_CELL_INTEGER, .integer = value};
}

static inline struct bp_cell bp_cell_real(double value)
{
    return (struct bp_cell){.type = BP_CELL_REAL, .real = value};
}

static inline struct bp_cell bp_cell_text(const char *text)
{
    return (struct bp_cell){.type = BP_CELL_TEXT, .data = text};
}

static inline struct bp_cell bp_cell_blob(const void *data, size_t bytes)
{
    return (struct bp_cell){.type = BP_CELL_BLOB, .data = data, .integer = (int64_t)bytes};
}

/* The cell when there is something to store, else NULL. */
static inline struct bp_cell bp_cell_if(bool present, struct bp_cell cell)
{
    return present ? cell : (struct bp_cell){.type = BP_CELL_NULL};
}

/* Inserts one row; count must be the number of columns the statement has. */
int bp_database_insert(struct bp_database *database, enum bp_insert insert,
                       const struct bp_cell *cells, int count, struct bp_error *err) BP_MUST_CHECK;

#endif
