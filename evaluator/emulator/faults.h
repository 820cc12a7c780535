/* faults.h: faults of the device that are injected on purpose.
 *
 * BULLETPROOF_HSA_FAULTS is a list of KIND:N[:ARGUMENT], separated by commas: the fault strikes
 * at the N-th (from 1) dispatch or allocation of device memory of this process. Faults of a
 * reset strike when the process opens the device, and are KIND[:ARGUMENT]. docs/emulator.md has
 * the list. */
#ifndef BP_EMULATOR_FAULTS_H
#define BP_EMULATOR_FAULTS_H

#include <hsa/hsa.h>
#include <stdbool.h>
#include <stdint.h>

enum emu_fault_point { EMU_AT_OPEN, EMU_AT_ALLOCATION, EMU_AT_DISPATCH };

enum emu_fault_effect {
    EMU_EFFECT_STATUS,       /* the call, or the queue, fails with the status */
    EMU_EFFECT_HANG,         /* the dispatch never ends */
    EMU_EFFECT_MEMORY_FAULT, /* the event, with the argument as address; never ends */
    EMU_EFFECT_DEVICE_LOST,  /* event of a hang; never ends, no queue or memory after that */
    EMU_EFFECT_ECC,          /* event of an ECC error; never ends */
    EMU_EFFECT_SLEEP,        /* takes the argument in seconds */
};

struct emu_fault {
    const char *name;
    enum emu_fault_point point;
    enum emu_fault_effect effect;
    hsa_status_t status;
    uint64_t argument;
    uint64_t at; /* the how many-th passage of its point */
};

/* Reads the list; false, after a message on stderr, if it is not one. NULL: no faults. */
bool emu_faults_arm(const char *list);

/* Counts a passage of the point; the fault that strikes at this one, or NULL. */
const struct emu_fault *emu_fault_strikes(enum emu_fault_point point);

/* From the time the device was lost on, nothing works any more in this process. */
void emu_device_lose(void);
bool emu_device_lost(void);

#endif
