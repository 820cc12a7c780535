/* signals.h: signals, the bell that wakes whoever waits for one, and handlers that a signal
 * calls. */
#ifndef BP_EMULATOR_SIGNALS_H
#define BP_EMULATOR_SIGNALS_H

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <hsa/amd_hsa_signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of the clock that all of HSA's times are in (CLOCK_MONOTONIC). */
uint64_t emu_now(void);

/* The bell: take a ticket, look, and wait if there was nothing to see. A wait ends at the first
 * ring after the ticket was taken, or after `timeout_ns`. */
uint64_t emu_bell_ticket(void);
void emu_bell_wait(uint64_t ticket, uint64_t timeout_ns);
void emu_bell_ring(void);

/* How long a waiter sleeps before it looks again at a signal: kernels and libamdhip64 also write
 * values directly, and ring no bell. */
#define EMU_SIGNAL_POLL_NS 1000000u

amd_signal_t *emu_signal(hsa_signal_t signal);
int64_t emu_signal_load(hsa_signal_t signal);
bool emu_condition_holds(int64_t value, hsa_signal_condition_t condition, int64_t compare);

/* Notes when the work began and ended that the signal stands for, takes one off its value and
 * rings the bell. No signal (handle 0) is allowed. */
void emu_signal_complete(hsa_signal_t signal, uint64_t start, uint64_t end);

/* Drops the handlers of a signal that goes away. */
void emu_handlers_drop(hsa_signal_t signal);

#endif
