/* amd_metadata.h: what an AMD code object says of its kernels, read by amd_comgr, which libamdhip64 reads it
 * with as well: both see the same. The object is the candidate's. */
#ifndef BP_EVALUATOR_AMD_METADATA_H
#define BP_EVALUATOR_AMD_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A handle of amd_comgr's: they are all of one shape, and passed by value. */
struct bp_amd_handle {
    uint64_t value;
};

/* The library's functions, of versions 2 and 3. Statuses: 0 is success. */
struct bp_amd_comgr {
    int (*create_data)(int kind, struct bp_amd_handle *data);
    int (*set_data)(struct bp_amd_handle data, size_t bytes, const char *content);
    int (*release_data)(struct bp_amd_handle data);
    int (*isa_name)(struct bp_amd_handle data, size_t *bytes, char *name);
    int (*metadata)(struct bp_amd_handle data, struct bp_amd_handle *node);
    int (*lookup)(struct bp_amd_handle map, const char *key, struct bp_amd_handle *node);
    int (*list_size)(struct bp_amd_handle list, size_t *count);
    int (*list_index)(struct bp_amd_handle list, size_t index, struct bp_amd_handle *node);
    int (*string)(struct bp_amd_handle node, size_t *bytes, char *text);
    int (*destroy)(struct bp_amd_handle node);
    int (*create_disassembler)(const char *isa,
                               uint64_t (*read)(uint64_t from, char *to, uint64_t bytes, void *),
                               void (*print)(const char *instruction, void *),
                               void (*annotate)(uint64_t address, void *),
                               struct bp_amd_handle *info);
    int (*disassemble)(struct bp_amd_handle info, uint64_t address, void *context, uint64_t *bytes);
    int (*destroy_disassembler)(struct bp_amd_handle info);
};

/* library: of dlopen, null where there is none. BP_ERR_UNAVAILABLE when it lacks a function. */
int bp_amd_comgr_find(void *library, struct bp_amd_comgr *comgr, struct bp_error *err)
    BP_MUST_CHECK;

/* The object as data of comgr's, which release_data gives back. BP_ERR_UNAVAILABLE. */
int bp_amd_data_create(const struct bp_amd_comgr *comgr, const void *object, size_t bytes,
                       struct bp_amd_handle *data, struct bp_error *err) BP_MUST_CHECK;

/* The text at a key of a map, if it is one and fits. */
bool bp_amd_text_of(const struct bp_amd_comgr *comgr, struct bp_amd_handle map, const char *key,
                    char *text, size_t size);

/* Whatever each entry of the list at a key of a map is, in order, until visit returns false. Returns how
 * many entries the list has; 0 without one. */
size_t bp_amd_each(const struct bp_amd_comgr *comgr, struct bp_amd_handle map, const char *key,
                   bool (*visit)(struct bp_amd_handle entry, void *context), void *context);

/* The same of the kernels that the object describes. BP_ERR_UNAVAILABLE when it describes none. */
int bp_amd_each_kernel(const struct bp_amd_comgr *comgr, struct bp_amd_handle data,
                       bool (*visit)(struct bp_amd_handle kernel, void *context), void *context,
                       struct bp_error *err) BP_MUST_CHECK;

#endif
