/* object_cache.h: the objects a session has compiled, by the hash of all that went into them: source,
 * knobs, dtype, architecture, gates. The compiler is not asked for its version again: a cache lives no longer than
 * a session. Only what compiled is kept; the oldest goes when it is full. */
#ifndef BP_HARNESS_SUPERVISE_OBJECT_CACHE_H
#define BP_HARNESS_SUPERVISE_OBJECT_CACHE_H

#include "evaluator/messages.h"

#define BP_OBJECT_CACHE_SIZE 32

struct bp_cached_object {
    char key[BP_HASH_TEXT]; /* empty: a free place */
    int fd;                 /* owned, sealed */
    uint64_t bytes;
    char hash[BP_HASH_TEXT];
    char compiler[BP_TEXT_LINE];
    char command[BP_COMPILE_COMMAND];
    struct bp_profile profile;
};

/* Zeroed is empty. */
struct bp_object_cache {
    struct bp_cached_object objects[BP_OBJECT_CACHE_SIZE];
    uint32_t next; /* place of the next one */
};

/* The key of what a request and a source make. BP_ERR_MEMORY. */
int bp_object_cache_key(const struct bp_msg_compile_request *request, const char *source,
                        size_t source_bytes, char key[BP_HASH_TEXT], struct bp_error *err)
    BP_MUST_CHECK;

/* Null when it is not there; valid until the next is kept. */
const struct bp_cached_object *bp_object_cache_find(const struct bp_object_cache *cache,
                                                    const char *key);

/* Keeps a copy of *object, which has a key of its own, and duplicates its descriptor. That it cannot is
 * no failure: nobody needs it. */
void bp_object_cache_keep(struct bp_object_cache *cache, const struct bp_cached_object *object);

void bp_object_cache_empty(struct bp_object_cache *cache);

#endif
