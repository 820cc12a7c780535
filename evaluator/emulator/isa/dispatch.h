/* dispatch.h: one kernel dispatch on the emulated GPU, from the AQL packet's fields to its end. */
#ifndef EMU_DISPATCH_H
#define EMU_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses whose upper half is one of these are generic pointers to LDS and to a lane's scratch. */
#define EMU_SHARED_APERTURE_HI UINT32_C(0x00010000)
#define EMU_PRIVATE_APERTURE_HI UINT32_C(0x00020000)

/* Scratch of one work-item, at most: what a wave of gfx12, the largest, has room for. */
#define EMU_MAX_PRIVATE_BYTES (UINT32_C(2) << 20)

/* What to run. All pointers stay the caller's and must live until emu_dispatch_run() returns. */
struct emu_dispatch {
    const char *isa;               /* "gfx1030", without features */
    const void *kernel_descriptor; /* 64 bytes, in the mapped code object */
    uint32_t grid[3];              /* work-items */
    uint16_t workgroup[3];         /* work-items */
    uint32_t lds_bytes;            /* a workgroup's, static and dynamic */
    uint32_t private_bytes; /* scratch of one work-item; the descriptor's, where that is more */
    const void *kernarg;
    const void *packet;        /* hsa_kernel_dispatch_packet_t, as the kernel may read it */
    const void *queue;         /* amd_queue_t, likewise */
    uint64_t max_instructions; /* budget of wave-instructions; 0: none */

    /* Whether the kernel may access these bytes; asked for code, kernarg and packet too, not for LDS
     * and scratch. What it said of a page holds until the dispatch ends. NULL: everything is allowed,
     * and what is not mapped raises a signal; see emu_dispatch_fault(). */
    bool (*may_access)(void *ctx, uint64_t address, uint64_t size, bool write);
    void *ctx;
    volatile bool *stop; /* set from outside: the dispatch ends soon, EMU_STOPPED. May be NULL. */
};

enum emu_end {
    EMU_DONE,
    EMU_MEMORY_FAULT,
    EMU_ILLEGAL_INSTRUCTION,
    EMU_UNIMPLEMENTED, /* an instruction, operand or mode that the emulator does not have */
    EMU_TRAP,
    EMU_LDS_FAULT,
    EMU_BUDGET,
    EMU_STOPPED,
    EMU_FAILED, /* the emulator itself: nothing that the kernel did */
};

/* Wave-instructions that were executed. */
struct emu_counters {
    uint64_t salu;
    uint64_t valu;
    uint64_t matrix;
    uint64_t lds;
    uint64_t vmem;
    uint64_t smem;
    uint64_t wait;
    uint64_t branch;
    uint64_t other;
};

struct emu_outcome {
    enum emu_end end;
    uint64_t address; /* accessed (faults) or of the instruction (all others) */
    char what[160]; /* for people: the reason, and the instruction as the disassembler prints it */
    struct emu_counters counters;
};

/* Runs every workgroup to its end, one after the other, in the calling thread; dispatches of several
 * threads wait for each other. Returns 0 and fills *outcome, whatever became of the kernel; -1 and
 * outcome->what when the emulator itself cannot run (no memory, no disassembler for this isa, a
 * processor without AVX2, FMA and F16C). */
int emu_dispatch_run(const struct emu_dispatch *dispatch, struct emu_outcome *outcome);

/* To be called by a handler of SIGSEGV or SIGBUS with the address that faulted. When the signal
 * interrupted an access of the kernel that this thread runs, it does not return: emu_dispatch_run()
 * does, with EMU_MEMORY_FAULT. Otherwise false: the fault is somebody else's. */
bool emu_dispatch_fault(uint64_t address);

const char *emu_end_name(enum emu_end end); /* "done", "memory fault", ... */

#endif
