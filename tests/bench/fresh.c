/* fresh: how fast inputs of timed calls are made, on the CPUs this process may use (taskset); each
 * figure is the best of REPEATS. One JSON object.
 *
 *     fresh [REPEATS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "evaluator/fresh.h"
#include "evaluator/parallel.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define TARGET_BYTES ((size_t)64 << 20)

/* The decode that fills most of a batch in suite quick. */
static const struct bp_shape shape = {"decode", 1, 16, 8, 1, 1024, 128};

static double fill_ms(const struct bp_fresh *fresh, uint64_t turn, uint32_t slots, void *memory)
{
    struct bp_key key;
    bp_key_from_seed(turn, &key);
    uint64_t start = bp_clock_ns();
    bp_fresh_fill(fresh, &shape, &key, slots, memory);
    return bp_ns_to_ms(bp_clock_ns() - start);
}

/* GB/s of whole slots, padding included. */
static double rate(enum bp_dtype dtype, int repeats, void *memory, size_t bytes)
{
    static struct bp_fresh fresh;
    struct bp_input_layout layout;
    double best_ms = 1e9;
    bp_layout_inputs(&shape, dtype, &layout);
    uint32_t slots = (uint32_t)(bytes / layout.bytes);
    bp_fresh_open(&fresh, dtype);
    for (int i = 0; i < repeats; i++) {
        double ms = fill_ms(&fresh, (uint64_t)i, slots, memory);
        best_ms = ms < best_ms ? ms : best_ms;
    }
    return (double)(slots * layout.bytes) / best_ms * 1e-6;
}

int main(int argc, char **argv)
{
    int repeats = argc > 1 ? atoi(argv[1]) : 20;
    uint8_t *memory = aligned_alloc(HUGE_PAGE, TARGET_BYTES);
    if (!memory || repeats < 1) {
        fprintf(stderr, "usage: fresh [REPEATS]\n");
        return 2;
    }
    (void)madvise(memory, TARGET_BYTES, MADV_HUGEPAGE);
    memset(memory, 1, TARGET_BYTES);
    printf("{\"threads\": %u", bp_parallel_workers());
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++)
        printf(", \"%s_gbps\": %.2f", bp_dtype_name((enum bp_dtype)dtype),
               rate((enum bp_dtype)dtype, repeats, memory, TARGET_BYTES));
    printf("}\n");
    free(memory);
    return 0;
}
