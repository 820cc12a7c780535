#include "evaluator/shadow.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "evaluator/simt.h"
#include "kernels/include/gqa_simt.h"

#define WAVES (BP_SIMT_BLOCK_THREADS / BP_SIMT_WAVE)
#define NO_BLOCK UINT64_MAX
#define NULL_PAGE 4096  /* below it: a member or element of an object at null */
#define FAR (64u << 20) /* from every region: no overrun, a wild pointer */

/* One access of the past; time 0: none. */
struct trace {
    uint32_t time;
    uint32_t block;
    uint32_t code;
    uint16_t thread;
    uint8_t size; /* of the whole access, capped */
    bool atomic;
};

/* Of one byte. */
struct cell {
    struct trace write, reads[2];
};

struct region {
    enum bp_shadow_kind kind;
    const char *name;
    uintptr_t address;
    uint64_t bytes;
    struct cell *cells; /* [bytes], owned mapping; null where nothing is remembered */
};

struct bp_shadow {
    uint32_t gates;
    uint32_t region_count, recent; /* recent: the region of the last access */
    struct region regions[BP_SHADOW_MAX_REGIONS];
    uint32_t grid[3];
    uint32_t time;
    uint32_t launch_time; /* when this launch began; earlier accesses are ordered before it */
    uint32_t block_time;  /* likewise of the block, for LDS */
    uint64_t block;
    uint32_t thread;
    uint32_t passed;       /* barriers that the block has passed */
    uint32_t barrier_time; /* when it passed the last */
    uint32_t wave_passed[WAVES], wave_time[WAVES];
    uint32_t thread_passed[BP_SIMT_BLOCK_THREADS], thread_waves[BP_SIMT_BLOCK_THREADS];
    uint32_t thread_atomic[BP_SIMT_BLOCK_THREADS]; /* time of its last atomic in this block, or 0 */
    uint64_t block_count;
    uint32_t *block_atomic; /* [block_count], owned: the same of each block; may be null */
};

/* ---- regions ---- */

int bp_shadow_open(uint32_t gates, struct bp_shadow **slot, struct bp_error *err)
{
    struct bp_shadow *shadow = calloc(1, sizeof *shadow);
    if (!shadow)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for shadow memory");
    shadow->gates = gates;
    shadow->time = 1;
    shadow->block = NO_BLOCK;
    *slot = shadow;
    return 0;
}

static void drop_region(struct region *region)
{
    if (region->cells)
        munmap(region->cells, region->bytes * sizeof *region->cells);
    region->cells = NULL;
}

void bp_shadow_forget_regions(struct bp_shadow *shadow)
{
    for (uint32_t i = 0; i < shadow->region_count; i++)
        drop_region(&shadow->regions[i]);
    shadow->region_count = shadow->recent = 0;
}

void bp_shadow_close(struct bp_shadow **slot)
{
    struct bp_shadow *shadow = *slot;
    if (!shadow)
        return;
    bp_shadow_forget_regions(shadow);
    free(shadow->block_atomic);
    free(shadow);
    *slot = NULL;
}

static bool is_remembered(const struct bp_shadow *shadow, enum bp_shadow_kind kind)
{
    uint32_t wanted = 1u << BP_GATE_race | 1u << BP_GATE_uninitialised;
    return kind != BP_SHADOW_INPUT && kind != BP_SHADOW_OTHER && (shadow->gates & wanted) != 0;
}

int bp_shadow_add(struct bp_shadow *shadow, enum bp_shadow_kind kind, const char *name,
                  uintptr_t address, uint64_t bytes, struct bp_error *err)
{
    if (bytes == 0)
        return 0;
    if (shadow->region_count == BP_SHADOW_MAX_REGIONS)
        return bp_fail(err, BP_ERR_LIMIT, "more than %d regions", BP_SHADOW_MAX_REGIONS);
    struct region region = {kind, name, address, bytes, NULL};
    if (is_remembered(shadow, kind)) {
        void *cells = mmap(NULL, bytes * sizeof(struct cell), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (cells == MAP_FAILED)
            return bp_fail_errno(err, "no shadow for %" PRIu64 " bytes of %s", bytes, name);
        region.cells = cells;
    }
    shadow->regions[shadow->region_count++] = region;
    return 0;
}

/* ---- time ---- */

void bp_shadow_begin_launch(struct bp_shadow *shadow, const uint32_t grid[3], uint32_t threads)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shadow->region_count; i++) {
        if (shadow->regions[i].kind == BP_SHADOW_LDS)
            drop_region(&shadow->regions[i]);
        else
            shadow->regions[kept++] = shadow->regions[i];
    }
    shadow->region_count = kept;
    shadow->recent = 0;
    memcpy(shadow->grid, grid, sizeof shadow->grid);
    memset(shadow->thread_passed, 0, threads * sizeof *shadow->thread_passed);
    shadow->block = NO_BLOCK;
    shadow->launch_time = shadow->time++;
    shadow->block_count = (uint64_t)grid[0] * grid[1] * grid[2];
    free(shadow->block_atomic);
    /* Without it atomics order nothing between blocks, which only their own kernels could tell. */
    shadow->block_atomic = calloc(shadow->block_count, sizeof *shadow->block_atomic);
}

