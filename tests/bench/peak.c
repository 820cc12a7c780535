/* peak: what this machine can do at best, measured now: the fp32 FMA rate of one core and of all,
 * and the rate at which one thread reads a working set, by its size. One JSON object on standard output.
 *
 *     peak [--threads N] [--milliseconds M] [--repeats R] [WORKING_SET_BYTES ...]
 *
 * Each figure is the median of R windows of M milliseconds at least. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/peak.h"

#define MAX_SIZES 64

static struct bp_peak_options options = {.threads = 1, .windows = 7, .window_ms = 20};

static double median_of(int result, const struct bp_peak_rate *rate, const struct bp_error *err)
{
    if (result == 0)
        return rate->median;
    fprintf(stderr, "peak: %s\n", err->msg);
    exit(1);
}

static double fma_rate(uint32_t threads)
{
    struct bp_peak_options with = options;
    struct bp_peak_rate rate;
    struct bp_error err;
    with.threads = threads;
    return median_of(bp_peak_fma(&with, &rate, &err), &rate, &err);
}

static double read_rate(size_t bytes)
{
    struct bp_peak_options with = options;
    struct bp_peak_rate rate;
    struct bp_error err;
    with.threads = 1;
    return median_of(bp_peak_read(&with, bytes, &rate, &err), &rate, &err);
}

static int fail_usage(void)
{
    fprintf(stderr, "usage: peak [--threads N] [--milliseconds M] [--repeats R] "
                    "[WORKING_SET_BYTES ...]\n");
    return 2;
}

/* The value of option `name` at argv[*at] and the next, which *at moves to; -1 when it is another.
 */
static double option(char **argv, int *at, const char *name, double low, double high)
{
    if (strcmp(argv[*at], name) != 0 || !argv[*at + 1])
        return -1;
    double value = strtod(argv[++*at], NULL);
    return value < low ? low : value > high ? high : value;
}

int main(int argc, char **argv)
{
    size_t sizes[MAX_SIZES], size_count = 0;
    cpu_set_t set;
    options.threads = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    for (int i = 1; i < argc; i++) {
        double value;
        if ((value = option(argv, &i, "--threads", 1, BP_PEAK_MAX_THREADS)) > 0)
            options.threads = (uint32_t)value;
        else if ((value = option(argv, &i, "--milliseconds", 1, 1000)) > 0)
            options.window_ms = value;
        else if ((value = option(argv, &i, "--repeats", 1, BP_PEAK_MAX_WINDOWS)) > 0)
            options.windows = (uint32_t)value;
        else if ((value = strtod(argv[i], NULL)) >= 512 && value <= 1e10 && size_count < MAX_SIZES)
            sizes[size_count++] = (size_t)value;
        else
            return fail_usage();
    }
    printf("{\"isa\": \"%s\", \"fma_gflops_one\": %.2f, ", bp_peak_isa(), fma_rate(1));
    printf("\"fma_gflops_all\": %.2f, \"threads\": %u, \"read_gbps\": {", fma_rate(options.threads),
           options.threads);
    for (size_t i = 0; i < size_count; i++)
        printf("%s\"%zu\": %.2f", i ? ", " : "", sizes[i], read_rate(sizes[i]));
    printf("}}\n");
    return 0;
}
