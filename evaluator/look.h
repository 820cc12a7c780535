/* look.h: what a GPU vendor's libraries say of this machine: `bulletproof-worker look VENDOR`, started by
 * doctor with the user's own rights. No candidate is near, and nothing is confined: the question is what
 * is in the way outside the sandbox. A process of its own, because such libraries hang, crash and stay. */
#ifndef BP_EVALUATOR_LOOK_H
#define BP_EVALUATOR_LOOK_H

/* Prints lines "KEY TEXT": library, no_library, compiler, no_compiler, driver (version), init and count
 * (status and its name; count's number), gpu (architecture, MiB, name). Returns the exit status; 2 for an
 * unknown vendor. */
int bp_look(const char *vendor);

#endif
