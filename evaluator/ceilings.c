#include "evaluator/ceilings.h"

#include <math.h>

static bool is_rate(double x)
{
    return isfinite(x) && x > 0;
}

bool bp_ceilings_are_sound(const struct bp_ceilings *ceilings)
{
    if (!is_rate(ceilings->gflops) || !isfinite(ceilings->margin) || ceilings->margin < 1 ||
        !is_rate(ceilings->half_factor) || ceilings->threads == 0 || ceilings->stream_count == 0 ||
        ceilings->stream_count > BP_MAX_STREAMS)
        return false;
    for (uint32_t i = 0; i < ceilings->stream_count; i++)
        if (!is_rate(ceilings->streams[i].gbps) ||
            (i > 0 && ceilings->streams[i].bytes <= ceilings->streams[i - 1].bytes))
            return false;
    return true;
}

double bp_ceilings_gbps(const struct bp_ceilings *ceilings, double bytes)
{
    /* A rate lower than that of a larger set was a disturbance. */
    double gbps = 0;
    for (uint32_t i = ceilings->stream_count; i-- > 0;) {
        gbps = fmax(gbps, ceilings->streams[i].gbps);
        if ((double)ceilings->streams[i].bytes <= bytes)
            break;
    }
    return gbps;
}

double bp_ceilings_best_ms(const struct bp_ceilings *ceilings, const struct bp_shape *shape,
                           enum bp_dtype dtype)
{
    if (ceilings->stream_count == 0)
        return 0;
    double gflops = ceilings->gflops * (dtype == BP_DTYPE_F32 ? 1 : ceilings->half_factor);
    double bytes = bp_shape_bytes(shape, dtype);
    return 1e-6 *
           fmax(bp_shape_flops_useful(shape) / gflops, bytes / bp_ceilings_gbps(ceilings, bytes));
}

double bp_ceilings_floor_ms(const struct bp_ceilings *ceilings, const struct bp_shape *shape,
                            enum bp_dtype dtype)
{
    double best_ms = bp_ceilings_best_ms(ceilings, shape, dtype);
    return best_ms > 0 ? best_ms / ceilings->margin : 0;
}
