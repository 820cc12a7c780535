/* crash_report.h: reads what a dying run child said of its crash (evaluator/crash.h) out of its log.
 * Pure.
 *
 * The log is the candidate's to write: a report is a hint for people, may be forged or missing, and
 * decides nothing. What is taken from it is short and of harmless characters, whatever was there. */
#ifndef BP_HARNESS_SUPERVISE_CRASH_REPORT_H
#define BP_HARNESS_SUPERVISE_CRASH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "evaluator/messages.h"

#define BP_CRASH_TRACE 4096

struct bp_crash_report {
    int signal;
    char address[BP_TEXT_SHORT];   /* "0x7f12", or "?" where the processor does not tell it */
    char place[BP_TEXT_SHORT * 2]; /* "gqa_kernel0+0x1c4 (object+0x11c4)" */
    char
        trace[BP_CRASH_TRACE]; /* lines such as place: the stack's, innermost first; may be empty */
};

/* The last report of that signal in size bytes of log: false when there is none. */
bool bp_crash_report_read(const char *log, size_t size, int signal, struct bp_crash_report *report);

#endif
