/* Vetting: what a compiled kernel may be, rule by rule, and a fuzz over a real object: whatever the
 * bytes are, vetting ends, and what it lets through can be mapped. test_object [SEED [ROUNDS]]. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/random.h"
#include "evaluator/object.h"
#include "evaluator/simt.h"
#include "tests/unit/device/fixture.h"

static uint64_t fuzz_seed, fuzz_rounds = 30000;

static const char kernel[] =
    FIXTURE_PLAN "static float table[64] = {1, 2, 3};\n"
                 "float *where = table;\n" FIXTURE_KERNEL "{\n"
                 "    __shared__ float tile[64];\n"
                 "    tile[threadIdx.x % 64] = expf(q[0].bits) + where[threadIdx.x % 3];\n"
                 "    __syncthreads();\n"
                 "    memcpy(workspace, tile, 16 + threadIdx.x);\n"
                 "}\n";

static const struct bp_object_rules plain_rules = {.lds_max_bytes = BP_SIMT_LDS_BYTES,
                                                   .import = bp_import_find};

static unsigned char *object_bytes; /* of kernel, shared by the tests that patch it */
static size_t object_size;

static int compile_once(void **state)
{
    struct bp_error err;
    if (fixture_enter_directory(state) < 0 || bp_simt_open(1, &err) < 0)
        return -1;
    struct bp_msg_compile_request request = fixture_request(kernel);
    struct bp_msg_compile_result *result = malloc(sizeof *result);
    int fd;
    fixture_compile(&request, kernel, result, &fd);
    if (result->verdict != BP_VERDICT_PASS)
        fail_msg("%s", result->diagnostics);
    object_size = result->object_bytes;
    object_bytes = malloc(object_size);
    assert_int_equal(pread(fd, object_bytes, object_size, 0), object_size);
    close(fd);
    free(result);
    return 0;
}

static int leave(void **state)
{
    free(object_bytes);
    bp_simt_close();
    return fixture_leave_directory(state);
}

static enum bp_verdict vet(const void *bytes, size_t size, char message[BP_TEXT_LINE])
{
    struct bp_object object;
    message[0] = '\0';
    return bp_object_vet(bytes, size, &plain_rules, &object, message);
}

/* Loads a source that must be refused with a verdict and a text. */
static void expect_refusal(const char *source, enum bp_verdict expected, const char *text)
{
    struct bp_msg_compile_request request = fixture_request(source);
    struct bp_msg_compile_result *result = malloc(sizeof *result);
    struct bp_device_module *module = NULL;
    char message[BP_TEXT_LINE] = "";
    int fd;
    fixture_compile(&request, source, result, &fd);
    if (result->verdict != BP_VERDICT_PASS)
        fail_msg("does not compile: %s", result->diagnostics);
    enum bp_verdict verdict = fixture_try_load(fd, &module, message);
    if (verdict != expected || !strstr(message, text))
        fail_msg("%d: '%s', expected '%s'", (int)verdict, message, text);
    close(fd);
    free(result);
}

static void refuses_by_rule(void **state)
{
    (void)state;
    expect_refusal(FIXTURE_PLAN FIXTURE_KERNEL
                   "{ static char all[8ull << 30]; all[q != k] = 1; o->bits = all[0]; }\n",
                   BP_VERDICT_RESOURCE_LIMIT, "global data of 8589934");
    expect_refusal(FIXTURE_PLAN FIXTURE_KERNEL
                   "{ __shared__ char all[8ull << 30]; all[q != k] = 1; o->bits = all[0]; }\n",
                   BP_VERDICT_RESOURCE_LIMIT,
                   "static shared memory of 8589934592 bytes, limit 4194304");
    expect_refusal(FIXTURE_PLAN "extern \"C\" int getpid();\n" FIXTURE_KERNEL
                                "{ o->bits = (float)getpid(); }\n",
                   BP_VERDICT_LAUNCH_ERROR, "object imports getpid");
    expect_refusal(
        FIXTURE_PLAN
        "int f(); int x = f(); int f() { return 3 + *(volatile int *)&x; }\n" FIXTURE_KERNEL
        "{ o->bits = (float)x; }\n",
        BP_VERDICT_LAUNCH_ERROR, "constructors");
    expect_refusal(FIXTURE_PLAN, BP_VERDICT_LAUNCH_ERROR, "does not define gqa_kernel0");
    expect_refusal("#include \"gqa.h\"\n" FIXTURE_KERNEL "{}\n", BP_VERDICT_LAUNCH_ERROR,
                   "does not define gqa_plan");
    expect_refusal(FIXTURE_PLAN FIXTURE_KERNEL
                   "{ __shared__ int x[4] = {1}; x[q != k]++; o->bits = (float)x[0]; }\n",
                   BP_VERDICT_LAUNCH_ERROR, "__shared__ variable has an initial value");
    expect_refusal(FIXTURE_PLAN
                   "extern \"C\" __attribute__((visibility(\"default\"))) void late();\n"
                   "static void now() {}\n"
                   "extern \"C\" void *choose() { return (void *)now; }\n"
                   "void late() __attribute__((ifunc(\"choose\")));\n" FIXTURE_KERNEL
                   "{ late(); }\n",
                   BP_VERDICT_LAUNCH_ERROR, "indirect function: late");
    expect_refusal(
        FIXTURE_PLAN
        "asm(\".section mixed,\\\"awx\\\",@progbits; .globl code; code: .byte 0xc3; .text\");\n"
        "extern \"C\" char code[];\n" FIXTURE_KERNEL "{ o->bits = code[0]; }\n",
        BP_VERDICT_LAUNCH_ERROR, "writable and executable");
}

