/* statistics.h: medians and plain intervals of a few times. Sorts copies; inputs are not changed. */
#ifndef BP_EVALUATOR_STATISTICS_H
#define BP_EVALUATOR_STATISTICS_H

#include <stdint.h>

/* At most this many values at a time. */
#define BP_STATISTICS_MAX 256

struct bp_interval {
    double estimate, low, high;
};

/* Median alone, of any values. */
double bp_statistics_middle(const double *values, uint32_t count);

/* Median of positive values with a 95 % interval: from 6 values on the exact order-statistic interval
 * of the binomial (coverage >= 95 %), below that the t interval of the mean logarithm, widened to hold
 * the median (n = 1: low = 0, high = infinity). 1 <= count <= BP_STATISTICS_MAX. */
struct bp_interval bp_statistics_median(const double *values, uint32_t count);

/* Mean with the two-sided 95 % Student t interval; n = 1: low = -infinity, high = infinity. */
struct bp_interval bp_statistics_mean(const double *values, uint32_t count);

/* Two-sided 95 % quantile of Student's t with `degrees` >= 1 degrees of freedom. */
double bp_statistics_t95(uint32_t degrees);

#endif
