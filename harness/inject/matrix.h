/* matrix.h: the result of a campaign: one row a class and mode. */
#ifndef BP_HARNESS_INJECT_MATRIX_H
#define BP_HARNESS_INJECT_MATRIX_H

#include <jansson.h>
#include <stdbool.h>

#include "harness/inject/seen.h"

#define BP_MATRIX_COMPLAINTS 4
#define BP_MATRIX_TEXT 400

struct bp_matrix_row {
    char name[32];
    const char *mode;             /* "once", "sticky"; "-" for a candidate's fault */
    bool built;                   /* false: this build cannot do it */
    char skipped[BP_MATRIX_TEXT]; /* why this machine cannot; empty: it can */
    uint64_t expected, seen;
    uint32_t runs;
    uint32_t attempts; /* most of one evaluation */
    double ms;         /* to the verdict; the longest run's, with harness faults */
    uint32_t survivors, leaks;
    bool as_expected;
    uint32_t complaint_count; /* the first few are kept */
    char complaints[BP_MATRIX_COMPLAINTS][BP_MATRIX_TEXT];
};

struct bp_matrix {
    uint64_t seed;
    struct bp_matrix_row *rows; /* owned */
    uint32_t count, capacity;
};

/* A new row at the end, zeroed, valid until the next one; null when there is no memory. */
struct bp_matrix_row *bp_matrix_add(struct bp_matrix *matrix);
void bp_matrix_free(struct bp_matrix *matrix);
bool bp_matrix_as_expected(const struct bp_matrix *matrix);

void bp_matrix_print_head(void);
void bp_matrix_print_row(const struct bp_matrix_row *row);
void bp_matrix_print_sum(const struct bp_matrix *matrix);
/* New reference; null when there is no memory. */
json_t *bp_matrix_json(const struct bp_matrix *matrix);

#endif