static void patch_refused(size_t offset, const void *patch, size_t size, const char *text)
{
    char message[BP_TEXT_LINE];
    unsigned char *copy = malloc(object_size);
    memcpy(copy, object_bytes, object_size);
    memcpy(copy + offset, patch, size);
    enum bp_verdict verdict = vet(copy, object_size, message);
    if (verdict != BP_VERDICT_LAUNCH_ERROR || !strstr(message, text))
        fail_msg("patch at %zu: %d '%s', expected '%s'", offset, (int)verdict, message, text);
    free(copy);
}

static size_t header_offset(uint32_t type)
{
    Elf64_Ehdr *e = (Elf64_Ehdr *)object_bytes;
    Elf64_Phdr *h = (Elf64_Phdr *)(object_bytes + e->e_phoff);
    for (int i = 0; i < e->e_phnum; i++) {
        if (h[i].p_type == type)
            return e->e_phoff + (size_t)i * sizeof *h;
    }
    fail_msg("no program header %u", type);
    return 0;
}

/* Dynamic tags a linker of ours would never write. */
static void refuses_patched_tables(void **state)
{
    (void)state;
    Elf64_Phdr stack;
    size_t stack_at = header_offset(PT_GNU_STACK);
    memcpy(&stack, object_bytes + stack_at, sizeof stack);
    stack.p_flags |= PF_X;
    patch_refused(stack_at, &stack, sizeof stack, "executable stack");
    stack.p_type = PT_INTERP;
    patch_refused(stack_at, &stack, sizeof stack, "unexpected type 0x3");

    Elf64_Phdr *dynamic = (Elf64_Phdr *)(object_bytes + header_offset(PT_DYNAMIC));
    static const struct {
        int64_t tag;
        uint64_t value;
        const char *text;
    } tags[] = {{DT_NEEDED, 1, "needs a library"},
                {DT_INIT, 0x1000, "constructors"},
                {DT_INIT_ARRAY, 0x1000, "constructors"},
                {DT_FINI, 0x1000, "destructors"},
                {DT_PREINIT_ARRAY, 8, "constructors"},
                {DT_FLAGS, DF_TEXTREL, "in its code"},
                {DT_AUDIT, 1, "dynamic tag"},
                {DT_REL, 8, "dynamic tag"},
                {36, 8, "dynamic tag"},
                {DT_SYMENT, 16, "unexpected size"}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        Elf64_Dyn d = {.d_tag = tags[i].tag, .d_un.d_val = tags[i].value};
        patch_refused(dynamic->p_offset, &d, sizeof d, tags[i].text);
    }
    static const unsigned char i386[] = {EM_386, 0};
    patch_refused(offsetof(Elf64_Ehdr, e_machine), i386, sizeof i386, "not an x86-64");
}

/* The relocation of one type becomes another type. */
static void refuses_patched_relocations(void **state)
{
    (void)state;
    char message[BP_TEXT_LINE];
    struct bp_object object;
    assert_int_equal(bp_object_vet(object_bytes, object_size, &plain_rules, &object, message),
                     BP_VERDICT_PASS);
    assert_true(object.synchronizes);
    assert_int_equal(object.static_lds_bytes, 256);
    size_t at = object.relocations[0].offset;
    Elf64_Rela r;
    memcpy(&r, object_bytes + at, sizeof r);
    Elf64_Rela changed = r;
    changed.r_info = ELF64_R_INFO(0, R_X86_64_IRELATIVE);
    patch_refused(at, &changed, sizeof changed, "relocation of type 37");
    changed.r_info = ELF64_R_INFO(0, R_X86_64_COPY);
    patch_refused(at, &changed, sizeof changed, "relocation of type 5");
    changed.r_info = ELF64_R_INFO(0, R_X86_64_TPOFF64);
    patch_refused(at, &changed, sizeof changed, "thread-local data of its own");
    changed.r_info = ELF64_R_INFO(0xffffff, R_X86_64_64);
    patch_refused(at, &changed, sizeof changed, "of no symbol");
    static const uint64_t outside[] = {0, 8, UINT64_MAX - 4, 1ull << 40};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        changed = r;
        changed.r_offset = outside[i];
        patch_refused(at, &changed, sizeof changed, "outside its data");
    }
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    char message[BP_TEXT_LINE];
    for (size_t size = 0; size < object_size; size++) {
        /* At the end of its own allocation, so that AddressSanitizer sees a read beyond. */
        unsigned char *cut = malloc(size ? size : 1);
        memcpy(cut, object_bytes, size);
        enum bp_verdict verdict = vet(cut, size, message);
        /* Nothing that is loaded lies behind the last segment: section headers, names. */
        if (verdict == BP_VERDICT_PASS)
            assert_true(size > object_size / 2);
        else
            assert_true(message[0] != '\0');
        free(cut);
    }
}

