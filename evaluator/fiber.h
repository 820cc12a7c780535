/* fiber.h: the context switch under the SIMT runtime, with AddressSanitizer told about it. */
#ifndef BP_EVALUATOR_FIBER_H
#define BP_EVALUATOR_FIBER_H

#include <stddef.h>

struct bp_fiber {
    void *stack_pointer; /* while it does not run */
    void *fake_stack;    /* AddressSanitizer's */
    const void *bottom;  /* lowest address of the stack, for AddressSanitizer */
    size_t size;
};

/* Makes fiber start in entry, which never returns, on the next switch to it. top is the end of its
 * stack and need not be aligned. */
void bp_fiber_prepare(struct bp_fiber *fiber, void *top, void (*entry)(void));

/* Leaves from, which a later switch resumes behind this call. */
void bp_fiber_switch(struct bp_fiber *from, struct bp_fiber *to);

/* The same for a fiber that is never resumed. */
void bp_fiber_leave(struct bp_fiber *from, struct bp_fiber *to) __attribute__((noreturn));

/* First thing in entry. back, when not null, learns the stack that was left: the OS thread's own,
 * whose bounds nobody else knows. */
void bp_fiber_entered(struct bp_fiber *back);

#endif
