/* The reference against the formulas of docs/correctness.md, computed the slow way in long double
 * for every row of small cases. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/inputs.h"
#include "evaluator/reference.h"

#define MAX_KEYS 256

static const struct bp_shape shapes[] = {
    {"offset", 1, 4, 2, 5, 67, 128, .causal = 1},
    {"window", 2, 3, 1, 9, 40, 64, .causal = 1, .window = 7},
    {"ragged", 3, 2, 2, 4, 33, 72, .ragged = 1, .kv_lens = {33, 0, 1}},
    {"masked", 1, 2, 1, 20, 12, 8, .causal = 1},
    {"long", 1, 2, 1, 2, 200, 128},
};

struct answer {
    long double o, c, n, g;
};

struct loaded {
    const struct bp_case *item;
    enum bp_dtype dtype;
    struct bp_input_layout in;
    const uint8_t *master;
};

static long double element(const struct loaded *x, struct bp_extent extent, size_t index)
{
    return bp_dtype_load(x->dtype, x->master + extent.offset + index * bp_dtype_size(x->dtype));
}

/* Returns the denominator of rule 3. */
static long double answer_row(const struct loaded *x, struct bp_row row,
                              const struct bp_error_class *k, struct answer *answers)
{
    const struct bp_shape *s = &x->item->shape;
    uint32_t dim = s->head_dim, begin, end;
    size_t q = (((size_t)row.batch * s->q_heads + row.head) * s->q_len + row.token) * dim;
    size_t kv =
        ((size_t)row.batch * s->kv_heads + row.head / (s->q_heads / s->kv_heads)) * s->kv_len * dim;
    long double scale = bp_shape_scale(s), score[MAX_KEYS], t[MAX_KEYS], p[MAX_KEYS];
    long double top = -INFINITY, total = 0, mean = 0, flush = 0, pooled = 0;
    bp_shape_visible(s, row.batch, row.token, &begin, &end);
    memset(answers, 0, dim * sizeof *answers);
    if (begin >= end)
        return 0;
    for (uint32_t j = begin; j < end; j++) {
        long double dot = 0, squares = 0;
        for (uint32_t d = 0; d < dim; d++) {
            long double product =
                element(x, x->in.q, q + d) * element(x, x->in.k, kv + (size_t)j * dim + d);
            dot += product;
            squares += product * product;
        }
        score[j] = scale * dot;
        t[j] = sqrtl(score[j] * score[j] + scale * scale * squares);
        top = fmaxl(top, score[j]);
    }
    for (uint32_t j = begin; j < end; j++)
        total += p[j] = expl(score[j] - top);
    for (uint32_t j = begin; j < end; j++) {
        p[j] /= total;
        mean += p[j] * score[j];
        flush += x->dtype == BP_DTYPE_F16 && p[j] < 0x1p-24L ? p[j] : 0;
    }
    for (uint32_t d = 0; d < dim; d++) {
        struct answer *r = &answers[d];
        long double a2 = 0, a = 0, b2 = 0, b = 0, w = 0, v_max = 0;
        for (uint32_t j = 0; j < bp_shape_kv_len(s, row.batch); j++)
            v_max = fmaxl(v_max, fabsl(element(x, x->in.v, kv + (size_t)j * dim + d)));
        for (uint32_t j = begin; j < end; j++) {
            long double v = element(x, x->in.v, kv + (size_t)j * dim + d), p_hat = p[j];
            if (x->dtype == BP_DTYPE_F16 && p[j] <= 0x1p-14L)
                p_hat = fminl(0x1p-14L, p[j] / k->u_p);
            long double spread = p[j] * expm1l(k->u_s * t[j]) / k->u_s;
            r->o += p[j] * v;
            r->g += p[j] * (score[j] - mean) * v;
            a2 += p_hat * p_hat * v * v;
            a += p_hat * p_hat;
            b2 += spread * spread * v * v;
            b += spread * spread;
            w += p[j] * fabsl(v);
        }
        long double drift = k->gamma * sqrtl(1 + (end - begin) / 64.0L) * w;
        long double lost = flush * v_max;
        r->c = (k->u_o + k->c * k->u_p) * fabsl(r->o) + k->eta + drift + lost;
        r->n = sqrtl(k->u_p * k->u_p * (a2 + r->o * r->o * a) +
                     k->u_s * k->u_s * (b2 + r->o * r->o * b));
        pooled += k->u_o * r->o * k->u_o * r->o + r->n * r->n + k->eta * (long double)k->eta +
                  drift * drift + lost * lost;
    }
    return pooled;
}

