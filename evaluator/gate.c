#include "evaluator/gate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evaluator/imports.h"
#include "evaluator/simt.h"
#include "kernels/include/gqa_simt.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))
#define THREAD_STACK_BYTES (8u << 20)

static struct {
    uint32_t gates;
    bp_gate_stop stop;
    void *context;
    struct bp_shadow *shadow;
    const struct bp_object *object;
    bool active; /* a launch is running */
    uintptr_t frame;
    uintptr_t repeated; /* a read of this address that comes next is the atomic one's shadow */
    uint64_t waiting[BP_SIMT_BLOCK_THREADS]; /* where a thread waits for others, else 0 */
} gate;

/* ---- who and where ---- */

static uint32_t thread_number(void)
{
    const struct bp_simt_dim *t = &bp_simt_self.thread, *n = &bp_simt_self.block_dim;
    return ((t->z * n->y + t->y) * n->x + t->x) % BP_SIMT_BLOCK_THREADS;
}

static uint64_t block_number(void)
{
    const struct bp_simt_dim *b = &bp_simt_self.block, *n = &bp_simt_self.grid_dim;
    return ((uint64_t)b->z * n->y + b->y) * n->x + b->x;
}

/* The call before a return address. */
static uint64_t code_of(uintptr_t caller)
{
    return bp_object_address(gate.object, caller - 1);
}

static bool is_own_stack(uintptr_t address)
{
    uintptr_t low, high;
    if (!bp_simt_fiber_stack(&low, &high)) {
        low = gate.frame - THREAD_STACK_BYTES;
        high = gate.frame;
    }
    return address >= low && address < high;
}

/* ---- accesses ---- */

/* Clang puts the call in place of an atomic load's value and leaves the load, which it then also
 * reports as a plain one. */
static bool is_repeated(uintptr_t address)
{
    bool repeated = gate.repeated == address;
    gate.repeated = 0;
    return repeated;
}

static void check(enum bp_shadow_access access, bool atomic, uintptr_t address, uint64_t bytes,
                  uintptr_t caller)
{
    struct bp_msg_gate_result finding;
    if (!gate.active || is_own_stack(address))
        return;
    bp_shadow_enter(gate.shadow, block_number(), thread_number());
    if (!bp_shadow_check(gate.shadow, access, atomic, address, bytes, code_of(caller), &finding))
        gate.stop(gate.context, &finding);
}

#define ACCESSES(size)                                                                             \
    static void load##size(uintptr_t address)                                                      \
    {                                                                                              \
        if (!is_repeated(address))                                                                 \
            check(BP_SHADOW_READ, false, address, size, CALLER);                                   \
    }                                                                                              \
    static void store##size(uintptr_t address)                                                     \
    {                                                                                              \
        check(BP_SHADOW_WRITE, false, address, size, CALLER);                                      \
    }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
#undef ACCESSES

static void load_many(uintptr_t address, size_t bytes)
{
    check(BP_SHADOW_READ, false, address, bytes, CALLER);
}

static void store_many(uintptr_t address, size_t bytes)
{
    check(BP_SHADOW_WRITE, false, address, bytes, CALLER);
}

static void *checked_memcpy(void *to, const void *from, size_t bytes)
{
    check(BP_SHADOW_READ, false, (uintptr_t)from, bytes, CALLER);
    check(BP_SHADOW_WRITE, false, (uintptr_t)to, bytes, CALLER);
    return memcpy(to, from, bytes);
}

static void *checked_memmove(void *to, const void *from, size_t bytes)
{
    check(BP_SHADOW_READ, false, (uintptr_t)from, bytes, CALLER);
    check(BP_SHADOW_WRITE, false, (uintptr_t)to, bytes, CALLER);
    return memmove(to, from, bytes);
}

static void *checked_memset(void *to, int value, size_t bytes)
{
    check(BP_SHADOW_WRITE, false, (uintptr_t)to, bytes, CALLER);
    return memset(to, value, bytes);
}

static int checked_memcmp(const void *a, const void *b, size_t bytes)
{
    check(BP_SHADOW_READ, false, (uintptr_t)a, bytes, CALLER);
    check(BP_SHADOW_READ, false, (uintptr_t)b, bytes, CALLER);
    return memcmp(a, b, bytes);
}

