/* hold.h: a run child that waits for a debugger. */
#ifndef BP_EVALUATOR_HOLD_H
#define BP_EVALUATOR_HOLD_H

#include <stdint.h>

/* Extern, so that a debugger finds it in a stripped program: it sets it to 0 when it has attached. */
extern volatile uint32_t bp_run_held;

/* Returns at once with hold 0; else when a debugger lets it go. */
void bp_hold(uint32_t hold);

#endif
