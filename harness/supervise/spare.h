/* spare.h: a compile child that was started ahead of need. It confines itself and then waits for its first
 * request; until then it holds nothing of any candidate. It serves one, like every other. */
#ifndef BP_HARNESS_SUPERVISE_SPARE_H
#define BP_HARNESS_SUPERVISE_SPARE_H

#include "harness/supervise/child.h"
#include "harness/supervise/settings.h"

/* Zeroed is empty. Must not move while it holds a child. */
struct bp_spare {
    struct bp_child *child; /* null: none, or it ended before it was needed */
    bool ready;             /* confined, and waiting */
};

/* How every compile child is started that makes code for arch: another compiler is another stage.
 * handlers and context are left to the caller. */
void bp_spare_describe(const struct bp_child_settings *settings, const char *arch,
                       struct bp_child_options *options);

/* Fills an empty one. Nobody needs it yet, so that a failure is only logged. */
void bp_spare_fill(struct bp_spare *spare, const struct bp_child_settings *settings,
                   const char *arch);

/* Whether its child is on its way to being ready. */
bool bp_spare_is_starting(const struct bp_spare *spare);

/* The child with its owner's handlers from now on, or null when there is none that lives. *ready: it has
 * said so already, and will not again. */
struct bp_child *bp_spare_take(struct bp_spare *spare, const struct bp_child_handlers *handlers,
                               void *context, bool *ready);

/* Kills it. Safe at any time. */
void bp_spare_release(struct bp_spare *spare);

#endif