/* ---- atomics: one thread runs them, so the plain operation does ---- */

/* clang-format off: a function a line */
#define ATOMIC_UPDATE(bits, name, result)                                                          \
    static uint##bits##_t name##bits(uint##bits##_t *p, uint##bits##_t v, int order)               \
    {                                                                                              \
        (void)order;                                                                               \
        check(BP_SHADOW_UPDATE, true, (uintptr_t)p, sizeof *p, CALLER);                            \
        uint##bits##_t old = *p;                                                                   \
        *p = (uint##bits##_t)(result);                                                             \
        return old;                                                                                \
    }
#define ATOMICS(bits)                                                                              \
    static uint##bits##_t atomic_load##bits(uint##bits##_t *p, int order)                          \
    {                                                                                              \
        (void)order;                                                                               \
        check(BP_SHADOW_READ, true, (uintptr_t)p, sizeof *p, CALLER);                              \
        gate.repeated = (uintptr_t)p;                                                              \
        return *p;                                                                                 \
    }                                                                                              \
    static void atomic_store##bits(uint##bits##_t *p, uint##bits##_t v, int order)                 \
    {                                                                                              \
        (void)order;                                                                               \
        check(BP_SHADOW_WRITE, true, (uintptr_t)p, sizeof *p, CALLER);                             \
        *p = v;                                                                                    \
    }                                                                                              \
    ATOMIC_UPDATE(bits, atomic_exchange, v)                                                        \
    ATOMIC_UPDATE(bits, atomic_fetch_add, old + v)                                                 \
    ATOMIC_UPDATE(bits, atomic_fetch_sub, old - v)                                                 \
    ATOMIC_UPDATE(bits, atomic_fetch_and, old &v)                                                  \
    ATOMIC_UPDATE(bits, atomic_fetch_or, old | v)                                                  \
    ATOMIC_UPDATE(bits, atomic_fetch_xor, old ^ v)                                                 \
    ATOMIC_UPDATE(bits, atomic_fetch_nand, ~(old & v))                                             \
    static uint##bits##_t atomic_compare##bits(uint##bits##_t *p, uint##bits##_t expected,         \
                                               uint##bits##_t v, int order, int failure)           \
    {                                                                                              \
        (void)order, (void)failure;                                                                \
        check(BP_SHADOW_UPDATE, true, (uintptr_t)p, sizeof *p, CALLER);                            \
        uint##bits##_t old = *p;                                                                   \
        if (old == expected)                                                                       \
            *p = v;                                                                                \
        return old;                                                                                \
    }
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)
#undef ATOMICS
#undef ATOMIC_UPDATE
/* clang-format on */

/* A fence alone orders nothing; with an atomic beside it the atomic does. */
static void fence(int order)
{
    (void)order;
}

/* ---- barriers and wave operations ---- */

static void begin_wait(uintptr_t caller)
{
    gate.waiting[thread_number()] = code_of(caller);
}

/* On the same fiber again, after others have run. */
static void end_wait(void (*pass)(struct bp_shadow *shadow))
{
    gate.waiting[thread_number()] = 0;
    bp_shadow_enter(gate.shadow, block_number(), thread_number());
    pass(gate.shadow);
}

static void barrier(gqa_u32 site)
{
    begin_wait(CALLER);
    bp_simt_barrier(site);
    end_wait(bp_shadow_barrier);
}

static void wave(gqa_u32 site)
{
    begin_wait(CALLER);
    bp_simt_wave(site);
    end_wait(bp_shadow_wave);
}

static gqa_u64 shuffle(gqa_u32 site, gqa_u64 bits, gqa_u32 source)
{
    begin_wait(CALLER);
    bits = bp_simt_shuffle(site, bits, source);
    end_wait(bp_shadow_wave);
    return bits;
}

/* ---- undefined operations ---- */

