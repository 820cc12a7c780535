/* events.h: faults of the device, told to whoever registered for them. */
#ifndef BP_EMULATOR_EVENTS_H
#define BP_EMULATOR_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "evaluator/emulator/isa/dispatch.h"

/* Each calls the handlers of hsa_amd_register_system_event_handler. Returns only if one of them
 * answered HSA_STATUS_SUCCESS; otherwise says on stderr what happened and aborts, as the real
 * runtime does. */
void emu_event_memory_fault(uint64_t address);
void emu_event_hw_exception(uint32_t cause);

/* Whether a handler took the event EMU_EVENT_GAP. */
bool emu_event_gap(void);

/* Notes in the report, unless something is there already, why a dispatch failed. */
void emu_report_failure(enum emu_end end, uint64_t address, const char *what);
void emu_report_injected(const char *fault);
void emu_report_counters(const struct emu_counters *counters);

#endif
