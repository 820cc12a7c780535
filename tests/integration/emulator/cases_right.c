#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/emulator/cases.h"

static void device_is_there(const struct hip *hip)
{
    static char properties[16384]; /* its layout differs between versions */
    int count = 0;
    EXPECT(hip, hip->device_count(&count), HIP_SUCCESS);
    REQUIRE(count == 1);
    EXPECT(hip, hip->device_properties(properties, 0), HIP_SUCCESS);
    REQUIRE(strncmp(properties, "Emulated ", 9) == 0);
    REQUIRE(memmem(properties, sizeof(properties), emulated_arch(), strlen(emulated_arch())));
    size_t left = 0, total = 0;
    EXPECT(hip, hip->memory(&left, &total), HIP_SUCCESS);
    REQUIRE(left <= total && total == (size_t)2 << 30);
}

/* hipMemset and copies within the device are kernels of the runtime's own. */
static void memory_keeps_bytes(const struct hip *hip)
{
    enum { BYTES = 3 << 20 };
    unsigned char *host = malloc(BYTES), *back = malloc(BYTES);
    void *first, *second;
    for (size_t n = 0; n < BYTES; n++)
        host[n] = (unsigned char)(n * 2654435761u >> 13);
    EXPECT(hip, hip->allocate(&first, BYTES), HIP_SUCCESS);
    EXPECT(hip, hip->allocate(&second, BYTES), HIP_SUCCESS);
    EXPECT(hip, hip->copy(first, host, BYTES, HIP_TO_DEVICE), HIP_SUCCESS);
    EXPECT(hip, hip->copy(second, first, BYTES, HIP_ON_DEVICE), HIP_SUCCESS);
    EXPECT(hip, hip->fill((char *)second + 1001, 0x5a, 70003), HIP_SUCCESS);
    EXPECT(hip, hip->copy(back, second, BYTES, HIP_TO_HOST), HIP_SUCCESS);
    memset(host + 1001, 0x5a, 70003);
    REQUIRE(memcmp(host, back, BYTES) == 0);
    EXPECT(hip, hip->copy(back, (char *)first + 5, 11, HIP_TO_HOST), HIP_SUCCESS);
    REQUIRE(back[10] == (unsigned char)(15 * 2654435761u >> 13));
    EXPECT(hip, hip->free(first), HIP_SUCCESS);
    EXPECT(hip, hip->free(second), HIP_SUCCESS);
    free(host);
    free(back);
}

static const char vadd_source[] =
    "extern \"C\" __global__ void vadd(const float *a, const float *b, float *c, int n) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) c[i] = a[i] + b[i];\n"
    "}\n";

static void vadd_is_right(const struct hip *hip)
{
    enum { N = 1000 };
    float host[2][N], sum[N];
    void *device[3];
    int n = N;
    for (int i = 0; i < N; i++) {
        host[0][i] = (float)i * 0.25f;
        host[1][i] = 1000.0f - (float)i;
    }
    for (int i = 0; i < 3; i++)
        EXPECT(hip, hip->allocate(&device[i], sizeof(sum)), HIP_SUCCESS);
    for (int i = 0; i < 2; i++)
        EXPECT(hip, hip->copy(device[i], host[i], sizeof(sum), HIP_TO_DEVICE), HIP_SUCCESS);
    void *arguments[] = {&device[0], &device[1], &device[2], &n};
    void *vadd = kernel_of(hip, vadd_source, "vadd");
    EXPECT(hip, hip->launch(vadd, 16, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL), HIP_SUCCESS);
    EXPECT(hip, hip->copy(sum, device[2], sizeof(sum), HIP_TO_HOST), HIP_SUCCESS);
    for (int i = 0; i < N; i++)
        REQUIRE(sum[i] == host[0][i] + host[1][i]);
    REQUIRE(hip->report()->dispatches >= 1 && hip->report()->counters.valu > 0);
    REQUIRE(hip->report()->end == EMU_DONE);
}