static void begin_block(struct bp_shadow *shadow, uint64_t block)
{
    shadow->block = block;
    shadow->block_time = shadow->time++;
    shadow->passed = shadow->barrier_time = 0;
    memset(shadow->wave_passed, 0, sizeof shadow->wave_passed);
    memset(shadow->wave_time, 0, sizeof shadow->wave_time);
    memset(shadow->thread_passed, 0, sizeof shadow->thread_passed);
    memset(shadow->thread_waves, 0, sizeof shadow->thread_waves);
    memset(shadow->thread_atomic, 0, sizeof shadow->thread_atomic);
}

void bp_shadow_enter(struct bp_shadow *shadow, uint64_t block, uint32_t thread)
{
    if (block != shadow->block)
        begin_block(shadow, block);
    shadow->thread = thread % BP_SIMT_BLOCK_THREADS;
}

/* The first thread that comes out of a barrier comes after everything that was before it. */
static void pass(uint32_t *mine, uint32_t *common, uint32_t *passed_at, uint32_t *time)
{
    if (++*mine > *common) {
        *common = *mine;
        *passed_at = ++*time;
    }
}

void bp_shadow_barrier(struct bp_shadow *shadow)
{
    pass(&shadow->thread_passed[shadow->thread], &shadow->passed, &shadow->barrier_time,
         &shadow->time);
}

void bp_shadow_wave(struct bp_shadow *shadow)
{
    uint32_t wave = shadow->thread / BP_SIMT_WAVE;
    pass(&shadow->thread_waves[shadow->thread], &shadow->wave_passed[wave],
         &shadow->wave_time[wave], &shadow->time);
}

/* The acting thread's atomic access is over: what it did before may be waited for by it. */
static void take_part_in_atomics(struct bp_shadow *shadow)
{
    uint32_t now = ++shadow->time;
    shadow->thread_atomic[shadow->thread] = now;
    if (shadow->block_atomic && shadow->block < shadow->block_count)
        shadow->block_atomic[shadow->block] = now;
}

static bool is_ordered(const struct bp_shadow *shadow, const struct trace *past)
{
    if (past->time <= shadow->launch_time)
        return true;
    if (past->block != (uint32_t)shadow->block) {
        const uint32_t *atomic = shadow->block_atomic;
        return atomic && atomic[past->block] > past->time && atomic[shadow->block] > past->time;
    }
    if (past->thread == shadow->thread || past->time < shadow->barrier_time)
        return true;
    uint32_t wave = shadow->thread / BP_SIMT_WAVE;
    if (past->thread / BP_SIMT_WAVE == wave && past->time < shadow->wave_time[wave])
        return true;
    return shadow->thread_atomic[past->thread] > past->time &&
           shadow->thread_atomic[shadow->thread] > past->time;
}

/* ---- findings ---- */

/* Words of a finding. */
static const char *const verbs[] = {
    [BP_SHADOW_READ] = "read", [BP_SHADOW_WRITE] = "write", [BP_SHADOW_UPDATE] = "update"};

static void describe_block(const struct bp_shadow *shadow, uint64_t block, char *text, size_t size)
{
    const uint32_t *grid = shadow->grid;
    snprintf(text, size, "block (%u,%u,%u)", (uint32_t)(block % grid[0]),
             (uint32_t)(block / grid[0] % grid[1]), (uint32_t)(block / grid[0] / grid[1]));
}

/* The access under examination. */
struct access {
    enum bp_shadow_access kind;
    bool atomic;
    uintptr_t address;
    uint64_t bytes;
    uint64_t code;
};

static const char *plural(uint64_t bytes)
{
    return bytes == 1 ? "" : "s";
}

