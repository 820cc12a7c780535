#include "evaluator/amd_metadata.h"

#include <dlfcn.h>
#include <string.h>

#define DATA_EXECUTABLE 8 /* AMD_COMGR_DATA_KIND_EXECUTABLE */

int bp_amd_comgr_find(void *library, struct bp_amd_comgr *comgr, struct bp_error *err)
{
    const struct {
        void *function;
        const char *name;
    } entries[] = {
        {&comgr->create_data, "amd_comgr_create_data"},
        {&comgr->set_data, "amd_comgr_set_data"},
        {&comgr->release_data, "amd_comgr_release_data"},
        {&comgr->isa_name, "amd_comgr_get_data_isa_name"},
        {&comgr->metadata, "amd_comgr_get_data_metadata"},
        {&comgr->lookup, "amd_comgr_metadata_lookup"},
        {&comgr->list_size, "amd_comgr_get_metadata_list_size"},
        {&comgr->list_index, "amd_comgr_index_list_metadata"},
        {&comgr->string, "amd_comgr_get_metadata_string"},
        {&comgr->destroy, "amd_comgr_destroy_metadata"},
        {&comgr->create_disassembler, "amd_comgr_create_disassembly_info"},
        {&comgr->disassemble, "amd_comgr_disassemble_instruction"},
        {&comgr->destroy_disassembler, "amd_comgr_destroy_disassembly_info"},
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *function = library ? dlsym(library, entries[i].name) : NULL;
        if (!function)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "no %s", entries[i].name);
        memcpy(entries[i].function, &function, sizeof function);
    }
    return 0;
}

int bp_amd_data_create(const struct bp_amd_comgr *comgr, const void *object, size_t bytes,
                       struct bp_amd_handle *data, struct bp_error *err)
{
    if (comgr->create_data(DATA_EXECUTABLE, data) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "amd_comgr cannot begin");
    if (comgr->set_data(*data, bytes, object) == 0)
        return 0;
    comgr->release_data(*data);
    return bp_fail(err, BP_ERR_UNAVAILABLE, "amd_comgr does not take the object");
}

bool bp_amd_text_of(const struct bp_amd_comgr *comgr, struct bp_amd_handle map, const char *key,
                    char *text, size_t size)
{
    struct bp_amd_handle node;
    size_t bytes = 0;
    if (comgr->lookup(map, key, &node) != 0)
        return false;
    bool fits = comgr->string(node, &bytes, NULL) == 0 && bytes > 0 && bytes <= size;
    bool got = fits && comgr->string(node, &bytes, text) == 0;
    comgr->destroy(node);
    return got;
}

size_t bp_amd_each(const struct bp_amd_comgr *comgr, struct bp_amd_handle map, const char *key,
                   bool (*visit)(struct bp_amd_handle entry, void *context), void *context)
{
    struct bp_amd_handle list, entry;
    size_t count = 0;
    if (comgr->lookup(map, key, &list) != 0)
        return 0;
    if (comgr->list_size(list, &count) != 0)
        count = 0;
    bool wanted = true;
    for (size_t i = 0; wanted && i < count; i++)
        if (comgr->list_index(list, i, &entry) == 0) {
            wanted = visit(entry, context);
            comgr->destroy(entry);
        }
    comgr->destroy(list);
    return count;
}

int bp_amd_each_kernel(const struct bp_amd_comgr *comgr, struct bp_amd_handle data,
                       bool (*visit)(struct bp_amd_handle kernel, void *context), void *context,
                       struct bp_error *err)
{
    struct bp_amd_handle root;
    if (comgr->metadata(data, &root) != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the object has no metadata");
    size_t count = bp_amd_each(comgr, root, "amdhsa.kernels", visit, context);
    comgr->destroy(root);
    return count > 0 ? 0 : bp_fail(err, BP_ERR_UNAVAILABLE, "the object describes no kernel");
}
