/* rounds.h: the value of each round of a match, robust against the disturbances of a shared machine.
 * Pure.
 *
 * x_s = ln(time of B / time of A) on shape s. A round's value is the mean over shapes of x_s clipped
 * to [-W_s, W_s]: in the first rounds W_s = |median over the shapes of x_s| + ln 1.2, later
 * W_s = |median of the shape's past x_s| + max(4 sigma_s, 1 %), sigma_s = 1.4826 * the median absolute
 * deviation of those. Clipping is symmetric about 0, so that a coin that swaps the sides swaps the
 * sign of the value and nothing else: the random order keeps a comparison of equals unbiased. */
#ifndef BP_HARNESS_SUPERVISE_ROUNDS_H
#define BP_HARNESS_SUPERVISE_ROUNDS_H

#include "evaluator/statistics.h"
#include "evaluator/suite.h"

struct bp_rounds {
    uint32_t shapes;
    uint32_t count;                                  /* rounds so far, at most BP_STATISTICS_MAX */
    double x[BP_SUITE_MAX_TIMED][BP_STATISTICS_MAX]; /* as measured */
    double values[BP_STATISTICS_MAX];
};

/* Adds a round; x[shapes] as measured. */
void bp_rounds_add(struct bp_rounds *rounds, const double *x);

/* Mean of the values with its 95 % interval. count >= 1. */
struct bp_interval bp_rounds_interval(const struct bp_rounds *rounds);

#endif