static void find_undefined(const char *what, uintptr_t caller)
{
    struct bp_msg_gate_result finding = {.verdict = BP_VERDICT_CRASH, .site_count = 1};
    if (!gate.active)
        return;
    const struct bp_simt_dim *block = &bp_simt_self.block;
    snprintf(finding.cause, sizeof finding.cause, "%s", bp_gate_name(BP_GATE_undefined));
    snprintf(finding.sites[0].text, sizeof finding.sites[0].text,
             "%s by thread %u of block (%u,%u,%u)", what, thread_number(), block->x, block->y,
             block->z);
    finding.sites[0].code = code_of(caller);
    gate.stop(gate.context, &finding);
}

#define UNDEFINED_LIST(X)                                                                          \
    X(add_overflow, "signed overflow in an addition")                                              \
    X(sub_overflow, "signed overflow in a subtraction")                                            \
    X(mul_overflow, "signed overflow in a multiplication")                                         \
    X(negate_overflow, "signed overflow in a negation")                                            \
    X(divrem_overflow, "division by zero or overflow in a division")                               \
    X(shift_out_of_bounds, "shift by a count out of range or of a value that overflows")           \
    X(float_cast_overflow, "conversion of a number that the integer type cannot hold")             \
    X(out_of_bounds, "array index out of bounds")                                                  \
    X(type_mismatch, "misaligned or null access")                                                  \
    X(load_invalid_value, "load of a value that a bool cannot have")                               \
    X(builtin_unreachable, "arrival at a place declared unreachable")                              \
    X(missing_return, "end of a function that owes a value")
#define UNDEFINED(name, what)                                                                      \
    static void undefined_##name(void)                                                             \
    {                                                                                              \
        find_undefined(what, CALLER);                                                              \
    }
UNDEFINED_LIST(UNDEFINED)
#undef UNDEFINED

/* ---- the imports ---- */

#define ROW(name, function, synchronizes)                                                          \
    {                                                                                              \
        name, (void (*)(void))function, synchronizes                                               \
    }
