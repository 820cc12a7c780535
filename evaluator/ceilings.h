/* ceilings.h: what a machine can do at best, and what follows for a shape: no call can take less time
 * than its arithmetic and its bytes need at the ceilings. Plain data, pure arithmetic. */
#ifndef BP_EVALUATOR_CEILINGS_H
#define BP_EVALUATOR_CEILINGS_H

#include "evaluator/problem.h"

#define BP_MAX_STREAMS 8

/* How far a machine may be above what was measured of it with care: clocks vary, neighbours come and
 * go. A quick look may have met a bad moment, and what it found is kept: it is trusted less, for a
 * kernel that is refused for nothing is worse than a floor that is low. */
#define BP_CEILING_MARGIN 1.25
#define BP_CEILING_MARGIN_QUICK 3.0

/* The rate at which all threads together read a working set, each its part of it. */
struct bp_stream {
    uint64_t bytes;
    double gbps;
};

struct bp_ceilings {
    char isa[16];     /* of the FMA loop: "avx512f", "avx2", "base" */
    uint32_t threads; /* that took part */
    double margin;    /* one of the above */
    double gflops;    /* fp32 fused multiply-adds, two operations each */
    double
        half_factor; /* 16-bit products per fp32 product: 2 where the CPU has such instructions */
    uint32_t stream_count;                    /* 0: nothing was measured */
    struct bp_stream streams[BP_MAX_STREAMS]; /* by size, ascending */
};

/* Whether the numbers can be those of a machine: finite, positive, sizes ascending. */
bool bp_ceilings_are_sound(const struct bp_ceilings *ceilings);

/* The rate for a working set: of the largest measured that is not larger, for that one may be read
 * faster but not slower. */
double bp_ceilings_gbps(const struct bp_ceilings *ceilings, double bytes);

/* Milliseconds that one call on the shape needs at the ceilings themselves; 0 when nothing was
 * measured. */
double bp_ceilings_best_ms(const struct bp_ceilings *ceilings, const struct bp_shape *shape,
                           enum bp_dtype dtype);
/* The floor: the same with the margin. A shorter time is not a fast kernel but a wrong clock. */
double bp_ceilings_floor_ms(const struct bp_ceilings *ceilings, const struct bp_shape *shape,
                            enum bp_dtype dtype);

#endif
