#include "base/ln.h"

#include <stdint.h>
#include <string.h>

#define LN_2 0x1.62e42fefa39efp-1
#define SQRT_2 0x1.6a09e667f3bcdp+0
#define FRACTION ((UINT64_C(1) << 52) - 1)
#define ONE UINT64_C(0x3ff0000000000000) /* the bits of 1.0 */
/* x = 2^e m with m in (√½, √2], and ln m = 2 artanh z with z = (m - 1) / (m + 1). Only operations that
 * IEEE 754 rounds; the library is compiled with -ffp-contract=off, so none are fused. */
double bp_ln(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    double exponent = (double)((int64_t)(bits >> 52) - 1023);
    uint64_t fraction = (bits & FRACTION) | ONE;
    double m;
    memcpy(&m, &fraction, sizeof m);
    if (m > SQRT_2) {
        m *= 0.5;
        exponent += 1;
    }
    /* In two halves, which a processor works on at once. z² <= 0.0295: the first term left out is less
     * than 2⁻⁵⁹ of the sum. */
    double z = (m - 1) / (m + 1), s = z * z, t = s * s;
    double even =
        1 + t * (1.0 / 5 + t * (1.0 / 9 + t * (1.0 / 13 + t * (1.0 / 17 + t * (1.0 / 21)))));
    double odd = 1.0 / 3 + t * (1.0 / 7 + t * (1.0 / 11 + t * (1.0 / 15 + t * (1.0 / 19))));
    return exponent * LN_2 + 2 * z * (even + s * odd);
}
