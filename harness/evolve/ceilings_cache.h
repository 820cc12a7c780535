/* ceilings_cache.h: the machine's ceilings, measured once and kept in a file of the user's cache:
 * $XDG_CACHE_HOME/bulletproof, else ~/.cache/bulletproof. */
#ifndef BP_HARNESS_EVOLVE_CEILINGS_CACHE_H
#define BP_HARNESS_EVOLVE_CEILINGS_CACHE_H

#include <jansson.h>

#include "evaluator/ceilings.h"
#include "harness/evolve/host.h"

enum bp_ceilings_care {
    BP_CEILINGS_QUICK,   /* a fifth of a second */
    BP_CEILINGS_THOROUGH /* a second; larger sets too */
};

/* Measures with so many threads; nothing else of ours may run. */
int bp_ceilings_measure(const struct bp_host *host, uint32_t threads, enum bp_ceilings_care care,
                        struct bp_ceilings *ceilings, struct bp_error *err) BP_MUST_CHECK;

/* The cache file of this number of threads. BP_ERR_UNAVAILABLE without a home. */
int bp_ceilings_path(uint32_t threads, char *path, size_t size, struct bp_error *err) BP_MUST_CHECK;

/* As JSON, with the CPU's name. New reference; null: no memory. */
json_t *bp_ceilings_json(const struct bp_host *host, const struct bp_ceilings *ceilings);

/* Writes that to a file; folders on the way to it are made. */
int bp_ceilings_save(const char *path, const struct bp_host *host,
                     const struct bp_ceilings *ceilings, struct bp_error *err) BP_MUST_CHECK;

/* From a file; another CPU's, another number of threads and unsound numbers are
 * BP_ERR_UNAVAILABLE. */
int bp_ceilings_load(const char *path, const struct bp_host *host, uint32_t threads,
                     struct bp_ceilings *ceilings, struct bp_error *err) BP_MUST_CHECK;

/* From the cache, else measured quickly and kept there. When even that fails *ceilings is zero, which
 * means no floor, and the log says why. */
void bp_ceilings_obtain(const struct bp_host *host, uint32_t threads, struct bp_ceilings *ceilings);

#endif
