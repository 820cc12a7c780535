#include "harness/store/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "harness/store/fault_vfs.h"

#define BUSY_POLL_NS 5000000  /* between two looks at a lock */
#define BUSY_SAY_NS 500000000 /* a lock held so long is worth a line */
#define CHECK_STEPS 10000     /* of SQLite's machine between two looks at the clock */
/* In KiB. A reader walks through the record once and has little to come back to; for the summary it does
 * so again and again beside the writer's cache, in memory that the allocator keeps. */
#define WRITERS_CACHE "PRAGMA cache_size=-2000"
#define READERS_CACHE "PRAGMA cache_size=-256"

/* Called again and again while another process holds a lock; 0 gives up. */
static int wait_for_lock(void *context, int tries)
{
    struct bp_connection *connection = context;
    uint64_t now = bp_clock_ns();
    if (tries == 0) {
        connection->busy_since_ns = now;
        connection->busy_said = false;
    }
    uint64_t waited = now - connection->busy_since_ns;
    if (waited > (uint64_t)BP_DATABASE_BUSY_MS * 1000000)
        return 0;
    if (waited > BUSY_SAY_NS && !connection->busy_said) {
        connection->busy_said = true;
        bp_log(BP_LOG_WARNING, "store", "%s is locked by another process; waiting for %d s at most",
               connection->path, BP_DATABASE_BUSY_MS / 1000);
    }
    nanosleep(&(struct timespec){.tv_nsec = BUSY_POLL_NS}, NULL);
    return 1;
}

void bp_connection_close(struct bp_connection *connection)
{
    sqlite3_close(connection->handle);
    *connection = (struct bp_connection){0};
}

/* What the system said. A failed write to the log is known to the log's file only (a quota, say). */
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

int bp_connection_fail(struct bp_connection *connection, const char *doing, struct bp_error *err)
{
    sqlite3 *handle = connection->handle;
    int code = sqlite3_errcode(handle) & 0xff;
    int sys_errno = 0;
    if (code == SQLITE_FULL)
        sys_errno = ENOSPC;
    else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        sys_errno = EBUSY;
    else if (code == SQLITE_READONLY)
        sys_errno = EROFS;
    else if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)
        sys_errno = last_errno(handle);
    if (code == SQLITE_IOERR && sys_errno == 0)
        sys_errno = EIO;
    bp_fail(err, code == SQLITE_NOMEM ? BP_ERR_MEMORY : BP_ERR_SYSTEM, "cannot %s %s: %s%s%s",
            doing, connection->path, sqlite3_errmsg(handle), sys_errno ? ": " : "",
            sys_errno ? strerror(sys_errno) : "");
    err->sys_errno = sys_errno;
    return -1;
}

int bp_connection_fail_damaged(struct bp_connection *connection, const char *why,
                               struct bp_error *err)
{
    return bp_fail(
        err, BP_ERR_UNAVAILABLE,
        "%.200s is damaged (%.100s); nothing in it was changed: put a copy back, or save "
        "what can be read with sqlite3's .recover",
        connection->path, why);
}

/* A damaged file is told apart, so that it is told what to do. */
static int fail_reading(struct bp_connection *connection, struct bp_error *err)
{
    int code = sqlite3_errcode(connection->handle) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return bp_connection_fail_damaged(connection, sqlite3_errmsg(connection->handle), err);
    return bp_connection_fail(connection, "read", err);
}

/* "file:PATH?mode=…": the only way to ask for an archive. */
static void make_uri(const char *path, enum bp_connection_mode mode, char *uri, size_t size)
{
    static const char *const queries[] = {
        [BP_CONNECTION_WRITE] = "?mode=rw",
        [BP_CONNECTION_READ] = "?mode=ro",
        [BP_CONNECTION_ARCHIVE] = "?mode=ro&immutable=1",
    };
    size_t used = (size_t)snprintf(uri, size, path[0] == '/' ? "file://" : "file:");
    for (const char *at = path; *at; at++)
        used +=
            (size_t)snprintf(uri + used, size - used, strchr("%?#", *at) ? "%%%02x" : "%c", *at);
    snprintf(uri + used, size - used, "%s", queries[mode]);
}