BP_PRINTF(4, 5)
static void find(struct bp_msg_gate_result *finding, enum bp_gate gate, uint64_t code,
                 const char *fmt, ...)
{
    va_list args;
    *finding = (struct bp_msg_gate_result){.site_count = 1};
    finding->verdict = gate == BP_GATE_race ? BP_VERDICT_RACE : BP_VERDICT_CRASH;
    snprintf(finding->cause, sizeof finding->cause, "%s", bp_gate_name(gate));
    finding->sites[0].code = code;
    va_start(args, fmt);
    vsnprintf(finding->sites[0].text, sizeof finding->sites[0].text, fmt, args);
    va_end(args);
}

static void find_race(const struct bp_shadow *shadow, const struct region *region, uint64_t offset,
                      const struct trace *past, bool past_writes, const struct access *now,
                      struct bp_msg_gate_result *finding)
{
    char there[48], here[48];
    bool same = past->block == (uint32_t)shadow->block;
    describe_block(shadow, past->block, there, sizeof there);
    describe_block(shadow, shadow->block, here, sizeof here);
    find(finding, BP_GATE_race, past->code, "%s%s of %u byte%s at %s+%" PRIu64 " by thread %u%s%s",
         past->atomic ? "atomic " : "", past_writes ? "write" : "read", past->size,
         plural(past->size), region->name, offset, past->thread, same ? "" : " of ",
         same ? "" : there);
    finding->site_count = 2;
    finding->sites[1].code = now->code;
    snprintf(finding->sites[1].text, sizeof finding->sites[1].text, "%s%s by thread %u of %s",
             now->atomic ? "atomic " : "", verbs[now->kind], shadow->thread, here);
    snprintf(finding->tail, sizeof finding->tail, "%s",
             same ? "with no barrier between" : "blocks of one launch have no order");
}

static void find_outside(const struct bp_shadow *shadow, const struct access *now,
                         struct bp_msg_gate_result *finding)
{
    const struct region *nearest = NULL;
    uint64_t distance = UINT64_MAX;
    bool past_end = false;
    for (uint32_t i = 0; i < shadow->region_count; i++) {
        const struct region *region = &shadow->regions[i];
        if (region->kind == BP_SHADOW_OTHER)
            continue;
        bool behind = now->address >= region->address;
        uint64_t away = now->address >= region->address + region->bytes
                            ? now->address - region->address - region->bytes
                        : behind ? 0
                                 : region->address - now->address;
        if (away < distance) {
            nearest = region;
            distance = away;
            past_end = behind;
        }
    }
    char where[96] = "far from everything", block[48];
    describe_block(shadow, shadow->block, block, sizeof block);
    if (now->address < NULL_PAGE)
        snprintf(where, sizeof where, "through a null pointer");
    else if (nearest && past_end && now->address < nearest->address + nearest->bytes)
        snprintf(where, sizeof where, "across the end of %s", nearest->name);
    else if (nearest && distance < FAR)
        snprintf(where, sizeof where, "%" PRIu64 " byte%s %s %s", distance, plural(distance),
                 past_end ? "past the end of" : "before the start of", nearest->name);
    find(finding, BP_GATE_bounds, now->code, "%s of %" PRIu64 " byte%s, %s, by thread %u of %s",
         verbs[now->kind], now->bytes, plural(now->bytes), where, shadow->thread, block);
}

static void find_unwritten(const struct bp_shadow *shadow, const struct region *region,
                           uint64_t offset, const struct access *now,
                           struct bp_msg_gate_result *finding)
{
    char block[48];
    describe_block(shadow, shadow->block, block, sizeof block);
    find(finding, BP_GATE_uninitialised, now->code,
         "%s of %" PRIu64 " byte%s by thread %u of %s: %s+%" PRIu64 " was never written",
         verbs[now->kind], now->bytes, plural(now->bytes), shadow->thread, block, region->name,
         offset);
}

static void find_input_write(const struct bp_shadow *shadow, const struct region *region,
                             const struct access *now, struct bp_msg_gate_result *finding)
{
    char block[48];
    describe_block(shadow, shadow->block, block, sizeof block);
    find(finding, BP_GATE_bounds, now->code,
         "%s of %" PRIu64 " byte%s at %s+%" PRIu64 ", which is an input, by thread %u of %s",
         verbs[now->kind], now->bytes, plural(now->bytes), region->name,
         (uint64_t)(now->address - region->address), shadow->thread, block);
}

/* ---- checks ---- */

