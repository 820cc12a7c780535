/* clock.h: the clock every deadline and every reported time is read from. */
#ifndef BP_BASE_CLOCK_H
#define BP_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t bp_clock_ns(void);

/* Wall clock in milliseconds since the epoch: for records only, never for deadlines. */
int64_t bp_clock_wall_ms(void);

static inline double bp_ns_to_ms(uint64_t ns)
{
    return (double)ns * 1e-6;
}

#endif
