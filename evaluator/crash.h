/* crash.h: what a run child says of its own crash before it dies of it: lines on standard error,
 *
 *   bulletproof crash: signal 11 address 0x0 at gqa_kernel0+0x1c4 (object+0x11c4)
 *   bulletproof crash stack: gqa_kernel0+0x210 (object+0x1210)
 *
 * SIGSEGV, SIGBUS, SIGFPE and SIGILL only. The handler gives way to the default action, so that the
 * process still dies of the true signal. The stack's lines come from a scan: every word on it that
 * is the address behind a call instruction of the object, which names calls that are long over too.
 *
 * Diagnostic only: the handler runs in the candidate's process, which may break or forge it. */
#ifndef BP_EVALUATOR_CRASH_H
#define BP_EVALUATOR_CRASH_H

#include <signal.h>

#include "base/error.h"
#include "evaluator/object.h"

#define BP_CRASH_HEAD "bulletproof crash: signal "
#define BP_CRASH_STACK "bulletproof crash stack: "

/* A thread's stack for the handler: a fault may be an overflow of its own. */
struct bp_crash_stack {
    void *memory; /* owned mapping */
    stack_t before;
};

/* On the thread itself, and before it ends. Without memory for it a thread has none: no error. */
void bp_crash_enter_thread(struct bp_crash_stack *stack);
void bp_crash_leave_thread(struct bp_crash_stack *stack);

/* Address in memory - address before relocation, of the object that is watched: for debuggers. */
extern volatile uint64_t bp_object_bias;

/* Installs the handlers. The object, mapped and with its bytes, must outlive every crash. */
void bp_crash_watch(const struct bp_object *object);
/* Takes them away again. */
void bp_crash_forget(void);

#endif
