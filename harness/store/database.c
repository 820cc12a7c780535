#include "harness/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* An INSERT OR REPLACE deletes without firing the delete trigger, hence the one on insert. The wide
 * columns of an evaluation stand last, where a walk over all of them does not meet them. */
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
    "CREATE TABLE evaluation(number INTEGER PRIMARY KEY,"
    " event INTEGER NOT NULL UNIQUE REFERENCES event, origin TEXT NOT NULL, strategy TEXT,"
    " parent INTEGER, source_hash TEXT NOT NULL REFERENCES candidate,"
    " source_sha256 TEXT NOT NULL REFERENCES source, object_hash TEXT,"
    " verdict TEXT NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL, score REAL,"
    " promoted INTEGER NOT NULL, duplicate INTEGER NOT NULL, duplicate_of INTEGER,"
    " prepare_ms REAL, compile_ms REAL, run_ms REAL, judge_ms REAL, time_ms REAL,"
    " overhead_ms REAL, total_ms REAL,"
    " command_errors INTEGER NOT NULL, memory_violations INTEGER NOT NULL,"
    " compilation_errors INTEGER NOT NULL, resource_errors INTEGER NOT NULL,"
    " total_errors INTEGER NOT NULL, retries INTEGER NOT NULL, fallbacks INTEGER NOT NULL,"
    " safety_score REAL NOT NULL, finished_wall_ms INTEGER NOT NULL,"
    " device_name TEXT NOT NULL, device_kind TEXT NOT NULL, device_arch TEXT NOT NULL,"
    " device_driver TEXT NOT NULL, suite TEXT NOT NULL, sandbox TEXT NOT NULL,"
    " plan TEXT NOT NULL, diagnostics TEXT) STRICT;"
    "CREATE TABLE attempt(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, outcome TEXT NOT NULL, stage TEXT NOT NULL, message TEXT NOT NULL,"
    " duration_ms REAL, PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timing(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, shape TEXT NOT NULL, median_ms REAL, ci_low_ms REAL,"
    " ci_high_ms REAL, gflops REAL, gflops_full REAL, gbps REAL, batches INTEGER NOT NULL,"
    " calls_per_batch INTEGER NOT NULL, roofline REAL, PRIMARY KEY(evaluation, ordinal))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE correctness(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, shape TEXT NOT NULL, family TEXT NOT NULL, verdict TEXT NOT NULL,"
    " max_ratio REAL, rms_ratio REAL, pooled REAL, alpha REAL, rows INTEGER NOT NULL,"
    " PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE gate(evaluation INTEGER PRIMARY KEY REFERENCES evaluation,"
    " gates INTEGER NOT NULL, shapes INTEGER NOT NULL, skipped_because TEXT, compile_ms REAL,"
    " run_ms REAL) STRICT;"
    "CREATE TABLE profile(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, kernel TEXT NOT NULL, vgpr INTEGER NOT NULL,"
    " agpr INTEGER NOT NULL, sgpr INTEGER NOT NULL, spills INTEGER NOT NULL,"
    " sgpr_spills INTEGER NOT NULL, lds_bytes INTEGER NOT NULL, scratch_bytes INTEGER NOT NULL,"
    " block_threads INTEGER, occupancy INTEGER NOT NULL, occupancy_max INTEGER NOT NULL, mix TEXT,"
    " PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE unseen(evaluation INTEGER NOT NULL REFERENCES evaluation,"
    " ordinal INTEGER NOT NULL, shape TEXT NOT NULL, verdict TEXT NOT NULL, stage TEXT NOT NULL,"
    " message TEXT NOT NULL, rows INTEGER NOT NULL, max_ratio REAL,"
    " PRIMARY KEY(evaluation, ordinal)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counters(evaluation INTEGER PRIMARY KEY REFERENCES evaluation,"
    " salu INTEGER NOT NULL, valu INTEGER NOT NULL, matrix INTEGER NOT NULL,"
    " lds INTEGER NOT NULL, vmem INTEGER NOT NULL, smem INTEGER NOT NULL,"
    " wait INTEGER NOT NULL, branch INTEGER NOT NULL, other INTEGER NOT NULL) STRICT;";

