/* roll_call.h: asks the devices of a session what they are, which shows that they are there and well. Part
 * of a session. */
#ifndef BP_HARNESS_EVOLVE_ROLL_CALL_H
#define BP_HARNESS_EVOLVE_ROLL_CALL_H

#include "harness/evolve/session.h"

/* One of them. BP_ERR_UNAVAILABLE: it does not answer; BP_ERR_USAGE: it is of another architecture than
 * those asked before. */
int bp_roll_call_ask(struct bp_session *session, struct bp_slot *slot, struct bp_error *err)
    BP_MUST_CHECK;

/* All of them. Of several, those that do not answer are quarantined as long as one does. */
int bp_roll_call(struct bp_session *session, struct bp_error *err) BP_MUST_CHECK;

#endif
