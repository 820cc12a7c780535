/* cases.h: what the tests of the emulator do, each in a process of its own. */
#ifndef BP_TESTS_EMULATOR_CASES_H
#define BP_TESTS_EMULATOR_CASES_H

#include "tests/integration/emulator/hip.h"

struct emulator_case {
    const char *name;
    void (*run)(const struct hip *);
    const char *faults;       /* BULLETPROOF_HSA_FAULTS; NULL: none */
    const char *instructions; /* BULLETPROOF_EMULATE_INSTRUCTIONS; NULL: as many as it likes */
    int faulted;              /* ends by abort (ROCm 5), or exits with EXIT_STICKY (ROCm 7) */
    const char *says[2];      /* one must be in what it writes; none: anything */
};

/* The device has failed, and the runtime says so by errors from then on. */
#define EXIT_STICKY 3

/* cases_right.c: programs that work. cases_wrong.c: errors and faults. Both end with an empty
 * name. */
extern const struct emulator_case cases_right[], cases_wrong[];

/* The architecture the process runs on. */
const char *emulated_arch(void);

/* Compiles, loads and finds the kernel. */
void *kernel_of(const struct hip *hip, const char *source, const char *name);

#endif
