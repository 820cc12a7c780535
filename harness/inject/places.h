/* places.h: which occurrences of a point a campaign makes fail, one run each: of those that a run without
 * faults met, some, spread over its phases and drawn by the seed. */
#ifndef BP_HARNESS_INJECT_PLACES_H
#define BP_HARNESS_INJECT_PLACES_H

#include "base/fault.h"
#include "base/random.h"

struct bp_places_options {
    const struct bp_fault_census *census; /* of the run without faults */
    enum bp_fault_point point;
    enum bp_fault_mode mode; /* a fault that lasts begins with a phase, in every scope at once */
    uint32_t from;           /* the first phase that counts */
    uint64_t seed;
    uint32_t wanted; /* of as many phases; ignored when every occurrence is wanted */
    bool every;
};

/* In the order of their phases; *count is 0 when the point was never met. The array is the caller's to
 * free, and null when there is none or no memory (BP_ERR_MEMORY, -1). */
int bp_places_choose(const struct bp_places_options *options, struct bp_fault_place **places,
                     uint32_t *count, struct bp_error *err) BP_MUST_CHECK;

#endif
