#include "harness/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "harness/store/fault_vfs.h"

/* An INSERT OR REPLACE deletes without firing the delete trigger, hence the one on insert. */
static const char schema[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;"
    "CREATE TABLE event(number INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    " json TEXT NOT NULL CHECK(json_valid(json))) STRICT;"
    "CREATE TRIGGER event_update BEFORE UPDATE ON event"
    " BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;"
    "CREATE TRIGGER event_delete BEFORE DELETE ON event"
    " BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;"
    "CREATE TRIGGER event_replace BEFORE INSERT ON event"
    " WHEN EXISTS(SELECT 1 FROM event WHERE number = NEW.number)"
    " BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;"
    "CREATE TABLE source(sha256 TEXT PRIMARY KEY, text BLOB NOT NULL) STRICT;"
    "CREATE TABLE candidate(source_hash TEXT PRIMARY KEY, object_hash TEXT,"
    " source_sha256 TEXT NOT NULL REFERENCES source, kernel TEXT NOT NULL, dtype TEXT NOT NULL,"
    " knobs TEXT NOT NULL, first_evaluation INTEGER NOT NULL) STRICT;"
    "CREATE TABLE evaluation(number INTEGER PRIMARY KEY, origin TEXT NOT NULL, strategy TEXT,"
    " parent INTEGER, source_hash TEXT NOT NULL REFERENCES candidate, object_hash TEXT,"
    " verdict TEXT NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL, score REAL,"
    " duplicate INTEGER NOT NULL, duplicate_of INTEGER,"
    " device_name TEXT NOT NULL, device_kind TEXT NOT NULL, device_arch TEXT NOT NULL,"
    " device_driver TEXT NOT NULL, suite TEXT NOT NULL, sandbox TEXT NOT NULL,"
    " plan TEXT NOT NULL, diagnostics TEXT,"
    " prepare_ms REAL, compile_ms REAL, run_ms REAL, judge_ms REAL, time_ms REAL,"
    " overhead_ms REAL, total_ms REAL,"
    " command_errors INTEGER NOT NULL, memory_violations INTEGER NOT NULL,"
    " compilation_errors INTEGER NOT NULL, resource_errors INTEGER NOT NULL,"
    " total_errors INTEGER NOT NULL, retries INTEGER NOT NULL, fallbacks INTEGER NOT NULL,"
    " safety_score REAL NOT NULL, finished_wall_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE attempt(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, outcome TEXT NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL,"
    " duration_ms REAL, PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timing(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, shape TEXT NOT NULL, median_ms REAL, ci_low_ms REAL,"
    " ci_high_ms REAL, gflops REAL, gflops_full REAL, gbps REAL, batches INTEGER NOT NULL,"
    " calls_per_batch INTEGER NOT NULL, PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE correctness(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, shape TEXT NOT NULL, family TEXT NOT NULL, verdict TEXT NOT NULL,"
    " max_ratio REAL, rms_ratio REAL, pooled REAL, alpha REAL, rows INTEGER NOT NULL,"
    " PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;";

/* Values in the order of the columns above. */
static const char *const insert_sql[BP_INSERT_COUNT] = {
    [BP_INSERT_META] = "INSERT INTO meta VALUES(?,?)",
    [BP_INSERT_EVENT] = "INSERT INTO event VALUES(?,?,?,?)",
    [BP_INSERT_SOURCE] = "INSERT OR IGNORE INTO source VALUES(?,?)",
    [BP_INSERT_CANDIDATE] =
        "INSERT INTO candidate VALUES(?,?,?,?,?,?,?) ON CONFLICT(source_hash)"
        " DO UPDATE SET object_hash = coalesce(candidate.object_hash, excluded.object_hash)",
    [BP_INSERT_EVALUATION] = "INSERT INTO evaluation VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                             "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_ATTEMPT] = "INSERT INTO attempt VALUES(?,?,?,?,?,?)",
    [BP_INSERT_TIMING] = "INSERT INTO timing VALUES(?,?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_CORRECTNESS] = "INSERT INTO correctness VALUES(?,?,?,?,?,?,?,?,?,?)",
};

/* What the system said. A failed write to the log is known to the log's file only (a quota, say).
 */
static int last_errno(sqlite3 *handle)
{
    int last = sqlite3_system_errno(handle);
    sqlite3_file *wal = NULL;
    if (last == 0 &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
        wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &last);
    return last;
}

/* SQLite's own account of the last failure, with the system's where that says more. */
static int fail_sqlite(struct bp_database *database, const char *doing, struct bp_error *err)
{
    sqlite3 *handle = database->handle;
    int code = sqlite3_errcode(handle) & 0xff;
    int sys_errno = 0;
    if (code == SQLITE_FULL)
        sys_errno = ENOSPC;
    else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        sys_errno = EBUSY;
    else if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)
        sys_errno = last_errno(handle);
    bp_fail(err, code == SQLITE_NOMEM ? BP_ERR_MEMORY : BP_ERR_SYSTEM, "cannot %s %s: %s%s%s",
            doing, database->path, sqlite3_errmsg(handle), sys_errno ? ": " : "",
            sys_errno ? strerror(sys_errno) : "");
    err->sys_errno = sys_errno;
    return -1;
}

static int execute(struct bp_database *database, const char *sql, const char *doing,
                   struct bp_error *err)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_sqlite(database, doing, err);
    return 0;
}

