/* peak: what this machine can do at best, measured now: the fp32 FMA rate of one core and of all,
 * and the rate at which a working set is read, by its size. One JSON object on standard output.
 *
 *     peak [--threads N] [--milliseconds M] [--repeats R] [WORKING_SET_BYTES ...]
 *
 * Each figure is the median of R windows of M milliseconds at least; every sum ends in `sink`, so
 * that no compiler can leave the work out. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

#define MAX_THREADS 1024
#define MAX_REPEATS 101
#define MAX_SIZES 64

/* Sixteen independent chains hide the latency of an FMA on every known x86 and ARM core (4 cycles,
 * 2 to 4 units); the vectors are as wide as the ISA, chosen by hand below. */
#define CHAINS 16
#define STEPS 4096

typedef float wide16 __attribute__((vector_size(64)));
typedef float wide8 __attribute__((vector_size(32)));
typedef float wide4 __attribute__((vector_size(16)));

static volatile float sink;

/* STEPS rounds of CHAINS fused multiply-adds; the factors keep every value near 1. */
#define DEFINE_FMA(name, wide, isa)                                                                \
    isa static void name(void)                                                                     \
    {                                                                                              \
        wide chain[CHAINS], factor, addend;                                                        \
        for (size_t lane = 0; lane < sizeof(wide) / sizeof(float); lane++) {                       \
            factor[lane] = 0.9999f;                                                                \
            addend[lane] = 0.0001f;                                                                \
        }                                                                                          \
        for (int i = 0; i < CHAINS; i++)                                                           \
            chain[i] = addend * (float)(i + 1);                                                    \
        for (int step = 0; step < STEPS; step++) {                                                 \
            _Pragma("GCC unroll 16") for (int i = 0; i < CHAINS; i++) chain[i] =                   \
                chain[i] * factor + addend;                                                        \
        }                                                                                          \
        wide sum = chain[0];                                                                       \
        for (int i = 1; i < CHAINS; i++)                                                           \
            sum += chain[i];                                                                       \
        sink = sum[0];                                                                             \
    }

#if defined(__x86_64__)
DEFINE_FMA(fma_avx512, wide16, __attribute__((target("avx512f"))))
DEFINE_FMA(fma_avx2, wide8, __attribute__((target("avx2,fma"))))
#endif
DEFINE_FMA(fma_base, wide4, )

/* Sums of eight vectors in flight; 64-byte aligned, a multiple of 512 bytes. */
#define DEFINE_READ(name, isa)                                                                     \
    isa static void name(const void *data, size_t bytes)                                           \
    {                                                                                              \
        typedef uint64_t block __attribute__((vector_size(64)));                                   \
        const block *at = data;                                                                    \
        block sums[8] = {0};                                                                       \
        for (size_t i = 0; i < bytes / sizeof(block); i += 8)                                      \
            _Pragma("GCC unroll 8") for (size_t j = 0; j < 8; j++) sums[j] += at[i + j];           \
        block sum = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7]; \
        sink = (float)(sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7]);     \
    }

#if defined(__x86_64__)
DEFINE_READ(read_avx512, __attribute__((target("avx512f"))))
DEFINE_READ(read_avx2, __attribute__((target("avx2"))))
#endif
DEFINE_READ(read_base, )

static struct {
    const char *name;
    void (*fma)(void);
    void (*read)(const void *data, size_t bytes);
    int lanes;
} isa = {"base", fma_base, read_base, 4};

static void choose_isa(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        isa.name = "avx512f", isa.fma = fma_avx512, isa.read = read_avx512, isa.lanes = 16;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        isa.name = "avx2", isa.fma = fma_avx2, isa.read = read_avx2, isa.lanes = 8;
    }
#endif
}

static int threads = 0, repeats = 7;
static double window_ms = 20;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* GFLOP/s in one window. */
static double fma_window(void)
{
    uint64_t start = bp_clock_ns(), now;
    double flops = 0;
    do {
        isa.fma();
        flops += 2.0 * STEPS * CHAINS * isa.lanes;
        now = bp_clock_ns();
    } while (bp_ns_to_ms(now - start) < window_ms);
    return flops / (double)(now - start);
}

struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    double rates[MAX_REPEATS];
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < repeats; i++) {
        pthread_barrier_wait(worker->start);
        worker->rates[i] = fma_window();
    }
    return NULL;
}

/* Median over windows of the sum over threads. */
static double fma_rate(int count)
{
    pthread_barrier_t start;
    double sums[MAX_REPEATS] = {0};
    struct worker *workers = calloc((size_t)count, sizeof *workers);
    if (!workers || pthread_barrier_init(&start, NULL, (unsigned)count) != 0)
        abort();
    for (int i = 0; i < count; i++) {
        workers[i].start = &start;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        for (int j = 0; j < repeats; j++)
            sums[j] += workers[i].rates[j];
    }
    pthread_barrier_destroy(&start);
    free(workers);
    return median(sums, repeats);
}

/* GB/s of one thread that reads the same bytes over and over. Huge pages where they can be had: the
 * arenas a kernel reads have them too. */
static double read_rate(size_t bytes)
{
    double rates[MAX_REPEATS];
    bytes = (bytes + 511) / 512 * 512;
    size_t mapped = (bytes + (2u << 20) - 1) / (2u << 20) * (2u << 20);
    void *data = aligned_alloc(2u << 20, mapped);
    if (!data)
        abort();
    (void)madvise(data, mapped, MADV_HUGEPAGE);
    memset(data, 1, mapped);
    isa.read(data, bytes);
    for (int i = 0; i < repeats; i++) {
        uint64_t start = bp_clock_ns(), now;
        double total = 0;
        do {
            isa.read(data, bytes);
            total += (double)bytes;
            now = bp_clock_ns();
        } while (bp_ns_to_ms(now - start) < window_ms);
        rates[i] = total / (double)(now - start);
    }
    free(data);
    return median(rates, repeats);
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
    threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    for (int i = 1; i < argc; i++) {
        double value;
        if ((value = option(argv, &i, "--threads", 1, MAX_THREADS)) > 0)
            threads = (int)value;
        else if ((value = option(argv, &i, "--milliseconds", 1, 1000)) > 0)
            window_ms = value;
        else if ((value = option(argv, &i, "--repeats", 1, MAX_REPEATS)) > 0)
            repeats = (int)value;
        else if ((value = strtod(argv[i], NULL)) >= 512 && value <= 1e10 && size_count < MAX_SIZES)
            sizes[size_count++] = (size_t)value;
        else
            return fail_usage();
    }
    choose_isa();
    printf("{\"isa\": \"%s\", \"fma_gflops_one\": %.2f, ", isa.name, fma_rate(1));
    printf("\"fma_gflops_all\": %.2f, \"threads\": %d, \"read_gbps\": {", fma_rate(threads),
           threads);
    for (size_t i = 0; i < size_count; i++)
        printf("%s\"%zu\": %.2f", i ? ", " : "", sizes[i], read_rate(sizes[i]));
    printf("}}\n");
    return 0;
}
