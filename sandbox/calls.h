/* calls.h: which system calls each filter allows; read by filter_generate.c at build time only. */
#ifndef BP_SANDBOX_CALLS_H
#define BP_SANDBOX_CALLS_H

#include <stdint.h>

#include "sandbox/filter.h"

enum bp_call_action {
    BP_CALL_ALLOW,
    BP_CALL_NOTIFY, /* stops in the call and tells the listener */
    BP_CALL_KILL,   /* the whole process, SIGSYS */
    BP_CALL_DENY,   /* EACCES: probes of libraries, harmless and no candidate's doing */
    BP_CALL_ABSENT, /* ENOSYS: the library falls back */
    BP_CALL_TRACE,  /* without a tracer ENOSYS; weaker than a later filter's notification */
};

/* (argument & mask) == value. */
struct bp_call_condition {
    unsigned argument;
    uint64_t mask, value;
};

#define BP_CALL_CONDITIONS 2
struct bp_call_rule {
    const char *call;
    enum bp_call_action action;
    unsigned condition_count;
    struct bp_call_condition conditions[BP_CALL_CONDITIONS];
};

struct bp_call_set {
    const struct bp_call_rule *rules;
    unsigned count;
};

#define BP_FILTER_SETS 10
struct bp_filter_calls {
    enum bp_call_action otherwise;
    const struct bp_call_set *sets[BP_FILTER_SETS]; /* up to the first null */
};

extern const struct bp_filter_calls bp_filter_calls[BP_FILTER_COUNT];

#endif