int bp_connection_open(struct bp_connection *connection, const char *path,
                       enum bp_connection_mode mode, struct bp_error *err)
{
    char uri[3 * sizeof connection->path + 32];
    struct stat info;
    *connection = (struct bp_connection){0};
    int length = snprintf(connection->path, sizeof connection->path, "%s", path);
    if ((size_t)length >= sizeof connection->path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    if (stat(path, &info) < 0)
        return bp_fail_errno(err, "cannot open %s", path);
    if (S_ISFIFO(info.st_mode)) /* SQLite would wait for a writer */
        return bp_fail(err, BP_ERR_USAGE, "%.200s is not a regular file", path);
    make_uri(path, mode, uri, sizeof uri);
    if (sqlite3_open_v2(uri, &connection->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                        bp_fault_vfs()) != SQLITE_OK)
        return bp_connection_fail(connection, "open", err);
    sqlite3_busy_handler(connection->handle, wait_for_lock, connection);
    const char *cache = mode == BP_CONNECTION_WRITE ? WRITERS_CACHE : READERS_CACHE;
    if (sqlite3_exec(connection->handle, cache, NULL, NULL, NULL) != SQLITE_OK)
        return fail_reading(connection, err);
    return 0;
}

int bp_connection_execute(struct bp_connection *connection, const char *sql, const char *doing,
                          struct bp_error *err)
{
    if (sqlite3_exec(connection->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return bp_connection_fail(connection, doing, err);
    return 0;
}

int bp_connection_prepare(struct bp_connection *connection, const char *sql,
                          sqlite3_stmt **statement, struct bp_error *err)
{
    if (sqlite3_prepare_v2(connection->handle, sql, -1, statement, NULL) != SQLITE_OK)
        return fail_reading(connection, err);
    return 0;
}

int bp_connection_step(struct bp_connection *connection, sqlite3_stmt *statement,
                       struct bp_error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : fail_reading(connection, err);
}

int bp_connection_query(struct bp_connection *connection, const char *sql, sqlite3_stmt **row,
                        struct bp_error *err)
{
    if (bp_connection_prepare(connection, sql, row, err) < 0)
        return -1;
    return bp_connection_step(connection, *row, err);
}

static int read_number(struct bp_connection *connection, const char *sql, int64_t *number,
                       struct bp_error *err)
{
    sqlite3_stmt *row = NULL;
    int got = bp_connection_query(connection, sql, &row, err);
    if (got == 1)
        *number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return got < 0 ? -1 : 0;
}

int bp_connection_identify(struct bp_connection *connection, struct bp_error *err)
{
    int64_t application = 0, version = 0;
    struct stat info;
    /* SQLite takes an empty file for a new database, and throws away the log beside it. */
    if (stat(connection->path, &info) == 0 && info.st_size == 0)
        return bp_connection_fail_damaged(connection, "the file is empty", err);
    if (read_number(connection, "PRAGMA application_id", &application, err) < 0 ||
        read_number(connection, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (application != BP_DATABASE_APPLICATION)
        return bp_fail(err, BP_ERR_USAGE, "%s is a database, but not the record of a run",
                       connection->path);
    if (version != BP_DATABASE_VERSION)
        return bp_fail(err, BP_ERR_USAGE,
                       "%s has version %lld of the record, this program reads version %d: use the "
                       "program that wrote it",
                       connection->path, (long long)version, BP_DATABASE_VERSION);
    return 0;
}

static int is_late(void *deadline_ns)
{
    return bp_clock_ns() > *(const uint64_t *)deadline_ns;
}

int bp_connection_check(struct bp_connection *connection, struct bp_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t deadline_ns = bp_clock_ns() + (uint64_t)BP_DATABASE_CHECK_MS * 1000000;
    char problem[100] = "ok";
    const char *last = problem;
    if (bp_connection_prepare(connection, "PRAGMA quick_check(1)", &statement, err) < 0)
        return -1;
    sqlite3_progress_handler(connection->handle, CHECK_STEPS, is_late, &deadline_ns);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        snprintf(problem, sizeof problem, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_progress_handler(connection->handle, 0, NULL, NULL);
    int result = code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_INTERRUPT
                     ? 0
                     : fail_reading(connection, err);
    sqlite3_finalize(statement);
    if (strrchr(problem, '\n')) /* a heading stands before it */
        last = strrchr(problem, '\n') + 1;
    if (result == 0 && strcmp(problem, "ok") != 0)
        result = bp_connection_fail_damaged(connection, last, err);
    return result;
}
