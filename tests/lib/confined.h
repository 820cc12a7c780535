/* confined.h: the start of a worker of a test's own: enters the sandbox as its command line says, and
 * says that it is ready. */
#ifndef BP_TESTS_LIB_CONFINED_H
#define BP_TESTS_LIB_CONFINED_H

#include "evaluator/channel.h"

/* False when a layer or the channel failed: then it is to exit. */
bool confined_start(int argc, char **argv, const char *stage, struct bp_channel *channel);

#endif
