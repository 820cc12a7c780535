/* report.h: what the worker may ask the emulator in its own process, and how it chooses it.
 *
 * The library answers to the name libhsa-runtime64.so.1. It is opened by absolute path, RTLD_NOW |
 * RTLD_GLOBAL, before libamdhip64, which then finds its HSA runtime already loaded. Beside the HSA
 * functions it exports emu_report, found by dlsym. docs/emulator.md describes the environment. */
#ifndef BP_EMULATOR_REPORT_H
#define BP_EMULATOR_REPORT_H

#include <stdint.h>

#include "evaluator/emulator/isa/dispatch.h"

#define EMU_ENV_TARGET "BULLETPROOF_EMULATE"
#define EMU_ENV_FAULTS "BULLETPROOF_HSA_FAULTS"
#define EMU_ENV_INSTRUCTIONS "BULLETPROOF_EMULATE_INSTRUCTIONS"

/* What no device would do: an instruction that the interpreter does not know (EMU_UNIMPLEMENTED), or a
 * failure of its own (EMU_FAILED). It is a system event of this type, with its agent and nothing else,
 * for the handlers of hsa_amd_register_system_event_handler. If none takes it, the queue fails with the
 * status. Both are outside of every range that HSA defines. */
#define EMU_EVENT_GAP 0xE001
#define EMU_STATUS_GAP 0xE001

struct emu_report {
    volatile uint32_t end; /* enum emu_end of the first dispatch that failed; EMU_DONE: none has */
    volatile uint32_t injected;   /* 1: a fault was injected on purpose */
    uint64_t address;             /* of a memory fault, to the byte; the event has the page */
    char what[160];               /* one line for a person; empty while nothing failed */
    uint64_t dispatches;          /* kernels run to their end, the runtime's own among them */
    struct emu_counters counters; /* their sums */
};

/* The one report of this process; stays where it is, and may be read in a signal handler. */
const struct emu_report *emu_report(void);

#endif
