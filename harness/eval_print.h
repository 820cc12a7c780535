/* eval_print.h: one evaluation as text for people. */
#ifndef BP_HARNESS_EVAL_PRINT_H
#define BP_HARNESS_EVAL_PRINT_H

#include "harness/store/evaluation.h"

/* On standard output. */
void bp_eval_print(const struct bp_evaluation *evaluation);

#endif