static const struct region *region_of(struct bp_shadow *shadow, uintptr_t address, uint64_t bytes)
{
    for (uint32_t n = 0; n < shadow->region_count; n++) {
        /* The last one first. */
        uint32_t i = n == 0 ? shadow->recent : n <= shadow->recent ? n - 1 : n;
        const struct region *region = &shadow->regions[i];
        if (address >= region->address && bytes <= region->bytes &&
            address - region->address <= region->bytes - bytes) {
            shadow->recent = i;
            return region;
        }
    }
    return NULL;
}

/* The time from which on a region's contents count as this call's. */
static uint32_t beginning(const struct bp_shadow *shadow, const struct region *region)
{
    return region->kind == BP_SHADOW_LDS ? shadow->block_time : 0;
}

static bool conflicts(const struct bp_shadow *shadow, const struct trace *past, uint32_t since,
                      const struct access *now)
{
    return past->time > since && !(past->atomic && now->atomic) && !is_ordered(shadow, past);
}

static uint64_t wave_of(const struct trace *trace)
{
    return (uint64_t)trace->block << 16 | trace->thread / BP_SIMT_WAVE;
}

/* Keeps the latest read, and before it one of another wave where there is one: whoever writes next is
 * not both. */
static void remember_read(struct cell *cell, uint32_t since, const struct trace *read)
{
    const struct trace *last = &cell->reads[0], *other = &cell->reads[1];
    bool another_thread =
        last->time > since && (last->thread != read->thread || last->block != read->block);
    bool other_is_apart = other->time > since && wave_of(other) != wave_of(read);
    if (another_thread && (wave_of(last) != wave_of(read) || !other_is_apart))
        cell->reads[1] = *last;
    cell->reads[0] = *read;
}

/* Every byte of the access against what is known of it. */
static bool check_cells(const struct bp_shadow *shadow, const struct region *region,
                        const struct access *now, struct bp_msg_gate_result *finding)
{
    uint64_t offset = now->address - region->address;
    uint32_t since = beginning(shadow, region);
    bool race = (shadow->gates & 1u << BP_GATE_race) != 0;
    bool unwritten = (shadow->gates & 1u << BP_GATE_uninitialised) != 0;
    for (uint64_t i = offset; i < offset + now->bytes; i++) {
        const struct cell *cell = &region->cells[i];
        if (unwritten && now->kind != BP_SHADOW_WRITE && cell->write.time <= since) {
            find_unwritten(shadow, region, i, now, finding);
            return false;
        }
        if (race && conflicts(shadow, &cell->write, since, now)) {
            find_race(shadow, region, i, &cell->write, true, now, finding);
            return false;
        }
        for (int r = 0; race && now->kind != BP_SHADOW_READ && r < 2; r++) {
            if (conflicts(shadow, &cell->reads[r], since, now)) {
                find_race(shadow, region, i, &cell->reads[r], false, now, finding);
                return false;
            }
        }
    }
    return true;
}

static void remember(const struct bp_shadow *shadow, const struct region *region,
                     const struct access *now)
{
    uint64_t offset = now->address - region->address;
    uint32_t since = beginning(shadow, region);
    struct trace trace = {.time = shadow->time,
                          .block = (uint32_t)shadow->block,
                          .code = (uint32_t)now->code,
                          .thread = (uint16_t)shadow->thread,
                          .size = (uint8_t)(now->bytes < 255 ? now->bytes : 255),
                          .atomic = now->atomic};
    for (uint64_t i = offset; i < offset + now->bytes; i++) {
        if (now->kind == BP_SHADOW_READ)
            remember_read(&region->cells[i], since, &trace);
        else
            region->cells[i].write = trace;
    }
}

bool bp_shadow_check(struct bp_shadow *shadow, enum bp_shadow_access kind, bool atomic,
                     uintptr_t address, uint64_t bytes, uint64_t code,
                     struct bp_msg_gate_result *finding)
{
    struct access now = {kind, atomic, address, bytes, code};
    if (bytes == 0)
        return true;
    const struct region *region = region_of(shadow, address, bytes);
    if (!region) {
        if (!(shadow->gates & 1u << BP_GATE_bounds))
            return true;
        find_outside(shadow, &now, finding);
        return false;
    }
    if (region->kind == BP_SHADOW_INPUT && kind != BP_SHADOW_READ &&
        (shadow->gates & 1u << BP_GATE_bounds)) {
        find_input_write(shadow, region, &now, finding);
        return false;
    }
    if (!region->cells)
        return true;
    if (!check_cells(shadow, region, &now, finding))
        return false;
    remember(shadow, region, &now);
    if (atomic)
        take_part_in_atomics(shadow);
    return true;
}
