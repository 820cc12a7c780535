/* rounding.h: number formats that kernels round to, honestly or not. */
#ifndef BP_TESTS_ROUNDING_H
#define BP_TESTS_ROUNDING_H

#include "evaluator/problem.h"

float round_to(enum bp_dtype dtype, float x);      /* nearest even */
float round_down_to(enum bp_dtype dtype, float x); /* toward zero */
float round_bits(float x, int bits);               /* so many mantissa bits behind the first */
float round_e4m3(float x);                         /* fp8, 3 mantissa bits, saturating at 448 */
float round_e5m2(float x);                         /* fp8, 2 mantissa bits */

#endif
