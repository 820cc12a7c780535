#include "harness/supervise/object_cache.h"

#include <fcntl.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/* Everything of the request but the device, whose code is told by the architecture. Texts are taken with
 * their ends, so that no two lists read alike. */
static int add_request(const struct bp_msg_compile_request *request, struct bp_buffer *text,
                       struct bp_error *err)
{
    const uint32_t numbers[] = {request->dtype, request->gates, request->spills_below,
                                request->define_count};
    if (bp_buffer_add(text, request->arch, strlen(request->arch) + 1, err) < 0 ||
        bp_buffer_add(text, numbers, sizeof numbers, err) < 0)
        return -1;
    for (uint32_t i = 0; i < request->define_count; i++) {
        const struct bp_define *define = &request->defines[i];
        if (bp_buffer_add(text, define->name, strlen(define->name) + 1, err) < 0 ||
            bp_buffer_add(text, define->value, strlen(define->value) + 1, err) < 0)
            return -1;
    }
    return 0;
}

int bp_object_cache_key(const struct bp_msg_compile_request *request, const char *source,
                        size_t source_bytes, char key[BP_HASH_TEXT], struct bp_error *err)
{
    struct bp_buffer text;
    bp_buffer_init(&text, source_bytes + sizeof *request + 64);
    int result = add_request(request, &text, err);
    if (result == 0)
        result = bp_buffer_add(&text, source, source_bytes, err);
    if (result == 0)
        bp_hash_text(text.data, text.size, key);
    bp_buffer_free(&text);
    return result;
}

const struct bp_cached_object *bp_object_cache_find(const struct bp_object_cache *cache,
                                                    const char *key)
{
    for (uint32_t i = 0; i < BP_OBJECT_CACHE_SIZE; i++)
        if (cache->objects[i].key[0] && strcmp(cache->objects[i].key, key) == 0)
            return &cache->objects[i];
    return NULL;
}

void bp_object_cache_keep(struct bp_object_cache *cache, const struct bp_cached_object *object)
{
    if (bp_object_cache_find(cache, object->key))
        return;
    int fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return;
    struct bp_cached_object *place = &cache->objects[cache->next];
    cache->next = (cache->next + 1) % BP_OBJECT_CACHE_SIZE;
    if (place->key[0])
        bp_close_fd(&place->fd);
    *place = *object;
    place->fd = fd;
}

void bp_object_cache_empty(struct bp_object_cache *cache)
{
    for (uint32_t i = 0; i < BP_OBJECT_CACHE_SIZE; i++)
        if (cache->objects[i].key[0])
            bp_close_fd(&cache->objects[i].fd);
    memset(cache, 0, sizeof *cache);
}
