/* gates.h: the gates a candidate can be sent through on the CPU device before it is timed, as a set.
 * Pure. */
#ifndef BP_EVALUATOR_GATES_H
#define BP_EVALUATOR_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, what it finds */
#define BP_GATE_LIST(X)                                                                            \
    X(race, "two threads touch the same byte, one writes, and nothing orders them")                \
    X(bounds, "an access outside every tensor, the workspace, the LDS and the thread's own stack") \
    X(uninitialised, "a read of workspace, LDS or o that was not written in this call")            \
    X(barrier, "a divergent barrier or wave operation, a deadlock, a barrier after some returned") \
    X(undefined, "signed overflow, oversized shift, division by zero, misaligned access, …")

enum bp_gate {
#define BP_GATE_ENUM(name, finds) BP_GATE_##name,
    BP_GATE_LIST(BP_GATE_ENUM)
#undef BP_GATE_ENUM
        BP_GATE_COUNT
};

/* A set of gates: bit 1u << BP_GATE_x. */
#define BP_GATES_ALL ((1u << BP_GATE_COUNT) - 1)
/* Those that look at every access. */
#define BP_GATES_OF_MEMORY (1u << BP_GATE_race | 1u << BP_GATE_bounds | 1u << BP_GATE_uninitialised)

const char *bp_gate_name(enum bp_gate gate);
const char *bp_gate_finds(enum bp_gate gate);

/* One gate's name as a set of one, "all" as all of them; false for another word. */
bool bp_gates_word(const char *word, size_t length, uint32_t *gates);
/* "all", or names with commas between. False when a word is unknown or missing. */
bool bp_gates_parse(const char *text, uint32_t *gates);

#endif
