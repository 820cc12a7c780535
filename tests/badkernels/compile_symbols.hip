/*! bulletproof
name: compile_symbols
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* Millions of symbols, each with a long name of its own. */
#include "gqa.h"

asm(".macro symbol\n"
    "a_rather_long_name_that_is_kept_in_the_table_of_names_of_this_object_\\@:\n"
    ".endm\n"
    ".rept 20000000\n"
    "symbol\n"
    ".endr\n");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
