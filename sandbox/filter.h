/* filter.h: the seccomp programs, made at build time (calls.c says what they allow), and their
 * installation. */
#ifndef BP_SANDBOX_FILTER_H
#define BP_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

#include "base/error.h"
#include "sandbox/policy.h"

/* The stages' filters have the numbers of their policies. */
enum bp_filter_id {
    BP_FILTER_CANDIDATE_CPU = BP_POLICY_COUNT, /* on top of BP_POLICY_RUN_CPU's; the others alike */
    BP_FILTER_CANDIDATE_EMULATED,
    BP_FILTER_CANDIDATE_AMD,
    BP_FILTER_CANDIDATE_NVIDIA,
    BP_FILTER_INIT, /* of a tree: reaps and reports */
    BP_FILTER_COUNT
};

/* Stands in a program where the number of the installing process belongs. */
#define BP_FILTER_SELF 0x7e57ab1eU

struct bp_filter_program {
    const struct sock_filter *code;
    unsigned short length;
    unsigned short self_count; /* places of BP_FILTER_SELF */
};

extern const struct bp_filter_program bp_filter_programs[BP_FILTER_COUNT];

/* How a filter is put on. */
enum bp_filter_mode {
    BP_FILTER_QUIET,          /* no listener */
    BP_FILTER_LISTEN,         /* *listener: a new close-on-exec descriptor, the caller's */
    BP_FILTER_LISTEN_THREADS, /* the same, and on every thread of the process */
};

/* No new privileges must be set. listener may be null for BP_FILTER_QUIET. */
int bp_filter_install(unsigned id, enum bp_filter_mode mode, int *listener, struct bp_error *err)
    BP_MUST_CHECK;

#endif
