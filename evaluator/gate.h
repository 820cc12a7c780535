/* gate.h: the other end of clang's instrumentation: what an object compiled for the gates calls at each
 * access, atomic, barrier and undefined operation. One process runs one such object on one thread.
 *
 * The object is a candidate like any other: it can call these functions wrongly or not at all. A finding
 * is a tool against honest mistakes; that there is none proves nothing. */
#ifndef BP_EVALUATOR_GATE_H
#define BP_EVALUATOR_GATE_H

#include "evaluator/object.h"
#include "evaluator/shadow.h"

/* Ends the process, or the test. Called on a fiber's stack, before the access is made. */
typedef void (*bp_gate_stop)(void *context, const struct bp_msg_gate_result *finding)
    __attribute__((noreturn));

int bp_gate_open(uint32_t gates, bp_gate_stop stop, void *context, struct bp_error *err)
    BP_MUST_CHECK;

/* The imports of plain objects and the instrumentation's. */
const struct bp_import *bp_gate_import(const char *name);

/* Once it is mapped; borrowed as long as it runs. */
void bp_gate_set_object(const struct bp_object *object);

/* Tensors and workspace of the next call. */
struct bp_gate_call {
    const void *q, *k, *v, *o, *kv_lens, *workspace;
    uint64_t q_bytes, kv_bytes, kv_lens_bytes, workspace_bytes;
};
int bp_gate_begin_call(const struct bp_gate_call *call, struct bp_error *err) BP_MUST_CHECK;

/* Around each launch; accesses outside are not looked at. frame: of a function that calls this and
 * bp_simt_run; what lies below is the stack of threads that are no fibers. */
int bp_gate_begin_launch(const struct gqa_launch *geometry, uint64_t static_lds_bytes,
                         uintptr_t frame, struct bp_error *err) BP_MUST_CHECK;
void bp_gate_end_launch(void);

/* What bp_simt_run's fault is as a finding; message is what it said. */
void bp_gate_of_fault(const char *message, struct bp_msg_gate_result *finding);

#endif