/* Values in the order of the columns above. */
static const char *const insert_sql[BP_INSERT_COUNT] = {
    [BP_INSERT_META] = "INSERT INTO meta VALUES(?,?)",
    [BP_INSERT_SESSION] = "INSERT INTO meta VALUES('sessions',1)"
                          " ON CONFLICT(name) DO UPDATE SET value = value + 1",
    [BP_INSERT_EVENT] = "INSERT INTO event VALUES(?,?,?,?)",
    [BP_INSERT_SOURCE] = "INSERT OR IGNORE INTO source VALUES(?,?)",
    [BP_INSERT_CANDIDATE] =
        "INSERT INTO candidate VALUES(?,?,?,?,?,?,?) ON CONFLICT(source_hash)"
        " DO UPDATE SET object_hash = coalesce(candidate.object_hash, excluded.object_hash)",
    [BP_INSERT_EVALUATION] = "INSERT INTO evaluation VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                             "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_ATTEMPT] = "INSERT INTO attempt VALUES(?,?,?,?,?,?)",
    [BP_INSERT_TIMING] = "INSERT INTO timing VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_CORRECTNESS] = "INSERT INTO correctness VALUES(?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_GATE] = "INSERT INTO gate VALUES(?,?,?,?,?,?)",
    [BP_INSERT_PROFILE] = "INSERT INTO profile VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [BP_INSERT_UNSEEN] = "INSERT INTO unseen VALUES(?,?,?,?,?,?,?,?)",
    [BP_INSERT_COUNTERS] = "INSERT INTO counters VALUES(?,?,?,?,?,?,?,?,?,?)",
};

/* Journal mode is an answer, not a status: a file system without shared memory leaves it as it was.
 */
static int enter_wal(struct bp_database *database, struct bp_error *err)
{
    sqlite3_stmt *statement = NULL;
    bool wal = false;
    int code = sqlite3_prepare_v2(database->connection.handle, "PRAGMA journal_mode=WAL", -1,
                                  &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW)
        return bp_connection_fail(&database->connection, "create", err);
    if (!wal)
        return bp_fail(err, BP_ERR_UNAVAILABLE,
                       "cannot create %s: its file system has no write-ahead logging",
                       database->connection.path);
    return 0;
}

