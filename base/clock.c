#include "base/clock.h"

#include <time.h>

#include "base/fault.h"

uint64_t bp_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + bp_fault_skipped_ns();
}

int64_t bp_clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + bp_fault_skipped_wall_ms();
}
