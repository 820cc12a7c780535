#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

void must(int result, const struct bp_error *err)
{
    if (result < 0)
        fail_msg("%s", err->msg);
}
