/* bundle_pack.h: a bundle as one file, a gzipped tar, to be replayed elsewhere. */
#ifndef BP_HARNESS_REPORT_BUNDLE_PACK_H
#define BP_HARNESS_REPORT_BUNDLE_PACK_H

#include "harness/report/bundle.h"

/* Packs the bundle in directory `path` into a new file (mode 0600), whole or not at all. */
int bp_bundle_pack(const char *path, const char *file, struct bp_error *err) BP_MUST_CHECK;

/* Reads what a replay needs out of a packed file, in memory: nothing is unpacked to disk. */
int bp_bundle_unpack(const char *file, struct bp_buffer contents[BP_BUNDLE_FILES],
                     struct bp_error *err) BP_MUST_CHECK;

#endif
