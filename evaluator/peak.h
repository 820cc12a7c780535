/* peak.h: measures what this machine can do at best: the fp32 FMA rate, and the rate at which working
 * sets are read. */
#ifndef BP_EVALUATOR_PEAK_H
#define BP_EVALUATOR_PEAK_H

#include "evaluator/ceilings.h"

#define BP_PEAK_MAX_THREADS 1024
#define BP_PEAK_MAX_WINDOWS 101

struct bp_peak_options {
    uint32_t threads; /* 1 to BP_PEAK_MAX_THREADS */
    uint32_t windows; /* 1 to BP_PEAK_MAX_WINDOWS */
    double window_ms; /* each lasts at least this */
};

struct bp_peak_rate {
    double median; /* over the windows, by the wall clock: what there was now */
    double best; /* sum of the threads' best windows, by their own processor time: what others took
                      from them is not missed */
};

const char *bp_peak_isa(void); /* "avx512f", "avx2" or "base" */

/* GFLOP/s of all threads. */
int bp_peak_fma(const struct bp_peak_options *options, struct bp_peak_rate *rate,
                struct bp_error *err) BP_MUST_CHECK;

/* GB/s of all threads, each reading its part of a set of so many bytes over and over. In huge pages
 * where they can be had: the arenas that a kernel reads have them too. */
int bp_peak_read(const struct bp_peak_options *options, uint64_t bytes, struct bp_peak_rate *rate,
                 struct bp_error *err) BP_MUST_CHECK;

/* The best of both, for `count` ascending set sizes (at most BP_MAX_STREAMS). */
int bp_peak_measure(const struct bp_peak_options *options, const uint64_t *sizes, uint32_t count,
                    struct bp_ceilings *ceilings, struct bp_error *err) BP_MUST_CHECK;

#endif
