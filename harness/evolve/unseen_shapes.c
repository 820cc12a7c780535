#include "harness/evolve/unseen_shapes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_DRAWS 1000
#define CASES 3 /* families a shape */
#define SHARE 8 /* of the suite's work that a shape may ask for */
#define LEAST_PAIRS 20000.0
#define MAX_ROWS 256
#define LARGEST_Q_LEN 256 /* of a shape near a timed one */
#define NEAR_SHARE 8      /* its lengths are up to an eighth off */
#define LONG_SHARE 4      /* how much longer than the suite's longest, at most, and */
#define LONG_MORE 64      /* so many keys, as the longest may be short */
#define TILE 16           /* lengths are no multiples of it, nor of any larger tile */

struct range {
    uint32_t low, high;
};

enum origin {
    ROW,
    NEAR, /* lengths, mask and window from a timed shape, the rest of the row is not used */
    LONG, /* more keys than any shape of the suite has; the row has no kv_len */
};

static const struct kind {
    const char *name;
    enum origin origin;
    struct range batch, q_len, kv_len, window;
    bool causal, ragged;
} kinds[] = {
    {.name = "near", .origin = NEAR, .batch = {1, 2}},
    {.name = "prefill", .batch = {1, 2}, .q_len = {2, 80}, .kv_len = {33, 300}},
    {.name = "causal", .batch = {1, 2}, .q_len = {2, 80}, .kv_len = {17, 300}, .causal = true},
    {.name = "decode", .batch = {1, 5}, .q_len = {1, 1}, .kv_len = {65, 900}},
    {.name = "window",
     .batch = {1, 2},
     .q_len = {17, 80},
     .kv_len = {97, 300},
     .window = {5, 90},
     .causal = true},
    {.name = "ragged", .batch = {2, 4}, .q_len = {1, 9}, .kv_len = {65, 300}, .ragged = true},
    {.name = "long", .origin = LONG, .batch = {1, 1}, .q_len = {1, 3}, .causal = true},
};

_Static_assert(sizeof kinds / sizeof *kinds == BP_UNSEEN_MAX_SHAPES, "one of each kind");

static uint32_t within(struct bp_random *random, struct range range)
{
    return range.low + (uint32_t)bp_random_below(random, range.high - range.low + 1);
}

/* 1 stays possible, as decode needs it. */
static uint32_t length_within(struct bp_random *random, struct range range)
{
    uint32_t length = within(random, range);
    return length % TILE || length == range.low ? length : length - 1;
}

static struct range around(uint32_t length)
{
    uint32_t off = length / NEAR_SHARE;
    return (struct range){length - off, length + off};
}

static struct range beyond(const struct bp_suite *suite)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < suite->case_count; i++)
        if (suite->cases[i].shape.kv_len > longest)
            longest = suite->cases[i].shape.kv_len;
    return (struct range){longest + 1, longest + longest / LONG_SHARE + LONG_MORE};
}

static void draw_lengths(struct bp_random *random, const struct kind *kind,
                         const struct bp_suite *suite, struct bp_shape *shape)
{
    shape->q_len = length_within(random, kind->q_len);
    shape->kv_len = length_within(random, kind->origin == LONG ? beyond(suite) : kind->kv_len);
    shape->window = kind->window.high ? within(random, kind->window) : 0;
    shape->causal = kind->causal;
    shape->ragged = kind->ragged;
}

static void draw_near(struct bp_random *random, const struct bp_suite *suite,
                      struct bp_shape *shape)
{
    const struct bp_shape *timed = &suite->timed[bp_random_below(random, suite->timed_count)];
    uint32_t q_len = timed->q_len < LARGEST_Q_LEN ? timed->q_len : LARGEST_Q_LEN;
    shape->q_len = length_within(random, around(q_len));
    shape->kv_len = length_within(random, around(timed->kv_len));
    shape->window = timed->window;
    shape->causal = timed->causal;
    shape->ragged = timed->ragged;
}

