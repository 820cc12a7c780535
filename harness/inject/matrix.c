#include "harness/inject/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/fault.h"

struct bp_matrix_row *bp_matrix_add(struct bp_matrix *matrix)
{
    struct bp_matrix_row *rows =
        bp_array_grow(matrix->rows, matrix->count, &matrix->capacity, sizeof *rows);
    if (!rows)
        return NULL;
    matrix->rows = rows;
    struct bp_matrix_row *row = &matrix->rows[matrix->count++];
    *row = (struct bp_matrix_row){.mode = "-", .built = true};
    return row;
}

void bp_matrix_free(struct bp_matrix *matrix)
{
    free(matrix->rows);
    *matrix = (struct bp_matrix){0};
}

bool bp_matrix_as_expected(const struct bp_matrix *matrix)
{
    for (uint32_t i = 0; i < matrix->count; i++)
        if (matrix->rows[i].built && !matrix->rows[i].as_expected)
            return false;
    return true;
}

void bp_matrix_print_head(void)
{
    printf("%-17s %-6s %4s %-28s %-18s %8s %8s %9s %5s\n", "class", "mode", "runs", "expected",
           "seen", "attempts", "time_ms", "survivors", "leaks");
}

void bp_matrix_print_row(const struct bp_matrix_row *row)
{
    char expected[BP_SEEN_TEXT], seen[BP_SEEN_TEXT];
    bp_seen_format(row->expected, expected);
    bp_seen_format(row->seen, seen);
    if (!row->built) {
        printf("%-17s %-6s    - %-28s not built in (meson configure -Dfault_injection=true)\n",
               row->name, row->mode, expected);
        return;
    }
    if (row->skipped[0]) {
        printf("%-17s %-6s    - %-28s skipped: %s\n", row->name, row->mode, expected, row->skipped);
        return;
    }
    printf("%-17s %-6s %4u %-28s %-18s %8u %8.0f %9u %5u%s\n", row->name, row->mode, row->runs,
           expected, seen, row->attempts, row->ms, row->survivors, row->leaks,
           row->as_expected ? "" : "  UNEXPECTED");
    for (uint32_t i = 0; i < row->complaint_count && i < BP_MATRIX_COMPLAINTS; i++)
        printf("    %s\n", row->complaints[i]);
    fflush(stdout);
}

void bp_matrix_print_sum(const struct bp_matrix *matrix)
{
    uint32_t rows = 0, skipped = 0, wrong = 0, runs = 0, survivors = 0, leaks = 0;
    for (uint32_t i = 0; i < matrix->count; i++) {
        const struct bp_matrix_row *row = &matrix->rows[i];
        rows += row->built && !row->skipped[0];
        skipped += row->skipped[0] != '\0';
        wrong += row->built && !row->as_expected;
        runs += row->runs;
        survivors += row->survivors;
        leaks += row->leaks;
    }
    printf("\nseed %" PRIu64 ": %u rows, %u runs, %u not as expected, %u survivors, %u leaks",
           matrix->seed, rows, runs, wrong, survivors, leaks);
    if (skipped > 0)
        printf(", %u rows skipped", skipped);
    puts(rows + skipped < matrix->count ? "; harness faults are not built in" : "");
}

static json_t *row_json(const struct bp_matrix_row *row)
{
    char expected[BP_SEEN_TEXT], seen[BP_SEEN_TEXT];
    bp_seen_format(row->expected, expected);
    bp_seen_format(row->seen, seen);
    json_t *complaints = json_array();
    for (uint32_t i = 0; i < row->complaint_count && i < BP_MATRIX_COMPLAINTS; i++)
        json_array_append_new(complaints, json_string(row->complaints[i]));
    return json_pack("{s:s, s:s, s:b, s:o, s:i, s:s, s:s, s:i, s:f, s:i, s:i, s:b, s:o}", "class",
                     row->name, "mode", row->mode, "built", row->built, "skipped",
                     row->skipped[0] ? json_string(row->skipped) : json_null(), "runs",
                     (int)row->runs, "expected", expected, "seen", seen, "attempts",
                     (int)row->attempts, "time_ms", row->ms, "survivors", (int)row->survivors,
                     "leaks", (int)row->leaks, "as_expected", row->as_expected, "complaints",
                     complaints);
}

json_t *bp_matrix_json(const struct bp_matrix *matrix)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < matrix->count; i++)
        json_array_append_new(rows, row_json(&matrix->rows[i]));
    return json_pack("{s:I, s:b, s:b, s:o}", "seed", (json_int_t)matrix->seed, "fault_injection",
                     BP_FAULT_BUILT, "as_expected", bp_matrix_as_expected(matrix), "classes", rows);
}
