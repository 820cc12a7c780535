/* json_parts.h: the JSON that run.db and the artifacts have in common. Each function returns a new
 * reference, null when there is no memory. */
#ifndef BP_HARNESS_STORE_JSON_PARTS_H
#define BP_HARNESS_STORE_JSON_PARTS_H

#include <jansson.h>

#include "harness/store/evaluation.h"

/* A string; bytes that are not UTF-8 (a compiler's, or a message cut in a character) become '?'. */
json_t *bp_json_text(const char *text);
/* Null for an empty or null text. */
json_t *bp_json_text_or_null(const char *text);
/* A real; null for NaN and infinities, which JSON does not have. */
json_t *bp_json_real(double value);
/* An integer; above INT64_MAX, which JSON readers cannot hold, its decimal digits as a string. */
json_t *bp_json_unsigned(uint64_t value);

/* {"BM": 64, "PATH": "wide"}: values that are decimal integers become integers. */
json_t *bp_json_knobs(const struct bp_evaluation *evaluation);
/* [{shape, launches: [{grid, block, dynamic_lds}], workspace_bytes}] */
json_t *bp_json_plan(const struct bp_evaluation *evaluation);
/* {"matrix": 0, "valu": 12, …} */
json_t *bp_json_mix(const struct bp_profile_kernel *kernel);
/* [{kernel, vgpr, …, occupancy, mix}], null where there is no profile; mix is null where it is not known. */
json_t *bp_json_profile(const struct bp_profile *profile);
/* {"salu": 120, "valu": 800, …}, null where nothing was counted. */
json_t *bp_json_counters(const struct bp_evaluation *evaluation);

#endif
