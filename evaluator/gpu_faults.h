/* gpu_faults.h: what the runtime tells of a fault before, or instead of, the status that follows it.
 *
 * AMD's runtime prints a memory fault and aborts, unless a handler of its system events takes it. With one
 * the process lives on, the address is known, and the fault is the answer of whoever waits for the
 * device. Newer runtimes may only give every later call an error: both ways end in a verdict. */
#ifndef BP_EVALUATOR_GPU_FAULTS_H
#define BP_EVALUATOR_GPU_FAULTS_H

#include "evaluator/messages.h"

/* After the device was opened. Without AMD's runtime in this process nothing is done. */
void bp_gpu_faults_watch(void);

/* PASS while nothing was reported. */
enum bp_verdict bp_gpu_faults_seen(char message[BP_TEXT_LINE]);

/* What the emulator has executed until now; zeros on a real device. */
void bp_gpu_faults_counters(struct bp_counters *now);

/* What a failing status of the driver is as a verdict, by where it came from. */
enum bp_gpu_moment { BP_GPU_LOADING, BP_GPU_ALLOCATING, BP_GPU_LAUNCHING, BP_GPU_WAITING };
enum bp_verdict bp_gpu_verdict(enum bp_gpu_moment moment, int status);

#endif