#define ACCESS_ROWS(size)                                                                          \
    ROW("__asan_load" #size "_noabort", load##size, false),                                        \
        ROW("__asan_store" #size "_noabort", store##size, false)
#define ATOMIC_ROW(bits, name, function)                                                           \
    ROW("__tsan_atomic" #bits "_" name, atomic_##function##bits, false)
#define ATOMIC_ROWS(bits)                                                                          \
    ATOMIC_ROW(bits, "load", load), ATOMIC_ROW(bits, "store", store),                              \
        ATOMIC_ROW(bits, "exchange", exchange), ATOMIC_ROW(bits, "fetch_add", fetch_add),          \
        ATOMIC_ROW(bits, "fetch_sub", fetch_sub), ATOMIC_ROW(bits, "fetch_and", fetch_and),        \
        ATOMIC_ROW(bits, "fetch_or", fetch_or), ATOMIC_ROW(bits, "fetch_xor", fetch_xor),          \
        ATOMIC_ROW(bits, "fetch_nand", fetch_nand),                                                \
        ATOMIC_ROW(bits, "compare_exchange_val", compare)
#define UNDEFINED_ROW(name, what) ROW("__ubsan_handle_" #name "_minimal", undefined_##name, false),

static const struct bp_import imports[] = {
    ROW("bp_simt_barrier", barrier, true), ROW("bp_simt_wave", wave, true),
    ROW("bp_simt_shuffle", shuffle, true), ROW("memcpy", checked_memcpy, false),
    ROW("memmove", checked_memmove, false), ROW("memset", checked_memset, false),
    ROW("memcmp", checked_memcmp, false), ROW("bcmp", checked_memcmp, false), ACCESS_ROWS(1),
    ACCESS_ROWS(2), ACCESS_ROWS(4), ACCESS_ROWS(8), ACCESS_ROWS(16),
    ROW("__asan_loadN_noabort", load_many, false), ROW("__asan_storeN_noabort", store_many, false),
    ATOMIC_ROWS(8), ATOMIC_ROWS(16), ATOMIC_ROWS(32), ATOMIC_ROWS(64),
    ROW("__tsan_atomic_thread_fence", fence, false),
    ROW("__tsan_atomic_signal_fence", fence, false),
    /* Of a constructor, which is never called. */
    ROW("__tsan_init", fence, false), UNDEFINED_LIST(UNDEFINED_ROW)};

const struct bp_import *bp_gate_import(const char *name)
{
    for (size_t i = 0; i < sizeof imports / sizeof *imports; i++) {
        if (strcmp(imports[i].name, name) == 0)
            return &imports[i];
    }
    return bp_import_find(name);
}

/* ---- life cycle ---- */

int bp_gate_open(uint32_t gates, bp_gate_stop stop, void *context, struct bp_error *err)
{
    gate.gates = gates;
    gate.stop = stop;
    gate.context = context;
    return bp_shadow_open(gates, &gate.shadow, err);
}

void bp_gate_set_object(const struct bp_object *object)
{
    gate.object = object;
}

int bp_gate_begin_call(const struct bp_gate_call *call, struct bp_error *err)
{
    const struct {
        enum bp_shadow_kind kind;
        const char *name;
        const void *address;
        uint64_t bytes;
    } regions[] = {
        {BP_SHADOW_INPUT, "q", call->q, call->q_bytes},
        {BP_SHADOW_INPUT, "k", call->k, call->kv_bytes},
        {BP_SHADOW_INPUT, "v", call->v, call->kv_bytes},
        {BP_SHADOW_INPUT, "kv_lens", call->kv_lens, call->kv_lens_bytes},
        {BP_SHADOW_OUTPUT, "o", call->o, call->q_bytes},
        {BP_SHADOW_WORKSPACE, "workspace", call->workspace, call->workspace_bytes},
        {BP_SHADOW_OTHER, "object", gate.object->base, gate.object->span},
        {BP_SHADOW_OTHER, "thread", &bp_simt_self, sizeof bp_simt_self},
    };
    bp_shadow_forget_regions(gate.shadow);
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        if (bp_shadow_add(gate.shadow, regions[i].kind, regions[i].name,
                          (uintptr_t)regions[i].address, regions[i].bytes, err) < 0)
            return -1;
    return 0;
}

int bp_gate_begin_launch(const struct gqa_launch *geometry, uint64_t static_lds_bytes,
                         uintptr_t frame, struct bp_error *err)
{
    const uint32_t *block = geometry->block;
    bp_shadow_begin_launch(gate.shadow, geometry->grid, block[0] * block[1] * block[2]);
    memset(gate.waiting, 0, sizeof gate.waiting);
    if (bp_shadow_add(gate.shadow, BP_SHADOW_LDS, "static LDS", (uintptr_t)bp_simt_lds(),
                      static_lds_bytes, err) < 0 ||
        bp_shadow_add(gate.shadow, BP_SHADOW_LDS, "dynamic LDS",
                      (uintptr_t)bp_simt_dynamic_lds(geometry->dynamic_lds), geometry->dynamic_lds,
                      err) < 0)
        return -1;
    gate.frame = frame;
    gate.active = true;
    return 0;
}

void bp_gate_end_launch(void)
{
    gate.active = false;
}

/* The two threads that the fault names; where some have returned, one that waits. */
void bp_gate_of_fault(const char *message, struct bp_msg_gate_result *finding)
{
    const struct bp_simt_fault *fault = bp_simt_last_fault();
    uint32_t threads[BP_GATE_SITES] = {fault->first, fault->second};
    *finding = (struct bp_msg_gate_result){.verdict = BP_VERDICT_RACE, .site_count = BP_GATE_SITES};
    if (fault->kind == BP_SIMT_FAULT_EXITED) {
        finding->site_count = 1;
        for (threads[0] = 0; threads[0] + 1 < BP_SIMT_BLOCK_THREADS; threads[0]++)
            if (gate.waiting[threads[0]] != 0)
                break;
    }
    snprintf(finding->cause, sizeof finding->cause, "%s", message);
    for (uint32_t i = 0; i < finding->site_count; i++) {
        finding->sites[i].code = gate.waiting[threads[i] % BP_SIMT_BLOCK_THREADS];
        snprintf(finding->sites[i].text, sizeof finding->sites[i].text, "thread %u", threads[i]);
    }
}
