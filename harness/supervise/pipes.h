/* pipes.h: everything a supervisor and one child talk over, both ends, before the launch. */
#ifndef BP_HARNESS_SUPERVISE_PIPES_H
#define BP_HARNESS_SUPERVISE_PIPES_H

#include "base/error.h"

/* Pipes: [0] is read, [1] is written. Of control, [0] is the supervisor's end. All owned,
 * close-on-exec, -1 when closed or taken. */
struct bp_pipes {
    int requests[2], answers[2], control[2], log[2], status[2];
};

/* The supervisor's ends of requests, answers and log do not block; what comes over control[0] brings
 * its sender's credentials. On failure nothing stays open. */
int bp_pipes_open(struct bp_pipes *pipes, struct bp_error *err) BP_MUST_CHECK;
void bp_pipes_close(struct bp_pipes *pipes);

#endif
