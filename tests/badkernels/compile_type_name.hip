/*! bulletproof
name: compile_type_name
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILE_LIMIT|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* A diagnostic that names a type whose name doubles thirty times. */
#include "gqa.h"

template <class A, class B> struct pair {
    static constexpr bool value = false;
};
template <int N> struct doubled {
    using half = typename doubled<N - 1>::type;
    using type = pair<half, half>;
};
template <> struct doubled<0> {
    using type = int;
};

static_assert(doubled<30>::type::value, "too long a name");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    typename doubled<30>::type x = o;
    gqa_store(o, 1.0f);
}
