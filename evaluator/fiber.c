#include "evaluator/fiber.h"

#include <stdint.h>
#include <string.h>

#if !defined(__x86_64__)
#error "evaluator/fiber.c: the context switch is written for x86-64 only"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH __sanitizer_start_switch_fiber
#define FINISH_SWITCH __sanitizer_finish_switch_fiber
#else
static inline void START_SWITCH(void **fake_stack, const void *bottom, size_t size)
{
    (void)fake_stack, (void)bottom, (void)size;
}
static inline void FINISH_SWITCH(void *fake_stack, const void **bottom, size_t *size)
{
    (void)fake_stack, (void)bottom, (void)size;
}
#endif

#define SAVED_REGISTERS 6 /* rbp, rbx, r12 to r15: what the System V ABI lets a callee rely on */

/* Pushes the saved registers, stores the stack pointer in *save, continues on the stack `to`. */
__attribute__((naked, noinline)) static void swap_stacks(void **save __attribute__((unused)),
                                                         void *to __attribute__((unused)))
{
    __asm__("push %rbp\n\t"
            "push %rbx\n\t"
            "push %r12\n\t"
            "push %r13\n\t"
            "push %r14\n\t"
            "push %r15\n\t"
            "mov %rsp, (%rdi)\n\t"
            "mov %rsi, %rsp\n\t"
            "pop %r15\n\t"
            "pop %r14\n\t"
            "pop %r13\n\t"
            "pop %r12\n\t"
            "pop %rbx\n\t"
            "pop %rbp\n\t"
            "ret");
}

void bp_fiber_prepare(struct bp_fiber *fiber, void *top, void (*entry)(void))
{
    /* At a function's first instruction the ABI wants rsp = 8 modulo 16: the frame is the saved
     * registers, entry as the address `ret` takes, and a null return address. */
    void **frame = (void **)((uintptr_t)top & ~(uintptr_t)15) - (SAVED_REGISTERS + 2);
    memset(frame, 0, (SAVED_REGISTERS + 2) * sizeof *frame);
    frame[SAVED_REGISTERS] = (void *)(uintptr_t)entry;
    fiber->stack_pointer = frame;
    fiber->fake_stack = NULL;
}

void bp_fiber_switch(struct bp_fiber *from, struct bp_fiber *to)
{
    START_SWITCH(&from->fake_stack, to->bottom, to->size);
    swap_stacks(&from->stack_pointer, to->stack_pointer);
    FINISH_SWITCH(from->fake_stack, NULL, NULL);
}

void bp_fiber_leave(struct bp_fiber *from, struct bp_fiber *to)
{
    START_SWITCH(NULL, to->bottom, to->size);
    swap_stacks(&from->stack_pointer, to->stack_pointer);
    __builtin_trap();
}

void bp_fiber_entered(struct bp_fiber *back)
{
    if (back)
        FINISH_SWITCH(NULL, &back->bottom, &back->size);
    else
        FINISH_SWITCH(NULL, NULL, NULL);
}
