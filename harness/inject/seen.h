/* seen.h: what can come of a run under faults: a verdict, or one of a few words about the run. Sets of
 * them are bit masks. */
#ifndef BP_HARNESS_INJECT_SEEN_H
#define BP_HARNESS_INJECT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evaluator/verdict.h"

/* Beside the verdicts; the first two may be expected. */
#define BP_SEEN_LIST(X)                                                                            \
    X(STOPPED) /* exit status 20, a message, the record intact */                                  \
    X(WAITED)  /* for its device, until it was told to stop */                                     \
    X(DIED)    /* the harness process: a signal, a sanitizer's report */                           \
    X(HUNG)    /* it had to be killed */                                                           \
    X(SILENT)  /* an exit status that nothing explains */                                          \
    X(LOST)    /* the record is damaged, or lacks what was shown */                                \
    X(NEXT)    /* a right candidate after a wrong one did not pass */                              \
    X(UNMET)   /* the fault never happened */

enum bp_seen {
    BP_SEEN_FIRST = BP_VERDICT_COUNT - 1, /* the list follows the verdicts */
#define BP_SEEN_ENUM(name) BP_SEEN_##name,
    BP_SEEN_LIST(BP_SEEN_ENUM)
#undef BP_SEEN_ENUM
        BP_SEEN_COUNT
};

#define BP_SEEN_BIT(seen) (UINT64_C(1) << (seen))
#define BP_SEEN_TEXT 160

/* "PASS|STOPPED"; "-" for none. */
void bp_seen_format(uint64_t set, char text[BP_SEEN_TEXT]);
/* False, with the first unknown word in word, when text is no such set of verdicts, STOPPED, WAITED. */
bool bp_seen_parse(const char *text, uint64_t *set, char word[32]);

#endif
