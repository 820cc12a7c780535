#include "evaluator/emulator/ranges.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct emu_range *ranges; /* in no order: locked ranges may overlap others */
static size_t range_count, range_room;
static size_t device_limit, device_used;
static _Atomic uint64_t generation = 1; /* changes with every range that goes */

void emu_ranges_limit(size_t device_bytes)
{
    pthread_mutex_lock(&mutex);
    device_limit = device_bytes;
    pthread_mutex_unlock(&mutex);
}

size_t emu_ranges_device_left(void)
{
    pthread_mutex_lock(&mutex);
    size_t left = device_limit - device_used;
    pthread_mutex_unlock(&mutex);
    return left;
}

static bool add_locked(const struct emu_range *range)
{
    if (range_count == range_room) {
        size_t room = range_room ? range_room * 2 : 64;
        struct emu_range *larger = realloc(ranges, room * sizeof(*ranges));
        if (!larger)
            return false;
        ranges = larger;
        range_room = room;
    }
    ranges[range_count++] = *range;
    return true;
}

/* Takes out the last of the ranges that begins at `start`, of kind LOCKED or of any other. */
static bool take_locked(uintptr_t start, bool locked, struct emu_range *taken)
{
    for (size_t n = range_count; n-- > 0;) {
        if (ranges[n].start != start || (ranges[n].kind == EMU_RANGE_LOCKED) != locked)
            continue;
        *taken = ranges[n];
        ranges[n] = ranges[--range_count];
        generation++;
        return true;
    }
    return false;
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE;
}

/* Counts the bytes as used, if the device has as many left. */
static bool reserve(enum emu_range_kind kind, size_t bytes)
{
    if (kind != EMU_RANGE_DEVICE)
        return true;
    pthread_mutex_lock(&mutex);
    bool fits = bytes <= device_limit - device_used;
    if (fits)
        device_used += bytes;
    pthread_mutex_unlock(&mutex);
    return fits;
}

static void give_back(enum emu_range_kind kind, size_t bytes)
{
    if (kind != EMU_RANGE_DEVICE)
        return;
    pthread_mutex_lock(&mutex);
    device_used -= bytes;
    pthread_mutex_unlock(&mutex);
}

static void *map_guarded(size_t bytes)
{
    char *mapping = mmap(NULL, bytes + 2 * EMU_PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping + EMU_PAGE, bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping, bytes + 2 * EMU_PAGE);
        return NULL;
    }
    return mapping + EMU_PAGE;
}

static void unmap_guarded(uintptr_t start, size_t bytes)
{
    munmap((char *)start - EMU_PAGE, bytes + 2 * EMU_PAGE);
}

hsa_status_t emu_range_allocate(enum emu_range_kind kind, size_t bytes, void **address)
{
    if (bytes == 0 || bytes > SIZE_MAX / 2)
        return HSA_STATUS_ERROR_INVALID_ALLOCATION;
    size_t accessible = whole_pages(bytes);
    if (!reserve(kind, accessible))
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    void *memory = map_guarded(accessible);
    struct emu_range range = {kind, (uintptr_t)memory, bytes, accessible};
    pthread_mutex_lock(&mutex);
    bool added = memory && add_locked(&range);
    pthread_mutex_unlock(&mutex);
    if (added) {
        *address = memory;
        return HSA_STATUS_SUCCESS;
    }
    if (memory)
        unmap_guarded(range.start, accessible);
    give_back(kind, accessible);
    return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
}

hsa_status_t emu_range_free(void *address)
{
    struct emu_range range;
    pthread_mutex_lock(&mutex);
    bool taken = take_locked((uintptr_t)address, false, &range);
    pthread_mutex_unlock(&mutex);
    if (!taken)
        return HSA_STATUS_ERROR_INVALID_ALLOCATION;
    unmap_guarded(range.start, range.accessible);
    give_back(range.kind, range.accessible);
    return HSA_STATUS_SUCCESS;
}

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address / EMU_PAGE * EMU_PAGE;
}

hsa_status_t emu_range_lock(void *address, size_t bytes)
{
    if (!address || bytes == 0 || bytes > SIZE_MAX / 2)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    uintptr_t start = page_of(address);
    struct emu_range range = {EMU_RANGE_LOCKED, start, bytes,
                              whole_pages((uintptr_t)address - start + bytes)};
    pthread_mutex_lock(&mutex);
    bool added = add_locked(&range);
    pthread_mutex_unlock(&mutex);
    return added ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_OUT_OF_RESOURCES;
}

hsa_status_t emu_range_unlock(void *address)
{
    struct emu_range range;
    pthread_mutex_lock(&mutex);
    bool taken = take_locked(page_of(address), true, &range);
    pthread_mutex_unlock(&mutex);
    return taken ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_ALLOCATION;
}

static bool holds(const struct emu_range *range, uintptr_t address, uint64_t bytes, bool write)
{
    uintptr_t offset = address - range->start; /* wraps to something large below the start */
    return offset < range->accessible && bytes <= range->accessible - offset &&
           !(write && range->kind == EMU_RANGE_READABLE);
}

static bool find(uintptr_t address, uint64_t bytes, bool write, struct emu_range *found)
{
    bool any = false;
    pthread_mutex_lock(&mutex);
    for (size_t n = 0; n < range_count && !any; n++) {
        any = holds(&ranges[n], address, bytes, write);
        if (any)
            *found = ranges[n];
    }
    pthread_mutex_unlock(&mutex);
    return any;
}

bool emu_range_find(const void *address, struct emu_range *found)
{
    return find((uintptr_t)address, 1, false, found);
}

bool emu_reach_allows(void *context, uint64_t address, uint64_t bytes, bool write)
{
    struct emu_reach *reach = context;
    uint64_t now = generation;
    if (reach->generation != now)
        *reach = (struct emu_reach){.generation = now};
    const size_t room = sizeof(reach->recent) / sizeof(reach->recent[0]);
    for (size_t n = 0; n < room; n++)
        if (holds(&reach->recent[n], address, bytes, write))
            return true;
    struct emu_range range;
    if (!find(address, bytes, write, &range))
        return false;
    reach->recent[reach->next++ % room] = range;
    return true;
}
