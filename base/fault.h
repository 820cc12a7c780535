/* fault.h: named points at which a build with fault injection fails on purpose.
 *
 * A hook is one line at the real call: `if (bp_fault(BP_FAULT_fork)) …`, which counts the occurrence
 * and says whether it is to fail, errno set as the list says. Built without -Dfault_injection=true
 * every hook is `false` to the compiler and nothing can be armed.
 *
 * Occurrences are counted by phase and scope, so that "the first one of the second run child that the
 * first search batch started" means the same in every run, whoever answers first. Phase 0 is the opening
 * of a session, and each batch of candidates begins the next. A scope is one child, named by its stage,
 * the phase in which it was started, and its number among those ("run.3.2"): what is done to start it, to
 * ask it, and in consequence of what it did. All else that the supervisor does is "harness", and what the
 * record's writer does "record". */
#ifndef BP_BASE_FAULT_H
#define BP_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

/* name, errno (0: the hook itself says what goes wrong), what it does */
#define BP_FAULT_LIST(X)                                                                           \
    X(fork, EAGAIN, "clone3 of a child fails")                                                     \
    X(exec, EACCES, "a child cannot exec the worker")                                              \
    X(pipe, EMFILE, "a pipe of a child cannot be made")                                            \
    X(socketpair, EMFILE, "the control socket of a child cannot be made")                          \
    X(memfd, ENOMEM, "a memfd cannot be made")                                                     \
    X(mmap, ENOMEM, "an object cannot be mapped for hashing")                                      \
    X(epoll, ENOSPC, "a descriptor cannot be watched")                                             \
    X(timer, ENOMEM, "a timer cannot be started")                                                  \
    X(memory, ENOMEM, "an allocation for a candidate fails")                                       \
    X(short_read, 0, "a read from a child brings one byte")                                        \
    X(short_write, 0, "a write to a child takes one byte")                                         \
    X(read_error, EIO, "a read from a child fails")                                                \
    X(file_full, ENOSPC, "a write of an artifact finds the disk full")                             \
    X(file_error, EIO, "a write of an artifact fails")                                             \
    X(sync, EIO, "fsync of an artifact fails")                                                     \
    X(rename, EIO, "an artifact cannot be renamed into place")                                     \
    X(sqlite_full, 0, "a write of run.db finds the disk full")                                     \
    X(sqlite_error, 0, "a write of run.db fails")                                                  \
    X(sqlite_sync, 0, "fsync of run.db fails")                                                     \
    X(sqlite_busy, 0, "another process holds the lock of run.db")                                  \
    X(sqlite_corrupt, 0, "a page of run.db is read as garbage")                                    \
    X(kill_start, 0, "a worker is killed before it is ready")                                      \
    X(kill_canary, 0, "the worker is killed while it tries the sandbox")                           \
    X(kill_arenas, 0, "the worker is killed while it maps its arenas")                             \
    X(kill_probe, 0, "the worker is killed while it probes the device")                            \
    X(kill_make, 0, "the worker is killed while it makes master inputs")                           \
    X(kill_fill, 0, "the worker is killed while it fills inputs")                                  \
    X(kill_compile, 0, "the worker is killed while it compiles")                                   \
    X(kill_load, 0, "the worker is killed while it loads the object")                              \
    X(kill_cases, 0, "the worker is killed while it runs the cases")                               \
    X(kill_batch, 0, "the worker is killed while a batch is timed")                                \
    X(kill_judge, 0, "the worker is killed while it judges")                                       \
    X(kill_sample, 0, "the worker is killed while it judges a sample")                             \
    X(frame_bit, 0, "a bit of an answer's head is flipped")                                        \
    X(frame_cut, 0, "the second half of an answer is lost")                                        \
    X(frame_twice, 0, "an answer comes twice")                                                     \
    X(frame_nonce, 0, "an answer has another request's nonce")                                     \
    X(frame_candidate, 0, "a bit of an answer from the candidate's process is flipped")            \
    X(slow_child, 0, "a worker stops for 300 ms at work")                                          \
    X(stuck_prepare, 0, "the prepare child stops for good")                                        \
    X(stuck_compile, 0, "a compile child stops for good")                                          \
    X(stuck_run, 0, "a run child stops for good")                                                  \
    X(stuck_judge, 0, "a judge child stops for good")                                              \
    X(gpu_memory_fault, 0, "an emulated GPU reports a memory fault in place of a kernel")          \
    X(gpu_queue_error, 0, "a queue of an emulated GPU fails with an exception")                    \
    X(gpu_illegal, 0, "a queue of an emulated GPU fails with an illegal instruction")              \
    X(gpu_hang, 0, "a kernel on an emulated GPU never ends")                                       \
    X(gpu_lost, 0, "an emulated GPU is lost: nothing works on it any more")                        \
    X(gpu_ecc, 0, "an emulated GPU reports an error of its memory")                                \
    X(gpu_alloc, 0, "an emulated GPU has no memory for the tensors")                               \
    X(gpu_slow_reset, 0, "an emulated GPU takes a second to open")                                 \
    X(gpu_failing_reset, 0, "an emulated GPU cannot be opened")                                    \
    X(wall_forward, 0, "the wall clock jumps forward by a day")                                    \
    X(wall_back, 0, "the wall clock jumps back by a day")                                          \
    X(pause, 0, "the supervisor does not run for an hour")

