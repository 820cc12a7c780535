#include "harness/supervise/rounds.h"

#include <math.h>

#define FIRST_ROUNDS 3 /* without a past worth the name */

static double width_by_round(const double *x, uint32_t shapes)
{
    return fabs(bp_statistics_middle(x, shapes)) + log(1.2);
}

static double width_by_past(const double *past, uint32_t count)
{
    double deviations[BP_STATISTICS_MAX];
    double median = bp_statistics_middle(past, count);
    for (uint32_t i = 0; i < count; i++)
        deviations[i] = fabs(past[i] - median);
    return fabs(median) + fmax(4 * 1.4826 * bp_statistics_middle(deviations, count), 0.01);
}

void bp_rounds_add(struct bp_rounds *rounds, const double *x)
{
    double sum = 0;
    for (uint32_t s = 0; s < rounds->shapes; s++) {
        double width = rounds->count < FIRST_ROUNDS ? width_by_round(x, rounds->shapes)
                                                    : width_by_past(rounds->x[s], rounds->count);
        sum += fmin(fmax(x[s], -width), width);
    }
    for (uint32_t s = 0; s < rounds->shapes; s++)
        rounds->x[s][rounds->count] = x[s];
    rounds->values[rounds->count++] = sum / rounds->shapes;
}

struct bp_interval bp_rounds_interval(const struct bp_rounds *rounds)
{
    return bp_statistics_mean(rounds->values, rounds->count);
}
