/* ranges.h: all memory that the emulated device may touch, and nothing else.
 *
 * Memory made here lies between two guard pages and is accessible in whole pages, as on a
 * device. The functions may be called from any thread. */
#ifndef BP_EMULATOR_RANGES_H
#define BP_EMULATOR_RANGES_H

#include <hsa/hsa.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_PAGE 4096u

enum emu_range_kind {
    EMU_RANGE_DEVICE,   /* memory of the device; counts against its size */
    EMU_RANGE_HOST,     /* of the host, made for the device too */
    EMU_RANGE_LOCKED,   /* memory of others, opened to the device for a while */
    EMU_RANGE_INTERNAL, /* signals and code */
    EMU_RANGE_READABLE, /* queues: no kernel may turn the host's pointers in them */
};

struct emu_range {
    enum emu_range_kind kind;
    uintptr_t start;
    size_t bytes;      /* as asked for */
    size_t accessible; /* whole pages */
};

/* Sets how much EMU_RANGE_DEVICE may hold in all. */
void emu_ranges_limit(size_t device_bytes);
size_t emu_ranges_device_left(void);

/* Zeroed memory, aligned to a page. HSA_STATUS_ERROR_OUT_OF_RESOURCES when there is none left. */
hsa_status_t emu_range_allocate(enum emu_range_kind kind, size_t bytes, void **address);

/* Frees what starts at `address`; HSA_STATUS_ERROR_INVALID_ALLOCATION if nothing of ours does. */
hsa_status_t emu_range_free(void *address);

/* Opens the pages of memory that belongs to somebody else; each lock is taken back by one
 * unlock. */
hsa_status_t emu_range_lock(void *address, size_t bytes);
hsa_status_t emu_range_unlock(void *address);

/* The range that holds `address`, or false. */
bool emu_range_find(const void *address, struct emu_range *found);

/* What one thread has looked up lately; zeroed before its first use. */
struct emu_reach {
    uint64_t generation;
    struct emu_range recent[8];
    unsigned next;
};

/* Whether the device may touch all bytes from `address` on; `reach` is a struct emu_reach. Code
 * can be written, as it can on a device. Has the type of emu_dispatch.may_access. */
bool emu_reach_allows(void *reach, uint64_t address, uint64_t bytes, bool write);

#endif
