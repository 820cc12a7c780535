/* The two lists of emulated architectures, the emulator's and the one that names of devices are checked
 * against, are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "evaluator/emulator/target.h"
#include "evaluator/gpu_arch.h"

static void both_lists_agree(void **state)
{
    (void)state;
    size_t emulated = 0;
    const struct bp_gpu_arch *arch;
    for (size_t i = 0; (arch = bp_gpu_arch_at(i)); i++) {
        assert_int_equal(bp_gpu_arch_is_emulated(arch->name), emu_target_find(arch->name) != NULL);
        emulated += bp_gpu_arch_is_emulated(arch->name);
    }
    size_t named = 1;
    for (const char *at = emu_target_names(); *at; at++)
        named += *at == ',';
    assert_int_equal(emulated, named);
    assert_false(bp_gpu_arch_is_emulated("gfx9999"));
    assert_false(bp_gpu_arch_is_emulated(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_lists_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