/* Values that break arithmetic, beside random ones. */
static void mutate(unsigned char *bytes, size_t size, struct bp_random *random)
{
    static const uint64_t values[] = {0,          1,          UINT64_MAX, UINT64_MAX - 7,
                                      1ull << 63, 1ull << 32, UINT32_MAX, 1ull << 46,
                                      4096,       0xfff,      INT64_MAX,  24};
    uint64_t count = 1 + bp_random_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        /* Headers and tables more often than code. */
        size_t range = bp_random_below(random, 4) ? (size < 2048 ? size : 2048) : size;
        size_t at = bp_random_below(random, range - 8);
        uint64_t value = values[bp_random_below(random, sizeof values / sizeof *values)];
        switch (bp_random_below(random, 4)) {
        case 0:
            bytes[at] ^= (unsigned char)(1u << bp_random_below(random, 8));
            break;
        case 1:
            bytes[at] = (unsigned char)bp_random_u64(random);
            break;
        case 2:
            memcpy(bytes + at / 8 * 8, &value, 8);
            break;
        default:
            memcpy(bytes + at / 4 * 4, &value, 4);
        }
    }
}

static void survives_fuzzing(void **state)
{
    (void)state;
    struct bp_key key;
    struct bp_random random;
    char message[BP_TEXT_LINE];
    struct bp_error err;
    uint64_t passed = 0, mapped = 0;
    bp_key_from_seed(fuzz_seed, &key);
    bp_random_start(&random, &key);
    printf("seed %llu, %llu rounds\n", (unsigned long long)fuzz_seed,
           (unsigned long long)fuzz_rounds);
    for (uint64_t i = 0; i < fuzz_rounds; i++) {
        struct bp_object object;
        unsigned char *copy = malloc(object_size);
        memcpy(copy, object_bytes, object_size);
        mutate(copy, object_size, &random);
        enum bp_verdict verdict = bp_object_vet(copy, object_size, &plain_rules, &object, message);
        assert_true(verdict == BP_VERDICT_PASS || verdict == BP_VERDICT_LAUNCH_ERROR ||
                    verdict == BP_VERDICT_RESOURCE_LIMIT);
        /* Mapping what was let through must not fault either; no code of it runs. */
        if (verdict == BP_VERDICT_PASS && passed++ % 8 == 0) {
            int fd = bp_io_memfd_sealed("fuzzed", copy, object_size, &err);
            assert_true(fd >= 0);
            mapped += bp_object_map(&object, fd, message) == BP_VERDICT_PASS;
            bp_object_unmap(&object);
            close(fd);
        }
        free(copy);
    }
    printf("%llu passed, %llu mapped\n", (unsigned long long)passed, (unsigned long long)mapped);
    assert_true(mapped > 0);
}

static void wants_a_sealed_object(void **state)
{
    (void)state;
    struct bp_error err;
    struct bp_device_module *module = NULL;
    char message[BP_TEXT_LINE];
    int fd = bp_io_memfd("open", object_size, &err);
    assert_int_equal(pwrite(fd, object_bytes, object_size, 0), object_size);
    assert_int_equal(bp_device_cpu.load(fd, object_size, &module, message), BP_VERDICT_INFRA);
    assert_int_equal(fixture_try_load(fd, &module, message), BP_VERDICT_PASS);
    assert_int_equal(bp_device_cpu.load(fd, object_size + 1, &module, message), BP_VERDICT_INFRA);
    bp_device_cpu.unload(module);
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_by_rule),
        cmocka_unit_test(refuses_patched_tables),
        cmocka_unit_test(refuses_patched_relocations),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_fuzzing),
        cmocka_unit_test(wants_a_sealed_object),
    };
    struct bp_key fresh;
    bp_key_random(&fresh);
    memcpy(&fuzz_seed, fresh.bytes, sizeof fuzz_seed);
    if (argc > 1)
        fuzz_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        fuzz_rounds = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, compile_once, leave);
}
