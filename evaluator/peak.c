#include "evaluator/peak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define READ_GRAIN 512

/* Sixteen independent chains hide the latency of an FMA on every known x86 and ARM core (4 cycles,
 * 2 to 4 units); the vectors are as wide as the ISA, chosen by hand below. */
#define CHAINS 16
#define STEPS 4096

typedef float wide16 __attribute__((vector_size(64)));
typedef float wide8 __attribute__((vector_size(32)));
typedef float wide4 __attribute__((vector_size(16)));

static volatile float sink; /* every sum ends here: no compiler can leave the work out */

/* STEPS rounds of CHAINS fused multiply-adds; the factors keep every value near 1. */
#define DEFINE_FMA(name, wide, isa)                                                                \
    isa static void name(const void *data, size_t bytes)                                           \
    {                                                                                              \
        (void)data, (void)bytes;                                                                   \
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

/* One turn of a loop over a thread's data. */
typedef void (*turn)(const void *data, size_t bytes);

static const struct isa {
    const char *name;
    turn fma, read;
    int lanes;
} isas[] = {
#if defined(__x86_64__)
    {"avx512f", fma_avx512, read_avx512, 16},
    {"avx2", fma_avx2, read_avx2, 8},
#endif
    {"base", fma_base, read_base, 4},
};

static const struct isa *best_isa(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return &isas[0];
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &isas[1];
#endif
    return &isas[sizeof isas / sizeof *isas - 1];
}

const char *bp_peak_isa(void)
{
    return best_isa()->name;
}

/* Matrix tiles do not count: their use must be asked of the kernel, which no candidate can. */
static double half_factor(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("avx512fp16"))
        return 2;
#endif
    return 1;
}

struct worker {
    pthread_t thread;
    const struct bp_peak_options *options;
    turn turn;
    const void *data;
    size_t bytes;
    double amount; /* of operations or bytes in a turn */
    double wall[BP_PEAK_MAX_WINDOWS], best;
};

static uint64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void measure_window(struct worker *worker, uint32_t window)
{
    uint64_t start = bp_clock_ns(), own_start = processor_ns(), now;
    double amount = 0;
    do {
        worker->turn(worker->data, worker->bytes);
        amount += worker->amount;
        now = bp_clock_ns();
    } while (bp_ns_to_ms(now - start) < worker->options->window_ms);
    double own = amount / (double)(processor_ns() - own_start);
    worker->wall[window] = amount / (double)(now - start);
    worker->best = own > worker->best ? own : worker->best;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (uint32_t i = 0; i < worker->options->windows; i++)
        measure_window(worker, i);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over windows of the sum over threads; the sum of the threads' best. */
static void sum_up(const struct worker *workers, const struct bp_peak_options *options,
                   struct bp_peak_rate *rate)
{
    double sums[BP_PEAK_MAX_WINDOWS] = {0};
    uint32_t count = options->windows;
    rate->best = 0;
    for (uint32_t t = 0; t < options->threads; t++) {
        rate->best += workers[t].best;
        for (uint32_t i = 0; i < count; i++)
            sums[i] += workers[t].wall[i];
    }
    qsort(sums, count, sizeof *sums, compare);
    rate->median = count % 2 ? sums[count / 2] : (sums[count / 2 - 1] + sums[count / 2]) / 2;
}

/* Each worker's turn, data and amount are set; all run at once. */
static int run_workers(struct worker *workers, const struct bp_peak_options *options,
                       struct bp_peak_rate *rate, struct bp_error *err)
{
    uint32_t started = 0;
    int error = 0;
    for (; started < options->threads && error == 0; started += error == 0)
        error = pthread_create(&workers[started].thread, NULL, work, &workers[started]);
    for (uint32_t t = 0; t < started; t++)
        pthread_join(workers[t].thread, NULL);
    if (error != 0)
        return bp_fail(err, BP_ERR_SYSTEM, "cannot start a thread to measure with: %s",
                       strerror(error));
    sum_up(workers, options, rate);
    return 0;
}

/* All of them with this turn over a part of data, whose bytes are a multiple of threads and grain. */
static int measure(const struct bp_peak_options *options, const struct worker *what,
                   struct bp_peak_rate *rate, struct bp_error *err)
{
    struct worker *workers = calloc(options->threads, sizeof *workers);
    if (!workers)
        return bp_fail(err, BP_ERR_MEMORY, "no memory to measure with");
    for (uint32_t t = 0; t < options->threads; t++) {
        workers[t] = *what;
        workers[t].options = options;
        if (what->data)
            workers[t].data = (const char *)what->data + t * what->bytes;
    }
    int result = run_workers(workers, options, rate, err);
    free(workers);
    return result;
}

int bp_peak_fma(const struct bp_peak_options *options, struct bp_peak_rate *rate,
                struct bp_error *err)
{
    const struct isa *isa = best_isa();
    struct worker what = {.turn = isa->fma, .amount = 2.0 * STEPS * CHAINS * isa->lanes};
    return measure(options, &what, rate, err);
}

int bp_peak_read(const struct bp_peak_options *options, uint64_t bytes, struct bp_peak_rate *rate,
                 struct bp_error *err)
{
    size_t part = bytes / options->threads / READ_GRAIN * READ_GRAIN;
    part = part < READ_GRAIN ? READ_GRAIN : part;
    size_t mapped = (part * options->threads + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *data = aligned_alloc(HUGE_PAGE, mapped);
    if (!data)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %zu bytes to read", mapped);
    (void)madvise(data, mapped, MADV_HUGEPAGE);
    memset(data, 1, mapped);
    struct worker what = {
        .turn = best_isa()->read, .data = data, .bytes = part, .amount = (double)part};
    int result = measure(options, &what, rate, err);
    free(data);
    return result;
}

int bp_peak_measure(const struct bp_peak_options *options, const uint64_t *sizes, uint32_t count,
                    struct bp_ceilings *ceilings, struct bp_error *err)
{
    struct bp_ceilings found = {.threads = options->threads, .half_factor = half_factor()};
    struct bp_peak_rate rate;
    strcpy(found.isa, bp_peak_isa());
    if (bp_peak_fma(options, &rate, err) < 0)
        return -1;
    found.gflops = rate.best;
    for (; found.stream_count < count; found.stream_count++) {
        uint64_t bytes = sizes[found.stream_count];
        if (bp_peak_read(options, bytes, &rate, err) < 0)
            return -1;
        found.streams[found.stream_count] = (struct bp_stream){bytes, rate.best};
    }
    *ceilings = found;
    return 0;
}
