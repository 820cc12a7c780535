#include "harness/store/reader.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A log that holds something has to be read with it. */
static bool has_log(const char *path)
{
    char log[4096 + 8];
    struct stat info;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &info) == 0 && info.st_size > 0;
}

static int open_as(struct bp_reader *reader, const char *path, enum bp_connection_mode mode,
                   struct bp_error *err)
{
    if (bp_connection_open(&reader->connection, path, mode, err) < 0)
        return -1;
    return bp_connection_identify(&reader->connection, err);
}

/* Reading needs shared memory beside the file. Where that cannot be made, in a directory without write
 * access, a record without a log is as whole as it will ever be. */
int bp_reader_open(struct bp_reader *reader, const char *path, struct bp_error *err)
{
    int result = open_as(reader, path, BP_CONNECTION_READ, err);
    if (result < 0 && reader->connection.handle && !has_log(path)) {
        int code = sqlite3_errcode(reader->connection.handle) & 0xff;
        if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) {
            bp_reader_close(reader);
            result = open_as(reader, path, BP_CONNECTION_ARCHIVE, err);
        }
    }
    if (result < 0)
        bp_reader_close(reader);
    return result;
}

void bp_reader_close(struct bp_reader *reader)
{
    bp_connection_close(&reader->connection);
}

int bp_reader_text(struct bp_reader *reader, const char *name, char *text, size_t size,
                   struct bp_error *err)
{
    struct bp_connection *connection = &reader->connection;
    sqlite3_stmt *row = NULL;
    if (bp_connection_prepare(connection, "SELECT value FROM meta WHERE name = ?", &row, err) < 0)
        return -1;
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int got = bp_connection_step(connection, row, err);
    if (got == 1) {
        const char *value = (const char *)sqlite3_column_text(row, 0);
        if (!value || (size_t)snprintf(text, size, "%s", value) >= size)
            got = bp_fail(err, BP_ERR_LIMIT, "%s of %s is longer than %zu bytes", name,
                          connection->path, size - 1);
    }
    sqlite3_finalize(row);
    return got;
}

int bp_reader_events(struct bp_reader *reader, const char *kind, int64_t from,
                     bp_store_visit_event visit, void *context, struct bp_error *err)
{
    static const char sql[] = "SELECT number, wall_ms, kind, json FROM event"
                              " WHERE number >= ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY number";
    struct bp_connection *connection = &reader->connection;
    sqlite3_stmt *row = NULL;
    if (bp_connection_prepare(connection, sql, &row, err) < 0)
        return -1;
    sqlite3_bind_int64(row, 1, from);
    sqlite3_bind_text(row, 2, kind, -1, SQLITE_STATIC);
    int got, told = 0;
    while (told == 0 && (got = bp_connection_step(connection, row, err)) != 0) {
        struct bp_stored_event event = {.number = sqlite3_column_int64(row, 0),
                                        .wall_ms = sqlite3_column_int64(row, 1),
                                        .kind = bp_column_text(row, 2),
                                        .json = bp_column_text(row, 3)};
        told = got < 0 ? -1 : visit(context, &event, err);
    }
    sqlite3_finalize(row);
    return told < 0 ? -1 : 0;
}
