/* gpu_api.h: the driver and the run-time compiler of a GPU vendor behind one table of functions, found
 * by name in the vendor's own libraries. No vendor header is needed to build, and nothing is linked:
 * only a worker opens these libraries.
 *
 * Names and signatures are those of HIP's module API, which CUDA's driver API shares argument by
 * argument. Every function answers a status, 0 for success; bp_gpu_error_name tells the others apart. */
#ifndef BP_EVALUATOR_GPU_API_H
#define BP_EVALUATOR_GPU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluator/gpu_arch.h"

/* What is to be opened. A compile child has no use for a driver, a run child none for a compiler. */
enum bp_gpu_part { BP_GPU_DRIVER = 1, BP_GPU_COMPILER = 2 };

typedef struct bp_gpu_module *bp_gpu_module; /* the libraries' handles, opaque and typed */
typedef struct bp_gpu_function *bp_gpu_function;
typedef struct bp_gpu_stream *bp_gpu_stream;
typedef struct bp_gpu_event *bp_gpu_event;
typedef struct bp_gpu_program *bp_gpu_program;

/* Attributes of a device, mapped to the vendor's numbers by bp_gpu_attribute. */
enum bp_gpu_attribute {
    BP_GPU_MAX_BLOCK_THREADS,
    BP_GPU_MAX_GRID_X,
    BP_GPU_MAX_GRID_Y,
    BP_GPU_MAX_GRID_Z,
    BP_GPU_LDS_PER_BLOCK,       /* bytes, without asking for more */
    BP_GPU_LDS_PER_BLOCK_OPTIN, /* bytes, after BP_GPU_FUNCTION_MAX_DYNAMIC_LDS was set; NVIDIA's */
    BP_GPU_WAVE_SIZE,
    BP_GPU_REGISTERS_PER_BLOCK,
    BP_GPU_UNITS, /* compute units, multiprocessors */
    BP_GPU_CLOCK_KHZ,
    BP_GPU_MEMORY_CLOCK_KHZ,
    BP_GPU_MEMORY_BUS_BITS,
    BP_GPU_L2_BYTES,
    BP_GPU_MAJOR,
    BP_GPU_MINOR,
    BP_GPU_ATTRIBUTE_COUNT
};

/* Attributes of a function; both vendors have these numbers. */
enum bp_gpu_function_attribute {
    BP_GPU_FUNCTION_MAX_BLOCK_THREADS = 0,
    BP_GPU_FUNCTION_LDS_BYTES = 1, /* static */
    BP_GPU_FUNCTION_SCRATCH_BYTES = 3,
    BP_GPU_FUNCTION_REGISTERS = 4,
    BP_GPU_FUNCTION_MAX_DYNAMIC_LDS = 8,
};

/* Statuses that mean the same to both. */
#define BP_GPU_OUT_OF_MEMORY 2
#define BP_GPU_NOT_READY 600 /* an event or a stream that has not finished: no failure */

#define BP_GPU_STREAM_NON_BLOCKING 1
#define BP_GPU_EVENT_DEFAULT 0

#define BP_GPU_LIBRARY_TEXT 128

struct bp_gpu_api {
    enum bp_gpu_kind kind;
    /* The files opened, without their folders and links: "libamdhip64.so.5.2.21153". Empty: not. */
    char driver_library[BP_GPU_LIBRARY_TEXT], compiler_library[BP_GPU_LIBRARY_TEXT];
    void *driver, *compiler; /* of dlopen, never closed: these libraries do not survive it */
    void *comgr; /* AMD: what compiles, and reads code objects; may be null, as for NVIDIA */

    /* ---- the driver; all null unless it was asked for ---- */
    int (*init)(unsigned flags);
    int (*driver_version)(int *version);
    int (*device_count)(int *count);
    int (*device_get)(int *device, int ordinal);
    int (*device_name)(char *name, int size, int device);
    int (*device_attribute)(int *value, int vendor_attribute, int device);
    int (*device_memory)(size_t *bytes, int device);
    int (*memory_info)(size_t *free_bytes, size_t *total_bytes); /* of the current device */
    int (*device_synchronize)(void);

