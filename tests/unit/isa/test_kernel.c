/* Kernels as hipRTC compiles them for gfx1030, run without ROCm's runtime: a loop with scratch, a
 * reduction through LDS and shuffles, division and a function that is not inlined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/emulator/isa/dispatch.h"
#include "tests/contract/runtime_compiler.h"
#include "tests/unit/isa/code.h"

static const char source[] =
    "extern \"C\" __device__ __attribute__((noinline)) float twice(float x, int n)\n"
    "{\n"
    "    volatile float kept[8];\n"
    "    for (int i = 0; i < 8; i++)\n"
    "        kept[i] = x * i;\n"
    "    return kept[n & 7];\n"
    "}\n"
    "extern \"C\" __global__ void sums(const float *in, float *out, int count)\n"
    "{\n"
    "    __shared__ float partial[4];\n"
    "    float sum = 0;\n"
    "    for (int i = threadIdx.x; i < count; i += blockDim.x)\n"
    "        sum += in[blockIdx.x * count + i];\n"
    "    for (int mask = 16; mask; mask /= 2)\n"
    "        sum += __shfl_xor(sum, mask, 32);\n"
    "    if (threadIdx.x % 32 == 0)\n"
    "        partial[threadIdx.x / 32] = sum;\n"
    "    __syncthreads();\n"
    "    if (threadIdx.x == 0) {\n"
    "        float total = 0;\n"
    "        for (int i = 0; i < blockDim.x / 32; i++)\n"
    "            total += partial[i];\n"
    "        out[blockIdx.x] = twice(total / count, 2);\n"
    "    }\n"
    "}\n"
    "extern \"C\" __global__ void halves(const unsigned short *in, unsigned short *out)\n"
    "{\n"
    "    union { unsigned short u[2]; _Float16 h[2]; } a, b;\n"
    "    const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    a.u[0] = in[2 * i]; a.u[1] = in[2 * i + 1];\n"
    "    b.h[0] = a.h[0] * a.h[1] + (_Float16)1; b.h[1] = a.h[0] - a.h[1];\n"
    "    out[2 * i] = b.u[0]; out[2 * i + 1] = b.u[1];\n"
    "}\n";

enum { BLOCKS = 3, THREADS = 128, COUNT = 1000 };

static struct bp_buffer object;
static struct isa_code code;

/* Arguments as the compiler lays them out, with the sizes behind them that blockDim is read from. */
struct sums_arguments {
    const float *in;
    float *out;
    int32_t count;
    uint32_t padding;
    unsigned char hidden[256];
};

/* The AQL packet: blockDim is read from its workgroup sizes. */
struct packet {
    uint16_t header, setup, workgroup[3], reserved;
    uint32_t grid[3], private_bytes, lds_bytes;
    uint64_t kernel, kernarg, reserved2, completion;
};

static void run(const char *kernel, const void *arguments, uint32_t blocks, uint32_t threads,
                struct emu_outcome *outcome)
{
    const void *descriptor = isa_code_symbol(&code, kernel);
    assert_non_null(descriptor);
    struct packet packet = {.workgroup = {(uint16_t)threads, 1, 1},
                            .grid = {blocks * threads, 1, 1}};
    uint32_t lds_bytes;
    memcpy(&lds_bytes, descriptor, sizeof lds_bytes);
    const struct emu_dispatch dispatch = {
        .isa = "gfx1030",
        .kernel_descriptor = descriptor,
        .grid = {blocks * threads, 1, 1},
        .workgroup = {(uint16_t)threads, 1, 1},
        .lds_bytes = lds_bytes,
        .kernarg = arguments,
        .packet = &packet,
        .max_instructions = 10000000,
    };
    if (emu_dispatch_run(&dispatch, outcome) || outcome->end != EMU_DONE)
        fail_msg("%s: %s", emu_end_name(outcome->end), outcome->what);
}

static void sums(void **state)
{
    (void)state;
    static float in[BLOCKS * COUNT], out[BLOCKS];
    struct emu_outcome outcome;
    for (int i = 0; i < BLOCKS * COUNT; i++)
        in[i] = (float)(i % 17) - 8.f;
    static const struct sums_arguments arguments = {in, out, COUNT, 0, {0}};
    run("sums.kd", &arguments, BLOCKS, THREADS, &outcome);
    for (int block = 0; block < BLOCKS; block++) {
        float sum = 0; /* of small integers, exact in any order */
        for (int i = 0; i < COUNT; i++)
            sum += in[block * COUNT + i];
        const float wanted = sum / (float)COUNT * 2.f;
        assert_memory_equal(&out[block], &wanted, sizeof wanted);
    }
    assert_true(outcome.counters.valu > 100 && outcome.counters.lds > 0);
}

static void halves(void **state)
{
    (void)state;
    static uint16_t in[64], out[64];
    struct emu_outcome outcome;
    static const struct {
        const uint16_t *in;
        uint16_t *out;
        unsigned char hidden[256];
    } arguments = {in, out, {0}};
    for (int i = 0; i < 32; i++) {
        in[2 * i] = 0x3c00;     /* 1 */
        in[2 * i + 1] = 0x4200; /* 3 */
    }
    run("halves.kd", &arguments, 1, 32, &outcome);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(out[2 * i], 0x4400);     /* 4 */
        assert_int_equal(out[2 * i + 1], 0xc000); /* -2 */
    }
}

int main(void)
{
    const char *reason = NULL;
    const struct bp_runtime_compiler *compiler = bp_runtime_open(BP_RUNTIME_HIPRTC, &reason);
    struct bp_buffer log;
    bp_buffer_init(&object, 1 << 20);
    bp_buffer_init(&log, 1 << 16);
    if (!compiler) {
        printf("skipped: no hipRTC: %s\n", reason);
        return 77;
    }
    static const char *const options[] = {"-O3"};
    if (!bp_runtime_compile(compiler, "gfx1030", source, NULL, 0, options, 1, &object, &log) ||
        !isa_code_load(&code, object.data, object.size)) {
        printf("not compiled: %.*s\n", (int)log.size, (const char *)log.data);
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums), cmocka_unit_test(halves)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    isa_code_release(&code);
    bp_buffer_free(&object);
    bp_buffer_free(&log);
    return failed;
}
