/* output.h: what several verbs print alike. */
#ifndef BP_HARNESS_OUTPUT_H
#define BP_HARNESS_OUTPUT_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

/* Prints the object on standard output and takes it; null, as jansson gives when there is no memory, is
 * BP_ERR_MEMORY. Whether all could be written is looked at once, at the end of main. */
int bp_print_json(json_t *object, struct bp_error *err) BP_MUST_CHECK;

/* Says on standard error why a verb failed; the exit status. */
int bp_print_failure(const struct bp_error *err);

/* A line on a terminal while a session makes its references: bp_session_callbacks.prepared. */
void bp_show_preparation(void *context, uint32_t done, uint32_t total);

#endif
