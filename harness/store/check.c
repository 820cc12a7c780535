#include "harness/store/check.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char census_sql[] =
    "SELECT number, verdict, duplicate,"
    " (SELECT count(*) FROM attempt WHERE attempt.evaluation = evaluation.number)"
    " FROM evaluation ORDER BY number";

static int fail(sqlite3 *handle, const char *path, struct bp_error *err)
{
    return bp_fail(err, BP_ERR_SYSTEM, "cannot read %s: %s", path, sqlite3_errmsg(handle));
}

static int check_integrity(sqlite3 *handle, const char *path, struct bp_error *err)
{
    sqlite3_stmt *statement = NULL;
    int result = 0;
    if (sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        result = fail(handle, path, err);
    else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        result = bp_fail(err, BP_ERR_SYSTEM, "%s is damaged: %s", path,
                         (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return result;
}

static void count_row(sqlite3_stmt *statement, struct bp_store_census *census)
{
    const char *verdict = (const char *)sqlite3_column_text(statement, 1);
    uint32_t attempts = (uint32_t)sqlite3_column_int(statement, 3);
    census->evaluations++;
    if (sqlite3_column_int64(statement, 0) != census->evaluations ||
        (attempts == 0 && !sqlite3_column_int(statement, 2)))
        census->consecutive = false;
    if (attempts > census->max_attempts)
        census->max_attempts = attempts;
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (strcmp(verdict, bp_verdict_name((enum bp_verdict)i)) == 0)
            census->verdicts[i]++;
}

/* A run that ended while its run.db was being created has none, and nothing to lose. */
static bool has_tables(sqlite3 *handle)
{
    return sqlite3_table_column_metadata(handle, NULL, "evaluation", NULL, NULL, NULL, NULL, NULL,
                                         NULL) == SQLITE_OK;
}

static int count_rows(sqlite3 *handle, const char *path, struct bp_store_census *census,
                      struct bp_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, census_sql, -1, &statement, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            count_row(statement, census);
    }
    int result = code == SQLITE_DONE ? 0 : fail(handle, path, err);
    sqlite3_finalize(statement);
    return result;
}

int bp_store_check(const char *dir, struct bp_store_census *census, struct bp_error *err)
{
    char path[4096 + 16];
    sqlite3 *handle = NULL;
    *census = (struct bp_store_census){.consecutive = true};
    snprintf(path, sizeof path, "%s/run.db", dir);
    if (access(path, F_OK) < 0)
        return 0;
    int result = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK
                     ? check_integrity(handle, path, err)
                     : fail(handle, path, err);
    if (result == 0 && has_tables(handle))
        result = count_rows(handle, path, census, err);
    sqlite3_close(handle);
    return result;
}