/* Tiles in LDS, barriers, shuffles, online softmax: 16 query rows a block, 8 lanes a row. */
static const char gqa_source[] =
    "#define D 64\n"
    "#define T 16\n"
    "extern \"C\" __global__ void __launch_bounds__(128)\n"
    "gqa(const float *q, const float *k, const float *v, float *o, int q_heads, int kv_heads,\n"
    "    int length, float scale) {\n"
    "    __shared__ float sq[T][D + 1], sk[T][D + 1], sv[T][D + 1], sp[T][T + 1];\n"
    "    int t = threadIdx.x, row = t / 8, lane = t % 8, head = blockIdx.y, q0 = blockIdx.x * T;\n"
    "    const float *qh = q + (head * length + q0) * D;\n"
    "    const float *kh = k + head / (q_heads / kv_heads) * length * D;\n"
    "    const float *vh = v + head / (q_heads / kv_heads) * length * D;\n"
    "    for (int i = t; i < T * D; i += 128) sq[i / D][i % D] = qh[i] * scale;\n"
    "    float sum = 0, most = -1e30f, out[8] = {0};\n"
    "    for (int k0 = 0; k0 < length; k0 += T) {\n"
    "        __syncthreads();\n"
    "        for (int i = t; i < T * D; i += 128) {\n"
    "            sk[i / D][i % D] = kh[k0 * D + i];\n"
    "            sv[i / D][i % D] = vh[k0 * D + i];\n"
    "        }\n"
    "        __syncthreads();\n"
    "        float s[2], now = most;\n"
    "        for (int i = 0; i < 2; i++) {\n"
    "            s[i] = 0;\n"
    "            for (int d = 0; d < D; d++) s[i] += sq[row][d] * sk[lane + 8 * i][d];\n"
    "            now = fmaxf(now, s[i]);\n"
    "        }\n"
    "        for (int x = 4; x; x >>= 1) now = fmaxf(now, __shfl_xor(now, x, 8));\n"
    "        float keep = __expf(most - now), part = 0;\n"
    "        for (int i = 0; i < 2; i++) part += sp[row][lane + 8 * i] = __expf(s[i] - now);\n"
    "        for (int x = 4; x; x >>= 1) part += __shfl_xor(part, x, 8);\n"
    "        sum = sum * keep + part;\n"
    "        most = now;\n"
    "        __syncthreads();\n"
    "        for (int j = 0; j < 8; j++) {\n"
    "            out[j] *= keep;\n"
    "            for (int i = 0; i < T; i++) out[j] += sp[row][i] * sv[i][lane + 8 * j];\n"
    "        }\n"
    "    }\n"
    "    for (int j = 0; j < 8; j++)\n"
    "        o[(head * length + q0 + row) * D + lane + 8 * j] = out[j] / sum;\n"
    "}\n";

enum { Q_HEADS = 4, KV_HEADS = 2, LENGTH = 48, HEAD_DIM = 64 };
#define Q_ELEMENTS (Q_HEADS * LENGTH * HEAD_DIM)
#define KV_ELEMENTS (KV_HEADS * LENGTH * HEAD_DIM)

/* One row of softmax(q k^T scale) v in double. */
static void reference_row(const float *q, const float *k, const float *v, double scale, double *o)
{
    double weights[LENGTH], most = -INFINITY, sum = 0;
    for (int i = 0; i < LENGTH; i++) {
        weights[i] = 0;
        for (int d = 0; d < HEAD_DIM; d++)
            weights[i] += (double)q[d] * k[i * HEAD_DIM + d] * scale;
        most = fmax(most, weights[i]);
    }
    memset(o, 0, HEAD_DIM * sizeof(*o));
    for (int i = 0; i < LENGTH; i++) {
        double weight = exp(weights[i] - most);
        sum += weight;
        for (int d = 0; d < HEAD_DIM; d++)
            o[d] += weight * v[i * HEAD_DIM + d];
    }
    for (int d = 0; d < HEAD_DIM; d++)
        o[d] /= sum;
}

static double largest_error(float *const *tensors, double scale)
{
    double error = 0;
    for (int row = 0; row < Q_HEADS * LENGTH; row++) {
        double expected[HEAD_DIM];
        int kv = row / LENGTH / (Q_HEADS / KV_HEADS) * LENGTH * HEAD_DIM;
        reference_row(tensors[0] + row * HEAD_DIM, tensors[1] + kv, tensors[2] + kv, scale,
                      expected);
        for (int d = 0; d < HEAD_DIM; d++)
            error = fmax(error, fabs(tensors[3][row * HEAD_DIM + d] - expected[d]));
    }
    return error;
}