static void draw(struct bp_random *random, const struct kind *kind, const struct bp_suite *suite,
                 struct bp_shape *shape)
{
    static const uint32_t ratios[] = {1, 2, 3, 4, 5, 7, 8};
    *shape = (struct bp_shape){.head_dim = suite->cases[0].shape.head_dim};
    shape->batch = within(random, kind->batch);
    shape->kv_heads = within(random, (struct range){1, 2});
    shape->q_heads =
        shape->kv_heads * ratios[bp_random_below(random, sizeof ratios / sizeof *ratios)];
    if (kind->origin == NEAR)
        draw_near(random, suite, shape);
    else
        draw_lengths(random, kind, suite, shape);
    for (uint32_t i = 0; shape->ragged && i < shape->batch; i++)
        shape->kv_lens[i] = within(random, (struct range){0, shape->kv_len});
    size_t used = (size_t)snprintf(shape->name, sizeof shape->name, "unseen_%s_b%u_h%u-%u_q%u_k%u",
                                   kind->name, shape->batch, shape->q_heads, shape->kv_heads,
                                   shape->q_len, shape->kv_len);
    if (shape->window && used < sizeof shape->name)
        snprintf(shape->name + used, sizeof shape->name - used, "_w%u", shape->window);
}

/* But for its heads: a kernel that knows the lengths knows the shape. */
static bool is_known(const struct bp_suite *suite, const struct bp_shape *shape)
{
    for (uint32_t i = 0; i < suite->case_count; i++) {
        const struct bp_shape *known = &suite->cases[i].shape;
        if (known->q_len == shape->q_len && known->kv_len == shape->kv_len)
            return true;
    }
    return false;
}

static double pairs_of(const struct bp_shape *shape)
{
    return (double)shape->batch * shape->q_heads * shape->q_len * shape->kv_len;
}

/* Quick beside the suite, for whose work the deadline of a run was chosen. */
static bool is_quick(const struct bp_suite *suite, const struct bp_shape *shape)
{
    double pairs = 0;
    for (uint32_t i = 0; i < suite->case_count; i++)
        pairs += pairs_of(&suite->cases[i].shape);
    return CASES * pairs_of(shape) <= fmax(pairs / SHARE, LEAST_PAIRS);
}

uint32_t bp_unseen_shapes_draw(const struct bp_key *key, const struct bp_suite *suite,
                               bool (*admits)(const void *context, const struct bp_shape *shape),
                               const void *context, struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES])
{
    struct bp_random random;
    uint32_t count = 0;
    bp_random_start(&random, key);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].origin == NEAR && suite->timed_count == 0)
            continue;
        for (int tries = 0; tries < MAX_DRAWS; tries++) {
            draw(&random, &kinds[i], suite, &shapes[count]);
            if (!is_known(suite, &shapes[count]) && is_quick(suite, &shapes[count]) &&
                admits(context, &shapes[count])) {
                count++;
                break;
            }
        }
    }
    return count;
}

void bp_unseen_shapes_suite(const struct bp_key *key, const struct bp_shape *shape,
                            struct bp_suite *suite)
{
    static const enum bp_family others[] = {BP_FAMILY_code, BP_FAMILY_ramp, BP_FAMILY_tilt,
                                            BP_FAMILY_shift};
    struct bp_key families;
    struct bp_random random;
    bp_key_derive(key, "families", 0, &families);
    bp_random_start(&random, &families);
    enum bp_family other = others[bp_random_below(&random, sizeof others / sizeof *others)];
    *suite = (struct bp_suite){.case_count = CASES,
                               .cases = {{*shape, BP_FAMILY_gauss, MAX_ROWS},
                                         {*shape, BP_FAMILY_needle, MAX_ROWS},
                                         {*shape, other, MAX_ROWS}}};
    memcpy(suite->name, shape->name, sizeof suite->name);
}