enum bp_fault_point {
    BP_FAULT_none,
#define BP_FAULT_ENUM(name, error, what) BP_FAULT_##name,
    BP_FAULT_LIST(BP_FAULT_ENUM)
#undef BP_FAULT_ENUM
        BP_FAULT_COUNT
};

#define BP_FAULT_PHASES 16  /* the last one holds whatever comes later */
#define BP_FAULT_SCOPES 256 /* and so does the last one of these, "later" */
#define BP_FAULT_SCOPE_TEXT 32
#define BP_FAULT_SCOPE_HARNESS 0
#define BP_FAULT_SCOPE_RECORD 1

/* How often each point was met; a scope without a name has not begun. */
struct bp_fault_census {
    char scopes[BP_FAULT_SCOPES][BP_FAULT_SCOPE_TEXT];
    uint32_t counted[BP_FAULT_COUNT][BP_FAULT_SCOPES][BP_FAULT_PHASES];
};

/* The nth occurrence, from 1 on, from the beginning of a phase on. */
struct bp_fault_place {
    uint32_t phase;
    uint64_t nth;
    char scope[BP_FAULT_SCOPE_TEXT]; /* occurrences of any other are not counted; empty: all are */
};

enum bp_fault_mode {
    BP_FAULT_ONCE,   /* the nth occurrence fails */
    BP_FAULT_STICKY, /* and every later one */
    BP_FAULT_EVERY,  /* every nth one */
    BP_FAULT_MODE_COUNT
};

const char *bp_fault_name(enum bp_fault_point point);
const char *bp_fault_meaning(enum bp_fault_point point);
/* Met only where an emulated GPU is the device: the points gpu_*. */
bool bp_fault_is_of_device(enum bp_fault_point point);
const char *bp_fault_mode_name(enum bp_fault_mode mode);
/* BP_FAULT_none and BP_FAULT_MODE_COUNT when there is none of this name. */
enum bp_fault_point bp_fault_find(const char *name);
enum bp_fault_mode bp_fault_mode_find(const char *name);

/* Arms what the environment's BULLETPROOF_FAULTS asks for ("fork:3:once,memfd:10:every";
 * a phase from which it counts may follow, then a scope), and says on standard error
 * that this is a build with fault injection. A build without refuses (BP_ERR_USAGE). */
int bp_fault_from_environment(struct bp_error *err) BP_MUST_CHECK;

#ifdef BP_FAULT_INJECTION

#define BP_FAULT_BUILT true

bool bp_fault(enum bp_fault_point point);

/* Lets the occurrence at place fail, or with it the later ones, as mode says. */
void bp_fault_arm(enum bp_fault_point point, const struct bp_fault_place *place,
                  enum bp_fault_mode mode);
/* Nothing is armed, nothing counted, phase 0, no child begun. */
void bp_fault_reset(void);
void bp_fault_next_phase(void);
void bp_fault_take_census(struct bp_fault_census *census);
/* How many failed. */
uint64_t bp_fault_fired(void);
/* They are counted there from now on, where another process can see it. Borrowed. */
void bp_fault_count_in(_Atomic uint64_t *shared);

/* The scope of the next child of this stage. */
uint32_t bp_fault_new_scope(const char *stage);
/* The one that this thread is in. */
uint32_t bp_fault_scope(void);
/* This thread is in it from now on; the one before. */
uint32_t bp_fault_enter(uint32_t scope);

/* What a clock adds to what the system says. */
uint64_t bp_fault_skipped_ns(void);
int64_t bp_fault_skipped_wall_ms(void);

#else

#define BP_FAULT_BUILT false

static inline bool bp_fault(enum bp_fault_point point)
{
    (void)point;
    return false;
}

static inline void bp_fault_next_phase(void)
{
}

static inline uint32_t bp_fault_new_scope(const char *stage)
{
    (void)stage;
    return BP_FAULT_SCOPE_HARNESS;
}

static inline uint32_t bp_fault_scope(void)
{
    return BP_FAULT_SCOPE_HARNESS;
}

static inline uint32_t bp_fault_enter(uint32_t scope)
{
    return scope;
}

static inline uint64_t bp_fault_skipped_ns(void)
{
    return 0;
}

static inline int64_t bp_fault_skipped_wall_ms(void)
{
    return 0;
}

#endif

static inline void bp_fault_leave(const uint32_t *before)
{
    bp_fault_enter(*before);
}

/* Until the block ends: BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(scope); */
#define BP_AUTO_SCOPE __attribute__((cleanup(bp_fault_leave)))

/* calloc and malloc of what is needed for a candidate. */
static inline void *bp_fault_calloc(size_t count, size_t size)
{
    return bp_fault(BP_FAULT_memory) ? NULL : calloc(count, size);
}

static inline void *bp_fault_malloc(size_t size)
{
    return bp_fault(BP_FAULT_memory) ? NULL : malloc(size);
}

#endif
