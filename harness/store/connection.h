/* connection.h: one connection to a run.db: opening, waiting for locks, what SQLite's failures are
 * called, and whether the file is what it should be. For one thread at a time. */
#ifndef BP_HARNESS_STORE_CONNECTION_H
#define BP_HARNESS_STORE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define BP_DATABASE_VERSION 4              /* PRAGMA user_version */
#define BP_DATABASE_APPLICATION 0x62707266 /* PRAGMA application_id, "bprf" */
#define BP_DATABASE_BUSY_MS 10000          /* how long another process's lock is waited for */
#define BP_DATABASE_CHECK_MS 1000          /* how long a file is looked through when it is opened */

struct bp_connection {
    sqlite3 *handle;
    uint64_t busy_since_ns;
    bool busy_said;
    char path[4096];
};

enum bp_connection_mode {
    BP_CONNECTION_WRITE,
    BP_CONNECTION_READ,    /* also while another process writes */
    BP_CONNECTION_ARCHIVE, /* nobody writes, and nobody can: without locks, log or shared memory */
};

/* Opens an existing file, with a bounded page cache. BP_ERR_UNAVAILABLE: damaged. The caller closes
 * it, also after a failure. */
int bp_connection_open(struct bp_connection *connection, const char *path,
                       enum bp_connection_mode mode, struct bp_error *err) BP_MUST_CHECK;
void bp_connection_close(struct bp_connection *connection);

/* SQLite's own account of the last failure, with the system's where that says more: "cannot <doing>
 * <path>: …". Returns -1. */
int bp_connection_fail(struct bp_connection *connection, const char *doing, struct bp_error *err);

int bp_connection_execute(struct bp_connection *connection, const char *sql, const char *doing,
                          struct bp_error *err) BP_MUST_CHECK;
int bp_connection_prepare(struct bp_connection *connection, const char *sql,
                          sqlite3_stmt **statement, struct bp_error *err) BP_MUST_CHECK;

/* One row further: 1 with a row, 0 at the end. */
int bp_connection_step(struct bp_connection *connection, sqlite3_stmt *statement,
                       struct bp_error *err) BP_MUST_CHECK;

/* Prepares a query and goes to its first row: 1 with a row, 0 without. The caller finalizes *row in
 * every case. */
int bp_connection_query(struct bp_connection *connection, const char *sql, sqlite3_stmt **row,
                        struct bp_error *err) BP_MUST_CHECK;

/* The text of a column, empty for NULL; lives until the next step. */
static inline const char *bp_column_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}

/* Whether it is a run's record of this version. BP_ERR_USAGE names what it is instead,
 * BP_ERR_UNAVAILABLE says that it is damaged. Recovers the write-ahead log of a process that died. */
int bp_connection_identify(struct bp_connection *connection, struct bp_error *err) BP_MUST_CHECK;

/* Looks through the file's structure for BP_DATABASE_CHECK_MS at most; what lies behind is found when
 * it is read. BP_ERR_UNAVAILABLE: damaged. */
int bp_connection_check(struct bp_connection *connection, struct bp_error *err) BP_MUST_CHECK;

/* BP_ERR_UNAVAILABLE: the file is damaged, why, and what to do. Returns -1. */
int bp_connection_fail_damaged(struct bp_connection *connection, const char *why,
                               struct bp_error *err);

#endif