    /* Device pointers are pointers: CUDA's 64-bit numbers are passed alike. */
    int (*memory_alloc)(void **device_pointer, size_t bytes);
    int (*memory_free)(void *device_pointer);
    int (*copy_to_device)(void *device_pointer, const void *host, size_t bytes);
    int (*copy_to_host)(void *host, const void *device_pointer, size_t bytes);
    int (*copy_on_device)(void *to, const void *from, size_t bytes);
    int (*memory_set)(void *device_pointer, unsigned char value, size_t bytes);

    int (*module_load)(bp_gpu_module *module, const void *image);
    int (*module_unload)(bp_gpu_module module);
    int (*module_function)(bp_gpu_function *function, bp_gpu_module module, const char *name);
    int (*function_attribute)(int *value, int attribute, bp_gpu_function function);
    int (*function_set)(bp_gpu_function function, int attribute, int value);
    /* arguments[i] points at the i-th argument; extra is null. */
    int (*launch)(bp_gpu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned dynamic_lds,
                  bp_gpu_stream stream, void **arguments, void **extra);

    int (*stream_create)(bp_gpu_stream *stream, unsigned flags);
    int (*stream_destroy)(bp_gpu_stream stream);
    int (*stream_query)(bp_gpu_stream stream);
    int (*stream_synchronize)(bp_gpu_stream stream);
    int (*event_create)(bp_gpu_event *event, unsigned flags);
    int (*event_destroy)(bp_gpu_event event);
    int (*event_record)(bp_gpu_event event, bp_gpu_stream stream);
    int (*event_query)(bp_gpu_event event);
    int (*event_synchronize)(bp_gpu_event event);
    int (*event_elapsed)(float *milliseconds, bp_gpu_event begin, bp_gpu_event end);

    /* Of one vendor each, null for the other: see the functions below that hide the difference. */
    int (*set_device)(int ordinal);                          /* AMD */
    const char *(*amd_error_name)(int status);               /* AMD */
    int (*amd_properties)(void *properties, int device);     /* AMD */
    int (*context_retain)(void **context, int device);       /* NVIDIA */
    int (*context_set)(void *context);                       /* NVIDIA */
    int (*nvidia_error_name)(int status, const char **name); /* NVIDIA */

    /* ---- the compiler; all null unless it was asked for ---- */
    int (*compiler_version)(int *major, int *minor);
    int (*program_create)(bp_gpu_program *program, const char *source, const char *name,
                          int header_count, const char *const *headers,
                          const char *const *header_names);
    int (*program_compile)(bp_gpu_program program, int option_count, const char *const *options);
    int (*program_log_size)(bp_gpu_program program, size_t *bytes); /* with the NUL */
    int (*program_log)(bp_gpu_program program, char *text);
    int (*program_code_size)(bp_gpu_program program, size_t *bytes);
    int (*program_code)(bp_gpu_program program, char *code);
    int (*program_destroy)(bp_gpu_program *program);
    const char *(*compiler_error)(int status); /* text; never null */
};

/* Fills *api with what parts (a set of enum bp_gpu_part) asks for. A library is looked for by the names
 * of its versions, the newest first; with the compiler comes all that it would open by itself in the
 * middle of its work, so that it can be confined before that. BP_ERR_UNAVAILABLE when there is none (the message says what to
 * install) or when it lacks a function (the message names it). */
int bp_gpu_api_open(enum bp_gpu_kind kind, unsigned parts, struct bp_gpu_api *api,
                    struct bp_error *err) BP_MUST_CHECK;

const char *bp_gpu_kind_name(enum bp_gpu_kind kind); /* "amd", "nvidia" */

/* The driver's name for a status ("hipErrorOutOfMemory"), or "error" when it has none. Static text. */
const char *bp_gpu_error_name(const struct bp_gpu_api *api, int status);

/* One attribute of a device; a status. */
int bp_gpu_attribute(const struct bp_gpu_api *api, enum bp_gpu_attribute attribute, int device,
                     int *value);

/* Makes the ordinal's device current on the calling thread; init has succeeded. A status. */
int bp_gpu_use(const struct bp_gpu_api *api, int ordinal, int *device);

#define BP_GPU_ARCH_TEXT 32
/* What code for the device is compiled for: "gfx1030", "sm_90". A status. */
int bp_gpu_device_arch(const struct bp_gpu_api *api, int device, char arch[BP_GPU_ARCH_TEXT]);

#endif
