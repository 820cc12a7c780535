/* What kernels take of a GPU: occupancy, limits, ptxas's report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/profile.h"

static uint32_t waves(const char *arch, struct bp_gpu_usage usage)
{
    return bp_gpu_occupancy(bp_gpu_arch_find(arch), &usage);
}

/* Figures of the vendors' own calculators. */
static void occupancy_by_registers(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        uint32_t registers, waves;
    } rows[] = {
        {"gfx1030", 64, 16}, {"gfx1030", 65, 12}, {"gfx1030", 128, 8}, {"gfx1030", 256, 4},
        {"gfx1201", 96, 16}, {"gfx1201", 97, 12}, {"gfx1201", 256, 5}, {"gfx90a", 64, 8},
        {"gfx90a", 65, 7},   {"gfx90a", 128, 4},  {"gfx90a", 512, 1},  {"sm_90", 32, 16},
        {"sm_90", 40, 12},   {"sm_90", 128, 4},   {"sm_90", 255, 2},   {"sm_89", 32, 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(waves(rows[i].arch, (struct bp_gpu_usage){.registers = rows[i].registers}),
                         rows[i].waves);
    assert_int_equal(waves("gfx90a", (struct bp_gpu_usage){.scalar_registers = 102}), 7);
    assert_int_equal(waves("gfx1030", (struct bp_gpu_usage){.scalar_registers = 102}), 16);
}

static void occupancy_by_blocks(void **state)
{
    (void)state;
    /* 8 waves a block of 32 KiB: two blocks in 64 KiB, four waves on each SIMD */
    assert_int_equal(
        waves("gfx90a", (struct bp_gpu_usage){.lds_bytes = 32 << 10, .block_threads = 512}), 4);
    assert_int_equal(
        waves("gfx1201", (struct bp_gpu_usage){.lds_bytes = 64 << 10, .block_threads = 256}), 4);
    /* room for 40 waves holds one block of 32 */
    assert_int_equal(
        waves("gfx1030", (struct bp_gpu_usage){.registers = 96, .block_threads = 1024}), 8);
    /* and room for 16 none */
    assert_int_equal(waves("sm_90", (struct bp_gpu_usage){.registers = 128, .block_threads = 1024}),
                     0);
}

static void names_of_architectures(void **state)
{
    (void)state;
    char names[300];
    bp_gpu_arch_names(names, sizeof names);
    assert_non_null(strstr(names, "gfx90a, gfx942"));
    assert_null(bp_gpu_arch_find("gfx1"));
    assert_null(bp_gpu_arch_find(""));
    for (size_t i = 0; bp_gpu_arch_at(i); i++) {
        const struct bp_gpu_arch *arch = bp_gpu_arch_at(i);
        assert_ptr_equal(bp_gpu_arch_find(arch->name), arch);
        assert_int_equal(arch->registers % arch->register_step, 0);
        assert_true(arch->lds_static_max <= arch->lds_bytes &&
                    arch->lds_bytes <= arch->lds_unit_bytes);
    }
}

static void limits_name_the_kernel(void **state)
{
    (void)state;
    const struct bp_gpu_arch *arch = bp_gpu_arch_find("gfx1030");
    struct bp_profile profile = {0};
    char message[256] = "";
    bp_profile_add(&profile, "gqa_kernel0")->lds_bytes = 64 << 10;
    struct bp_profile_kernel *second = bp_profile_add(&profile, "gqa_kernel1");
    second->spills = 7;
    assert_int_equal(bp_profile_check(&profile, arch, 0, message, sizeof message), BP_VERDICT_PASS);
    assert_int_equal(bp_profile_check(&profile, arch, 8, message, sizeof message), BP_VERDICT_PASS);
    assert_string_equal(message, "");
    assert_int_equal(bp_profile_check(&profile, arch, 7, message, sizeof message),
                     BP_VERDICT_RESOURCE_LIMIT);
    assert_string_equal(message,
                        "gqa_kernel1 takes 7 spilled vector registers, limit 6 on gfx1030");
    second->lds_bytes = (64 << 10) + 1;
    assert_int_equal(bp_profile_check(&profile, arch, 0, message, sizeof message),
                     BP_VERDICT_RESOURCE_LIMIT);
    assert_non_null(strstr(message, "65537 bytes of static LDS, limit 65536"));
}

static void only_kernels_of_the_contract(void **state)
{
    (void)state;
    struct bp_profile profile = {0};
    assert_true(bp_profile_wants("gqa_plan") && bp_profile_wants("gqa_kernel3"));
    assert_false(bp_profile_wants("gqa_kernel4") || bp_profile_wants("gqa_kernel") ||
                 bp_profile_wants("gqa_kernel00") || bp_profile_wants("main"));
    for (char name[] = "a"; name[0] < 'a' + BP_PROFILE_KERNELS; name[0]++)
        assert_non_null(bp_profile_add(&profile, name));
    assert_null(bp_profile_add(&profile, "z"));
    assert_ptr_equal(bp_profile_add(&profile, "b"), &profile.kernels[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(occupancy_by_registers),       cmocka_unit_test(occupancy_by_blocks),
        cmocka_unit_test(names_of_architectures),       cmocka_unit_test(limits_name_the_kernel),
        cmocka_unit_test(only_kernels_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
