/* sabotage.h: what another hand can do to a worker at work: kill it, stop it, garble its answers.
 * Points of base/fault.h; without fault injection nothing of it is built. */
#ifndef BP_HARNESS_SUPERVISE_SABOTAGE_H
#define BP_HARNESS_SUPERVISE_SABOTAGE_H

#include <sys/types.h>

#include "base/fault.h"
#include "evaluator/device_name.h"
#include "evaluator/messages.h"
#include "sandbox/launch.h"

/* The child as the hooks see it. */
struct bp_sabotage {
    const char *stage;
    const struct bp_launched *launched;
    int stage_pidfd;    /* -1 when not known */
    bool candidate_ran; /* its answers may be a candidate's */
};

#ifdef BP_FAULT_INJECTION

/* Before a run or probe child is asked to open its device: the faults that an emulated one is to commit
 * there, as docs/emulator.md has them. BULLETPROOF_FAULTY_DEVICE in the environment names the only one
 * that does, where a run has several. */
void bp_sabotage_device(enum bp_device_kind kind, const char *device, char faults[BP_TEXT_SHORT]);

/* The same before a device is asked what it is: the one that BULLETPROOF_ABSENT_DEVICE in the environment
 * names cannot be opened. No point of base/fault.h: what they count are kernels. */
void bp_sabotage_description(const char *device, char faults[BP_TEXT_SHORT]);

/* Before a request of this type is written; for BP_MESSAGE_ready, as soon as the child is started. */
void bp_sabotage_request(const struct bp_sabotage *child, enum bp_message_type type);
/* After `got` bytes of an answer were read, of at most `room`; the number of bytes now. */
ssize_t bp_sabotage_answer(const struct bp_sabotage *child, char *bytes, ssize_t got, size_t room);

#else

static inline void bp_sabotage_device(enum bp_device_kind kind, const char *device,
                                      char faults[BP_TEXT_SHORT])
{
    (void)kind, (void)device, (void)faults;
}

static inline void bp_sabotage_description(const char *device, char faults[BP_TEXT_SHORT])
{
    (void)device, (void)faults;
}

static inline void bp_sabotage_request(const struct bp_sabotage *child, enum bp_message_type type)
{
    (void)child, (void)type;
}

static inline ssize_t bp_sabotage_answer(const struct bp_sabotage *child, char *bytes, ssize_t got,
                                         size_t room)
{
    (void)child, (void)bytes, (void)room;
    return got;
}

#endif

#endif