static void gqa_is_right(const struct hip *hip)
{
    static const size_t elements[] = {Q_ELEMENTS, KV_ELEMENTS, KV_ELEMENTS, Q_ELEMENTS};
    int q_heads = Q_HEADS, kv_heads = KV_HEADS, length = LENGTH;
    float *host[4], scale = 0.125f;
    void *device[4];
    srand(1);
    for (int n = 0; n < 4; n++) {
        host[n] = malloc(elements[n] * sizeof(float));
        for (size_t i = 0; i < elements[n]; i++)
            host[n][i] = (float)rand() / (float)RAND_MAX * 2 - 1;
        EXPECT(hip, hip->allocate(&device[n], elements[n] * sizeof(float)), HIP_SUCCESS);
        EXPECT(hip, hip->copy(device[n], host[n], elements[n] * sizeof(float), HIP_TO_DEVICE),
               HIP_SUCCESS);
    }
    void *arguments[] = {&device[0], &device[1], &device[2], &device[3],
                         &q_heads,   &kv_heads,  &length,    &scale};
    void *gqa = kernel_of(hip, gqa_source, "gqa");
    EXPECT(hip, hip->launch(gqa, LENGTH / 16, Q_HEADS, 1, 128, 1, 1, 0, NULL, arguments, NULL),
           HIP_SUCCESS);
    EXPECT(hip, hip->copy(host[3], device[3], elements[3] * sizeof(float), HIP_TO_HOST),
           HIP_SUCCESS);
    REQUIRE(largest_error(host, scale) < 2e-6);
    REQUIRE(hip->report()->counters.lds > 0 && hip->report()->counters.vmem > 0);
    for (int n = 0; n < 4; n++)
        free(host[n]);
}

static void events_take_time(const struct hip *hip)
{
    void *from, *to, *buffer;
    float ms = -1;
    EXPECT(hip, hip->allocate(&buffer, 1 << 20), HIP_SUCCESS);
    EXPECT(hip, hip->event_create(&from), HIP_SUCCESS);
    EXPECT(hip, hip->event_create(&to), HIP_SUCCESS);
    EXPECT(hip, hip->event_record(from, NULL), HIP_SUCCESS);
    EXPECT(hip, hip->fill(buffer, 1, 1 << 20), HIP_SUCCESS);
    EXPECT(hip, hip->event_record(to, NULL), HIP_SUCCESS);
    EXPECT(hip, hip->event_synchronize(to), HIP_SUCCESS);
    EXPECT(hip, hip->event_query(to), HIP_SUCCESS);
    EXPECT(hip, hip->event_elapsed(&ms, from, to), HIP_SUCCESS);
    REQUIRE(ms > 0 && ms < 60000);
    EXPECT(hip, hip->stream_query(NULL), HIP_SUCCESS);
}

/* A global variable and a table of constants are parts of the image that is relocated. */
static const char global_source[] = "__device__ int total = 40;\n"
                                    "__constant__ int table[4] = {1, 20, 300, 4000};\n"
                                    "__device__ const int *where = table + 1;\n"
                                    "extern \"C\" __global__ void global(int *out) {\n"
                                    "    if (threadIdx.x == 0) total += *where;\n"
                                    "    __syncthreads();\n"
                                    "    out[threadIdx.x] = table[threadIdx.x % 4] + total;\n"
                                    "}\n";

static void globals_are_relocated(const struct hip *hip)
{
    int out[32];
    void *device;
    EXPECT(hip, hip->allocate(&device, sizeof(out)), HIP_SUCCESS);
    void *arguments[] = {&device};
    void *global = kernel_of(hip, global_source, "global");
    for (int n = 0; n < 2; n++)
        EXPECT(hip, hip->launch(global, 1, 1, 1, 32, 1, 1, 0, NULL, arguments, NULL), HIP_SUCCESS);
    EXPECT(hip, hip->copy(out, device, sizeof(out), HIP_TO_HOST), HIP_SUCCESS);
    REQUIRE(out[0] == 81 && out[3] == 4080 && out[30] == 380);
}

const struct emulator_case cases_right[] = {
    {.name = "device", .run = device_is_there},
    {.name = "memory", .run = memory_keeps_bytes},
    {.name = "vadd", .run = vadd_is_right},
    {.name = "gqa", .run = gqa_is_right},
    {.name = "events", .run = events_take_time},
    {.name = "globals", .run = globals_are_relocated},
    {.name = NULL},
};
