/* run_facts.h: what a run was created with, kept in its record, so that it goes on as it began: on
 * another machine, with another binary, after its kernel's file was edited. */
#ifndef BP_HARNESS_EVOLVE_RUN_FACTS_H
#define BP_HARNESS_EVOLVE_RUN_FACTS_H

#include "harness/config/config.h"
#include "harness/store/store.h"

/* Queues the facts, once for a run; parallel: lanes of its batches. */
int bp_run_facts_write(struct bp_store *store, const struct bp_config *config, uint32_t parallel,
                       struct bp_error *err) BP_MUST_CHECK;

/* The config of the run in dir as it was created: its text, kernel source, seed, device and lanes.
 * BP_ERR_USAGE when the run died before it had begun. The caller frees it with bp_config_free. */
int bp_run_facts_config(struct bp_store *store, const char *dir, struct bp_config *config,
                        struct bp_error *err) BP_MUST_CHECK;

int bp_run_facts_parallel(struct bp_store *store, const char *dir, uint32_t *parallel,
                          struct bp_error *err) BP_MUST_CHECK;

/* Whether the kernel's file still is what the run uses; path gets its name. A file that is gone is no
 * other one. */
bool bp_run_facts_same_kernel(struct bp_store *store, const struct bp_config *config, char *path,
                              size_t size);

#endif
