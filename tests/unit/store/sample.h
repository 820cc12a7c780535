/* sample.h: what the store's and the report's tests share: a directory, an evaluation with
 * something in every field, and questions to a run.db by SQLite alone. */
#ifndef BP_TESTS_STORE_SAMPLE_H
#define BP_TESTS_STORE_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harness/store/store.h"
#include "tests/lib/must.h"

#define SAMPLE_ATTEMPTS 3
#define SAMPLE_TIMINGS 4
#define SAMPLE_CASES 20
#define SAMPLE_SOURCE "/* kernel \"x\" */\nvoid gqa_kernel0(void);\n"

/* cmocka setup and teardown: *state is the path of a fresh directory, removed with all in it. */
int sample_setup(void **state);
int sample_teardown(void **state);

/* The path dir/name, in static storage for the next few calls. */
const char *sample_path(const char *dir, const char *name);

struct bp_evaluation *sample_evaluation(uint32_t number, enum bp_verdict verdict);

/* Each fails the test when it fails. */
struct bp_store *sample_create(const char *dir, uint64_t seed);
void sample_record(struct bp_store *store, struct bp_evaluation *e); /* which it frees */

/* The first column of the query's only row, run over a connection of its own. The test fails when
 * there is none. The text is the caller's. */
int64_t sample_integer(const char *dir, const char *sql);
char *sample_text(const char *dir, const char *sql);

/* Runs statements; returns SQLite's message (the caller's, sqlite3_free), null when all went well.
 */
char *sample_execute(const char *dir, const char *sql);

/* The whole file as text; the caller frees. The test fails when it cannot be read. */
char *sample_read(const char *dir, const char *name);

/* The SHA-256 of the file; the caller frees. */
char *sample_hash(const char *dir, const char *name);

#endif