static int prepare_inserts(struct bp_database *database, struct bp_error *err)
{
    for (int i = 0; i < BP_INSERT_COUNT; i++)
        if (sqlite3_prepare_v3(database->connection.handle, insert_sql[i], -1,
                               SQLITE_PREPARE_PERSISTENT, &database->inserts[i], NULL) != SQLITE_OK)
            return bp_connection_fail(&database->connection, "create", err);
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

static const char settings[] =
    "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=1000;"
    "PRAGMA journal_size_limit=16777216;";

static int remember_file(struct bp_database *database, struct bp_error *err)
{
    struct stat info;
    if (stat(database->connection.path, &info) < 0)
        return bp_fail_errno(err, "cannot open %s", database->connection.path);
    database->device = info.st_dev;
    database->inode = info.st_ino;
    return 0;
}

static int fill_new(struct bp_database *database, const char *path, uint64_t seed,
                    const struct bp_key *run_key, struct bp_error *err)
{
    char application[60], version[60];
    struct bp_connection *connection = &database->connection;
    snprintf(application, sizeof application, "PRAGMA application_id=%d", BP_DATABASE_APPLICATION);
    snprintf(version, sizeof version, "PRAGMA user_version=%d", BP_DATABASE_VERSION);
    if (bp_connection_open(connection, path, BP_CONNECTION_WRITE, err) < 0 ||
        remember_file(database, err) < 0 ||
        /* Before there is a log: in the file itself it tells from the first moment whose it is. */
        bp_connection_execute(connection, application, "create", err) < 0 ||
        enter_wal(database, err) < 0 ||
        bp_connection_execute(connection, settings, "create", err) < 0 ||
        bp_database_begin(database, err) < 0 ||
        bp_connection_execute(connection, version, "create", err) < 0 ||
        bp_connection_execute(connection, schema, "create", err) < 0 ||
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

/* The name run.db is there only with the whole schema: a process killed before leaves another one. */
static int publish(const char *fresh, const char *path, struct bp_error *err)
{
    char directory[4096];
    snprintf(directory, sizeof directory, "%s", path);
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
        return bp_fail_errno(err, "cannot create %s", path);
    BP_AUTO_FD int fd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) == 0)
        return 0;
    bp_fail_errno(err, "cannot sync %s", directory);
    unlink(path);
    return -1;
}

static int go_on(struct bp_database *database, const char *path, struct bp_error *err)
{
    if (bp_connection_open(&database->connection, path, BP_CONNECTION_WRITE, err) < 0 ||
        remember_file(database, err) < 0 ||
        bp_connection_execute(&database->connection, settings, "create", err) < 0)
        return -1;
    return prepare_inserts(database, err);
}

static int create_at(struct bp_database *database, const char *fresh, const char *path,
                     uint64_t seed, const struct bp_key *run_key, struct bp_error *err)
{
    /* SQLite would create it with mode 0644, and gives its -wal and -shm the mode it finds. */
    BP_AUTO_FD int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", fresh);
    bp_close_fd(&fd);
    int result = fill_new(database, fresh, seed, run_key, err);
    bp_database_close(database); /* which empties and removes the log */
    if (result == 0)
        result = publish(fresh, path, err);
    if (result < 0) {
        remove_files(fresh);
        return -1;
    }
    if (go_on(database, path, err) == 0)
        return 0;
    bp_database_close(database);
    remove_files(path);
    return -1;
}

int bp_database_create(struct bp_database *database, const char *path, uint64_t seed,
                       const struct bp_key *run_key, struct bp_error *err)
{
    char fresh[4096 + 8];
    *database = (struct bp_database){0};
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    if (access(path, F_OK) == 0)
        return bp_fail(err, BP_ERR_USAGE, "%s exists already", path);
    return create_at(database, fresh, path, seed, run_key, err);
}

/* ---- opening again ---- */

/* The secret and the seed; both have been there since the creation. */
static int read_origin(struct bp_database *database, struct bp_database_facts *facts,
                       struct bp_error *err)
{
    static const char sql[] = "SELECT a.value, b.value FROM meta a, meta b"
                              " WHERE a.name = 'run_key' AND b.name = 'seed'";
    struct bp_connection *connection = &database->connection;
    sqlite3_stmt *row = NULL;
    int got = bp_connection_query(connection, sql, &row, err);
    if (got == 1 && sqlite3_column_bytes(row, 0) == BP_KEY_BYTES) {
        memcpy(facts->run_key.bytes, sqlite3_column_blob(row, 0), BP_KEY_BYTES);
        facts->seed = strtoull((const char *)sqlite3_column_text(row, 1), NULL, 10);
    } else if (got >= 0) {
        got = bp_connection_fail_damaged(connection, "it has no run key", err);
    }
    sqlite3_finalize(row);
    return got < 0 ? -1 : 0;
}

static int read_counters(struct bp_database *database, struct bp_database_facts *facts,
                         struct bp_error *err)
{
    static const char sql[] = "SELECT (SELECT max(number) FROM event),"
                              " (SELECT value FROM meta WHERE name = 'sessions')";
    sqlite3_stmt *row = NULL;
    int got = bp_connection_query(&database->connection, sql, &row, err);
    if (got == 1) {
        database->events = sqlite3_column_int64(row, 0); /* NULL, no row yet, reads as 0 */
        facts->sessions = (uint32_t)sqlite3_column_int64(row, 1);
    }
    sqlite3_finalize(row);
    return got < 0 ? -1 : 0;
}

int bp_database_open(struct bp_database *database, const char *path,
                     struct bp_database_facts *facts, struct bp_error *err)
{
    struct bp_connection *connection = &database->connection;
    *database = (struct bp_database){0};
    if (bp_connection_open(connection, path, BP_CONNECTION_WRITE, err) == 0 &&
        remember_file(database, err) == 0 && bp_connection_identify(connection, err) == 0 &&
        bp_connection_check(connection, err) == 0 && read_origin(database, facts, err) == 0 &&
        read_counters(database, facts, err) == 0 &&
        bp_connection_execute(connection, settings, "open", err) == 0 &&
        prepare_inserts(database, err) == 0)
        return 0;
    bp_database_close(database);
    return -1;
}

void bp_database_close(struct bp_database *database)
{
    for (int i = 0; i < BP_INSERT_COUNT; i++)
        sqlite3_finalize(database->inserts[i]);
    bp_connection_close(&database->connection);
    *database = (struct bp_database){0};
}

int bp_database_begin(struct bp_database *database, struct bp_error *err)
{
    database->committed_events = database->events;
    return bp_connection_execute(&database->connection, "BEGIN IMMEDIATE", "write", err);
}

int bp_database_commit(struct bp_database *database, struct bp_error *err)
{
    struct stat info;
    const char *path = database->connection.path;
    if (stat(path, &info) < 0)
        return bp_fail_errno(err, "%s was taken away while in use", path);
    if (info.st_dev != database->device || info.st_ino != database->inode)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s was replaced while in use", path);
    return bp_connection_execute(&database->connection, "COMMIT", "write", err);
}

/* Fails harmlessly when SQLite has rolled back by itself. */
void bp_database_rollback(struct bp_database *database)
{
    sqlite3_exec(database->connection.handle, "ROLLBACK", NULL, NULL, NULL);
    database->events = database->committed_events;
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
    int result = code == SQLITE_DONE ? 0 : bp_connection_fail(&database->connection, "write", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

int bp_database_add_session(struct bp_database *database, struct bp_error *err)
{
    return bp_database_insert(database, BP_INSERT_SESSION, NULL, 0, err);
}

int bp_database_add_text(struct bp_database *database, const char *name, const char *text,
                         struct bp_error *err)
{
    const struct bp_cell row[] = {bp_cell_text(name), bp_cell_text(text)};
    return bp_database_insert(database, BP_INSERT_META, row, 2, err);
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
