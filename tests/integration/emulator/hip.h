/* hip.h: the functions of libamdhip64 and hipRTC that the tests of the emulator call, found by
 * name. */
#ifndef BP_TESTS_EMULATOR_HIP_H
#define BP_TESTS_EMULATOR_HIP_H

#include <stddef.h>

#include "evaluator/emulator/report.h"

/* hipError_t, by value: the same in every version. */
enum {
    HIP_SUCCESS = 0,
    HIP_INVALID_VALUE = 1,
    HIP_OUT_OF_MEMORY = 2,
    HIP_INVALID_CONFIGURATION = 9,
    HIP_INVALID_IMAGE = 200,
    HIP_NO_BINARY = 209,
    HIP_INVALID_KERNEL_FILE = 218,
    HIP_INIT_FAILED = 303,
    HIP_NOT_FOUND = 500,
    HIP_NOT_READY = 600,
};

enum { HIP_TO_DEVICE = 1, HIP_TO_HOST = 2, HIP_ON_DEVICE = 3 };

struct hip {
    void *emulator; /* handle of the library under test */
    int (*init)(unsigned);
    int (*device_count)(int *);
    int (*device_properties)(void *, int);
    int (*memory)(size_t *left, size_t *total);
    int (*allocate)(void **, size_t);
    int (*free)(void *);
    int (*fill)(void *, int, size_t);
    int (*copy)(void *, const void *, size_t, int);
    int (*load)(void **module, const void *image);
    int (*unload)(void *module);
    int (*function)(void **function, void *module, const char *name);
    int (*launch)(void *function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                  unsigned lds, void *stream, void **arguments, void **extra);
    int (*synchronize)(void);
    int (*stream_query)(void *);
    int (*event_create)(void **);
    int (*event_record)(void *, void *stream);
    int (*event_synchronize)(void *);
    int (*event_query)(void *);
    int (*event_elapsed)(float *ms, void *from, void *to);
    const char *(*error_name)(int);
    int (*rtc_create)(void **, const char *source, const char *name, int, const char **,
                      const char **);
    int (*rtc_compile)(void *, int, const char **options);
    int (*rtc_log_size)(void *, size_t *);
    int (*rtc_log)(void *, char *);
    int (*rtc_code_size)(void *, size_t *);
    int (*rtc_code)(void *, char *);
    const struct emu_report *(*report)(void);
};

/* Opens the emulator by absolute path, then libamdhip64 over it. Returns NULL, or why that
 * cannot be. */
const char *hip_open(const char *emulator, struct hip *hip);

/* Compiles for an architecture such as "gfx1030"; the code object is the caller's. Ends the
 * process, with the compiler's words, when it cannot. */
void *hip_compile(const struct hip *hip, const char *source, const char *arch);

/* Ends the process with a message unless the call returned what it should. */
#define EXPECT(hip, call, expected) hip_expect((hip), (call), (expected), #call, __LINE__)
void hip_expect(const struct hip *hip, int got, int expected, const char *call, int line);
void hip_expect_either(const struct hip *hip, int got, int first, int second, int line);
void hip_require(int holds, const char *what, int line);
#define EXPECT_EITHER(hip, call, first, second)                                                    \
    hip_expect_either((hip), (call), (first), (second), __LINE__)
#define REQUIRE(condition) hip_require(!!(condition), #condition, __LINE__)

#endif