static void close_to(long double got, long double want, long double tolerance, const char *what,
                     const struct loaded *x)
{
    if (fabsl(got - want) > tolerance)
        fail_msg("%s of %s %s %s: got %Lg, want %Lg", what, x->item->shape.name,
                 bp_family_name(x->item->family), bp_dtype_name(x->dtype), got, want);
}

static void check_case(const struct bp_case *item, enum bp_dtype dtype,
                       enum bp_strictness strictness)
{
    struct loaded x = {.item = item, .dtype = dtype};
    struct bp_key key;
    static struct answer want[BP_MAX_HEAD_DIM];
    bp_layout_inputs(&item->shape, dtype, &x.in);
    uint8_t *master = calloc(1, x.in.bytes);
    void *reference = malloc(bp_reference_bytes(item));
    bp_key_from_seed(11, &key);
    bp_inputs_make(&item->shape, item->family, dtype, &key, master);
    x.master = master;
    bp_reference_make(item, dtype, strictness, &key, master, reference);

    const struct bp_reference_header *header = reference;
    assert_int_equal(header->rows, bp_rows_count(&item->shape, item->max_rows));
    for (uint64_t i = 0; i < header->rows; i++) {
        struct bp_row row = bp_rows_at(&item->shape, &key, item->max_rows, i);
        struct bp_reference_row got = bp_reference_row(reference, i);
        long double pooled = answer_row(&x, row, bp_error_class(dtype, strictness), want);
        close_to(got.pooled_noise, pooled, 1e-4L * pooled, "pooled noise", &x);
        for (uint32_t d = 0; d < item->shape.head_dim; d++) {
            /* n >= u_p * |p v| summed in squares: a yardstick free of cancellation. */
            close_to(got.o[d], want[d].o, 1e-9L * (want[d].c + want[d].n), "o", &x);
            close_to(got.c[d], want[d].c, 1e-4L * want[d].c, "c", &x);
            close_to(got.n[d], want[d].n, 1e-4L * want[d].n + 1e-44L, "n", &x);
            close_to(got.g[d], want[d].g, 1e-3L * (fabsl(want[d].g) + want[d].c), "g", &x);
        }
    }
    free(master);
    free(reference);
}

static void test_formulas(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int family = 0; family < BP_FAMILY_COUNT; family++) {
            struct bp_case item = {shapes[s], (enum bp_family)family, 12};
            for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++)
                check_case(&item, (enum bp_dtype)dtype,
                           (family + dtype) % 2 ? BP_LENIENT : BP_STRICT);
        }
    }
}

/* The table of docs/correctness.md. */
static void test_classes(void **state)
{
    (void)state;
    assert_true(bp_error_class(BP_DTYPE_BF16, BP_STRICT)->u_p == 0x1p-8);
    assert_true(bp_error_class(BP_DTYPE_BF16, BP_STRICT)->u_s == 0x1p-19);
    assert_true(bp_error_class(BP_DTYPE_BF16, BP_LENIENT)->u_s == 0x1p-8);
    assert_true(bp_error_class(BP_DTYPE_F16, BP_LENIENT)->u_s == 0x1p-11);
    assert_true(bp_error_class(BP_DTYPE_F16, BP_STRICT)->eta == 1.5 * 0x1p-24);
    assert_true(bp_error_class(BP_DTYPE_F32, BP_STRICT)->gamma == 0x1p-19);
    assert_true(fabs(log2(bp_error_class(BP_DTYPE_F32, BP_LENIENT)->u_p) + 9.5) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
