#include "evaluator/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* 97.5 % points of Student's t, degrees 1 to 30 (NIST/SEMATECH e-Handbook, table 1.3.6.7.2). */
static const double t_table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

double bp_statistics_t95(uint32_t degrees)
{
    uint32_t known = sizeof t_table / sizeof *t_table;
    if (degrees <= known)
        return t_table[degrees - 1];
    /* Beyond the table: the expansion z + (z^3 + z)/(4 d), Abramowitz and Stegun 26.7.5. */
    double z = 1.959964;
    return z + (z * z * z + z) / (4.0 * degrees);
}

struct bp_interval bp_statistics_mean(const double *values, uint32_t count)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / count;
    if (count < 2)
        return (struct bp_interval){mean, -INFINITY, INFINITY};
    for (uint32_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    double half = bp_statistics_t95(count - 1) * sqrt(squares / (count - 1) / count);
    return (struct bp_interval){mean, mean - half, mean + half};
}

/* Largest k with P(Binomial(n, 1/2) < k) <= 2.5 %: the k-th smallest and k-th largest value bound
 * the median at 95 %. 0 when n < 6. */
static uint32_t median_rank(uint32_t n)
{
    double term = pow(0.5, n), below = 0;
    uint32_t k = 0;
    while (k < n && below + term <= 0.025) {
        below += term;
        k++;
        term *= (double)(n - k + 1) / k;
    }
    return k;
}

/* The t interval of the mean logarithm, as values: times cannot be negative, however few they are. */
static struct bp_interval geometric_interval(const double *values, uint32_t count)
{
    double logs[BP_STATISTICS_MAX];
    for (uint32_t i = 0; i < count; i++)
        logs[i] = log(values[i]);
    struct bp_interval mean = bp_statistics_mean(logs, count);
    return (struct bp_interval){exp(mean.estimate), exp(mean.low), exp(mean.high)};
}

static struct bp_interval widened_to(struct bp_interval interval, double median)
{
    return (struct bp_interval){median, fmin(interval.low, median), fmax(interval.high, median)};
}

static void sort_copy(const double *values, uint32_t count, double *sorted)
{
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
}

static double middle_of(const double *sorted, uint32_t count)
{
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

double bp_statistics_middle(const double *values, uint32_t count)
{
    double sorted[BP_STATISTICS_MAX];
    sort_copy(values, count, sorted);
    return middle_of(sorted, count);
}

struct bp_interval bp_statistics_median(const double *values, uint32_t count)
{
    double sorted[BP_STATISTICS_MAX];
    sort_copy(values, count, sorted);
    double median = middle_of(sorted, count);
    uint32_t k = median_rank(count);
    if (k > 0)
        return (struct bp_interval){median, sorted[k - 1], sorted[count - k]};
    return widened_to(geometric_interval(values, count), median);
}
