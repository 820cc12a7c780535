/* shadow.h: what is known of every byte that the threads of a launch share: who wrote it last, who read
 * it lately, and whether those accesses were ordered. The gates race, bounds and uninitialised.
 *
 * Blocks run one after the other and the threads of a block take turns on one OS thread, so that time
 * is one counter. It ticks where order is made: at a block barrier, at a wave operation, at an atomic
 * access. An access is ordered before a later one of another thread when
 *   - a barrier of their block lies between them, or
 *   - a wave operation of their wave does, or
 *   - both took part in atomics since (any: lenient, so that flags and tickets are no race), or
 *   - a launch ended between them;
 * between blocks of one launch only the third and fourth count. Two accesses race when they touch the
 * same byte, one at least writes, not both are atomic, and nothing orders them. Reads are remembered
 * two a byte, of different waves where there are such; a third may be forgotten. */
#ifndef BP_EVALUATOR_SHADOW_H
#define BP_EVALUATOR_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "evaluator/gates.h"
#include "evaluator/messages.h"

#define BP_SHADOW_MAX_REGIONS 16

enum bp_shadow_kind {
    BP_SHADOW_INPUT,     /* read-only, initialised */
    BP_SHADOW_OUTPUT,    /* shared by the grid, not initialised */
    BP_SHADOW_WORKSPACE, /* likewise */
    BP_SHADOW_LDS,       /* of one block, not initialised at its beginning */
    BP_SHADOW_OTHER,     /* anything may be done with it: constants, registers of the SIMT layer */
};

enum bp_shadow_access { BP_SHADOW_READ, BP_SHADOW_WRITE, BP_SHADOW_UPDATE /* both at once */ };

struct bp_shadow; /* opaque */

/* gates: a set of gates.h; those that are not about memory are ignored. */
int bp_shadow_open(uint32_t gates, struct bp_shadow **shadow, struct bp_error *err) BP_MUST_CHECK;
void bp_shadow_close(struct bp_shadow **shadow);

/* What the next call may touch. name is borrowed. Forgets everything known of the bytes. Regions must
 * not overlap. */
void bp_shadow_forget_regions(struct bp_shadow *shadow);
int bp_shadow_add(struct bp_shadow *shadow, enum bp_shadow_kind kind, const char *name,
                  uintptr_t address, uint64_t bytes, struct bp_error *err) BP_MUST_CHECK;

/* A launch of blocks of `threads` threads begins. What was written before stays written. LDS regions
 * of the launch before are dropped: add the new ones behind this. */
void bp_shadow_begin_launch(struct bp_shadow *shadow, const uint32_t grid[3], uint32_t threads);

/* Who acts from now on: block, by number in the grid, and thread, by number in the block. A block that
 * is another than before finds its LDS not initialised. */
void bp_shadow_enter(struct bp_shadow *shadow, uint64_t block, uint32_t thread);

/* The acting thread has come out of a barrier or a wave operation. */
void bp_shadow_barrier(struct bp_shadow *shadow);
void bp_shadow_wave(struct bp_shadow *shadow);

/* The acting thread is about to touch bytes bytes at address; code is where its instruction stands.
 * False: what is wrong with it is in *finding (its verdict RACE or CRASH). */
bool bp_shadow_check(struct bp_shadow *shadow, enum bp_shadow_access access, bool atomic,
                     uintptr_t address, uint64_t bytes, uint64_t code,
                     struct bp_msg_gate_result *finding) BP_MUST_CHECK;

#endif
