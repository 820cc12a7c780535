/* space.h: the declared knobs, their constraints, and the points that satisfy them. */
#ifndef BP_HARNESS_SEARCH_SPACE_H
#define BP_HARNESS_SEARCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/random.h"
#include "harness/search/expression.h"

#define BP_MAX_KNOBS 64
#define BP_MAX_KNOB_VALUES 64
#define BP_MAX_CONSTRAINTS 64
#define BP_KNOB_NAME 64

struct bp_knob {
    char name[BP_KNOB_NAME];
    uint32_t value_count;
    int64_t values[BP_MAX_KNOB_VALUES]; /* distinct, in declared order */
};

struct bp_space {
    uint32_t knob_count;
    struct bp_knob knobs[BP_MAX_KNOBS];
    uint32_t constraint_count;
    struct bp_expression *constraints[BP_MAX_CONSTRAINTS]; /* owned */
};

/* A choice of one value a knob, by index into its list; 0 beyond knob_count. */
struct bp_point {
    uint16_t choice[BP_MAX_KNOBS];
};

void bp_space_free(struct bp_space *space);

/* The index of the knob of that name, knob_count when there is none. */
uint32_t bp_space_knob(const struct bp_space *space, const char *name);
int64_t bp_space_value(const struct bp_space *space, const struct bp_point *point, uint32_t knob);
bool bp_space_allows(const struct bp_space *space, const struct bp_point *point);
bool bp_space_same(const struct bp_space *space, const struct bp_point *a,
                   const struct bp_point *b);

/* Sets one knob of the point. BP_ERR_USAGE: unknown knob, or a value not in its list. */
int bp_space_choose(const struct bp_space *space, const char *name, int64_t value,
                    struct bp_point *point, struct bp_error *err) BP_MUST_CHECK;

/* The point with these values by knob name. BP_ERR_USAGE (an INVALID_CONFIG for a candidate) names
 * the knob and its valid values: unknown knob, missing knob, value not in the list, or the
 * constraint that fails. */
int bp_space_point(const struct bp_space *space, uint32_t count, const char *const *names,
                   const int64_t *values, struct bp_point *point, struct bp_error *err)
    BP_MUST_CHECK;

/* Size of the product of the lists, saturating at UINT64_MAX. */
uint64_t bp_space_product(const struct bp_space *space);

/* A random allowed point for which skip says false (null: skips none). Rejection first; when that
 * finds none, a walk over every point: uniform either way. Products above BP_SPACE_WALK_MAX are
 * then searched in random order with constraints applied as early as possible, for a bounded time:
 * not uniform, and BP_ERR_LIMIT when it had to give up. 1: found; 0: there is none; -1: error. */
#define BP_SPACE_WALK_MAX (1u << 20)
typedef bool (*bp_space_skip)(const void *context, const struct bp_point *point);
int bp_space_pick(const struct bp_space *space, struct bp_random *random, bp_space_skip skip,
                  const void *context, struct bp_point *point, struct bp_error *err) BP_MUST_CHECK;

/* bp_space_pick without skip. BP_ERR_USAGE when no point satisfies the constraints. */
int bp_space_random(const struct bp_space *space, struct bp_random *random, struct bp_point *point,
                    struct bp_error *err) BP_MUST_CHECK;

/* "BM=64 BN=32 …" into text, cut at size. */
void bp_space_describe(const struct bp_space *space, const struct bp_point *point, char *text,
                       size_t size);

#endif