/* Journal mode is an answer, not a status: a file system without shared memory leaves it as it was.
 */
static int enter_wal(struct bp_database *database, struct bp_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool wal = false;
    int code =
        sqlite3_prepare_v2(database->handle, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW)
        return fail_sqlite(database, "create", err);
    if (!wal)
        return bp_fail(err, BP_ERR_UNAVAILABLE,
                       "cannot create %s: its file system has no write-ahead logging",
                       database->path);
    return 0;
}

static int prepare_inserts(struct bp_database *database, struct bp_error *err)
{
    for (int i = 0; i < BP_INSERT_COUNT; i++)
        if (sqlite3_prepare_v3(database->handle, insert_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &database->inserts[i], NULL) != SQLITE_OK)
            return fail_sqlite(database, "create", err);
    return 0;
}

static int write_meta(struct bp_database *database, uint64_t seed, const struct bp_key *run_key,
                      struct bp_error *err)
{
    char seed_text[24];
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    const struct bp_cell rows[][2] = {
        {bp_cell_text("run_key"), bp_cell_blob(run_key->bytes, sizeof run_key->bytes)},
        {bp_cell_text("seed"), bp_cell_text(seed_text)},
        {bp_cell_text("created_wall_ms"), bp_cell_integer(bp_clock_wall_ms())},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (bp_database_insert(database, BP_INSERT_META, rows[i], 2, err) < 0)
            return -1;
    return 0;
}

static int fill_new(struct bp_database *database, uint64_t seed, const struct bp_key *run_key,
                    struct bp_error *err)
{
    char pragmas[200];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=%d;"
             "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             BP_DATABASE_BUSY_MS, BP_DATABASE_APPLICATION, BP_DATABASE_VERSION);
    if (sqlite3_open_v2(database->path, &database->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, bp_fault_vfs()) != SQLITE_OK)
        return fail_sqlite(database, "open", err);
    if (enter_wal(database, err) < 0 || execute(database, pragmas, "create", err) < 0 ||
        bp_database_begin(database, err) < 0 || execute(database, schema, "create", err) < 0 ||
        prepare_inserts(database, err) < 0 || write_meta(database, seed, run_key, err) < 0)
        return -1;
    return bp_database_commit(database, err);
}

static void remove_files(const char *path)
{
    char beside[4096 + 8];
    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

int bp_database_create(struct bp_database *database, const char *path, uint64_t seed,
                       const struct bp_key *run_key, struct bp_error *err)
{
    *database = (struct bp_database){0};
    int length = snprintf(database->path, sizeof database->path, "%s", path);
    if ((size_t)length >= sizeof database->path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    /* SQLite would create it with mode 0644, and gives its -wal and -shm the mode it finds. */
    BP_AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return bp_fail(err, BP_ERR_USAGE, "%s exists already", path);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", path);
    bp_close_fd(&fd);
    if (fill_new(database, seed, run_key, err) < 0) {
        bp_database_close(database);
        remove_files(path);
        return -1;
    }
    return 0;
}

void bp_database_close(struct bp_database *database)
{
    for (int i = 0; i < BP_INSERT_COUNT; i++)
        sqlite3_finalize(database->inserts[i]);
    sqlite3_close(database->handle);
    *database = (struct bp_database){0};
}

int bp_database_begin(struct bp_database *database, struct bp_error *err)
{
    return execute(database, "BEGIN IMMEDIATE", "write", err);
}

int bp_database_commit(struct bp_database *database, struct bp_error *err)
{
    return execute(database, "COMMIT", "write", err);
}

/* Fails harmlessly when SQLite has rolled back by itself. */
void bp_database_rollback(struct bp_database *database)
{
    sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

static int bind_cell(sqlite3_stmt *statement, int column, const struct bp_cell *cell)
{
    switch (cell->type) {
    case BP_CELL_NULL:
        return sqlite3_bind_null(statement, column);
    case BP_CELL_INTEGER:
        return sqlite3_bind_int64(statement, column, cell->integer);
    case BP_CELL_REAL:
        return sqlite3_bind_double(statement, column, cell->real);
    case BP_CELL_TEXT:
        return sqlite3_bind_text(statement, column, cell->data, -1, SQLITE_STATIC);
    case BP_CELL_BLOB:
        return sqlite3_bind_blob64(statement, column, cell->data, (sqlite3_uint64)cell->integer,
                                   SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

int bp_database_insert(struct bp_database *database, enum bp_insert insert,
                       const struct bp_cell *cells, int count, struct bp_error *err)
{
    sqlite3_stmt *statement = database->inserts[insert];
    if (sqlite3_bind_parameter_count(statement) != count)
        return bp_fail(err, BP_ERR_STATE, "%d values for %s", count, insert_sql[insert]);
    int code = SQLITE_OK;
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = bind_cell(statement, i + 1, &cells[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    int result = code == SQLITE_DONE ? 0 : fail_sqlite(database, "write", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

int bp_database_add_event(struct bp_database *database, int64_t wall_ms, const char *kind,
                          const char *json, struct bp_error *err)
{
    const struct bp_cell row[] = {
        bp_cell_integer(database->events + 1),
        bp_cell_integer(wall_ms),
        bp_cell_text(kind),
        bp_cell_text(json),
    };
    if (bp_database_insert(database, BP_INSERT_EVENT, row, 4, err) < 0)
        return -1;
    database->events++;
    return 0;
}
