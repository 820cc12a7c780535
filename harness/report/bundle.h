/* bundle.h: a failure bundle, one directory of plain files: what it takes to see a failure again, and
 * what was seen (docs/replay.md lists the files). */
#ifndef BP_HARNESS_REPORT_BUNDLE_H
#define BP_HARNESS_REPORT_BUNDLE_H

#include "harness/report/replay_file.h"

/* Names that a bundle may hold; those a replay needs come first. */
enum bp_bundle_file {
    BP_BUNDLE_REPLAY,
    BP_BUNDLE_KERNEL,
    BP_BUNDLE_KNOBS,
    BP_BUNDLE_EVALUATION,
    BP_BUNDLE_EVIDENCE,
    BP_BUNDLE_OBJECT,
    BP_BUNDLE_FRAMES,
    BP_BUNDLE_LOG,
    BP_BUNDLE_BACKTRACE,
    BP_BUNDLE_FILES
};

struct bp_bundle_row {
    const char *name;
    bool needed;      /* by a replay */
    bool secret;      /* mode 0600 */
    size_t max_bytes; /* a larger one is refused */
};
extern const struct bp_bundle_row bp_bundle_rows[BP_BUNDLE_FILES];

/* The row of that name, null when a bundle has no such file. */
const struct bp_bundle_row *bp_bundle_row(const char *name);

/* Writes the bundle of an evaluation as directory `path`, whole or not at all: `path.tmp`, fsync,
 * rename. One that is there already is replaced. */
int bp_bundle_write(const char *path, const struct bp_replay_setting *setting,
                    const struct bp_evaluation *evaluation, struct bp_error *err) BP_MUST_CHECK;

/* failures/00042 in the run's directory dir, for every evaluation that is neither PASS nor answered
 * from the record; nothing for others. */
int bp_bundle_write_failure(const char *dir, const struct bp_replay_setting *setting,
                            const struct bp_evaluation *evaluation, struct bp_error *err)
    BP_MUST_CHECK;
/* "failures/00042": the bundle of an evaluation, or of the one it repeats; empty when it has none. */
void bp_bundle_name(const struct bp_evaluation *evaluation, char *name, size_t size);

/* What a replay takes from a bundle. */
struct bp_saved {
    char *source; /* owned, source_bytes long plus NUL */
    size_t source_bytes;
    struct bp_replay replay;
};

/* Reads a bundle: a directory, or one packed file (bundle_pack.h). It may come from anywhere: links
 * and unknown names are refused, sizes capped, no path in it is followed. BP_ERR_USAGE names what is
 * missing or wrong. On failure nothing needs freeing. */
int bp_bundle_read(const char *path, struct bp_saved *bundle, struct bp_error *err) BP_MUST_CHECK;
void bp_bundle_free(struct bp_saved *bundle);

/* One file of a bundle's directory, appended to bytes. 1, or 0 when it has none of that name. */
int bp_bundle_read_file(int dir_fd, const struct bp_bundle_row *row, struct bp_buffer *bytes,
                        struct bp_error *err) BP_MUST_CHECK;
/* Opens the directory and checks that it holds nothing but what a bundle may hold. */
int bp_bundle_open(const char *path, struct bp_error *err) BP_MUST_CHECK;

#endif
