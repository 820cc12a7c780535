#include "evaluator/imports.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "evaluator/simt.h"
#include "kernels/include/gqa_simt.h"

#define FUNCTION(name)                                                                             \
    {                                                                                              \
#name, (void (*)(void))name, false                                                         \
    }

static const struct bp_import imports[] = {
    {"bp_simt_self", NULL, false},
    {"bp_simt_barrier", (void (*)(void))bp_simt_barrier, true},
    {"bp_simt_wave", (void (*)(void))bp_simt_wave, true},
    {"bp_simt_shuffle", (void (*)(void))bp_simt_shuffle, true},
    /* __shared__ variables are thread-local in the object; their block is the executor's LDS. */
    {"__tls_get_addr", (void (*)(void))bp_simt_tls_address, false},
    FUNCTION(memcpy),
    FUNCTION(memmove),
    FUNCTION(memset),
    FUNCTION(memcmp),
    FUNCTION(bcmp), /* what clang makes of memcmp(a, b, n) == 0 */
    FUNCTION(expf),
    FUNCTION(exp2f),
    FUNCTION(logf),
    FUNCTION(log2f),
    FUNCTION(log1pf),
    FUNCTION(expm1f),
    FUNCTION(powf),
    FUNCTION(tanhf),
    FUNCTION(sinf),
    FUNCTION(cosf),
    FUNCTION(sqrtf),
    FUNCTION(fabsf),
    FUNCTION(fmaxf),
    FUNCTION(fminf),
    FUNCTION(fmaf),
    FUNCTION(floorf),
    FUNCTION(ceilf),
    FUNCTION(truncf),
    FUNCTION(rintf),
    FUNCTION(roundf),
    FUNCTION(fmodf),
    FUNCTION(ldexpf),
    FUNCTION(copysignf),
    FUNCTION(exp),
    FUNCTION(exp2),
    FUNCTION(log),
    FUNCTION(sqrt),
    FUNCTION(fabs),
    FUNCTION(fma),
};

const struct bp_import *bp_import_find(const char *name)
{
    for (size_t i = 0; i < sizeof imports / sizeof *imports; i++) {
        if (strcmp(imports[i].name, name) == 0)
            return &imports[i];
    }
    return NULL;
}

uint64_t bp_import_self_offset(void)
{
    char *thread_pointer;
    __asm__("mov %%fs:0, %0" : "=r"(thread_pointer));
    return (uint64_t)((char *)&bp_simt_self - thread_pointer);
}
