/* waiting.h: serving a session's events until something holds. All return -1 when a signal asked to
 * stop (BP_ERR_INTERRUPTED) or the loop itself failed, and for no other reason. */
#ifndef BP_HARNESS_EVOLVE_WAITING_H
#define BP_HARNESS_EVOLVE_WAITING_H

#include "harness/evolve/session.h"

/* Serves what is due, once. */
int bp_waiting_step(struct bp_session *session, struct bp_error *err) BP_MUST_CHECK;

int bp_waiting_pause(struct bp_session *session, double ms, struct bp_error *err) BP_MUST_CHECK;

/* The bp_prepare_done of each; context is the struct bp_orders. */
void bp_orders_done(void *context, const struct bp_error *err);
/* Until all are done, one way or the other. */
int bp_waiting_orders(struct bp_session *session, struct bp_orders *orders, struct bp_error *err)
    BP_MUST_CHECK;

#endif
