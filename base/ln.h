/* ln.h: the natural logarithm with the same bits on every machine. libm's last bit depends on its
 * version and on whether the processor multiplies and adds in one step; secret inputs must not. */
#ifndef BP_BASE_LN_H
#define BP_BASE_LN_H

/* Of a positive, finite, normal x; within 2 units of the last place. */
double bp_ln(double x);

#endif
