#include "evaluator/emulator/faults.h"

#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluator/emulator/events.h"

#define MAX_FAULTS 32

/* The argument is the default of what may follow in the list. */
static const struct emu_fault kinds[] = {
    {"memory_fault", EMU_AT_DISPATCH, EMU_EFFECT_MEMORY_FAULT, HSA_STATUS_SUCCESS, 0xbad000, 0},
    {"queue_error", EMU_AT_DISPATCH, EMU_EFFECT_STATUS, HSA_STATUS_ERROR_EXCEPTION, 0, 0},
    {"illegal_instruction", EMU_AT_DISPATCH, EMU_EFFECT_STATUS,
     (hsa_status_t)HSA_STATUS_ERROR_ILLEGAL_INSTRUCTION, 0, 0},
    {"hang", EMU_AT_DISPATCH, EMU_EFFECT_HANG, HSA_STATUS_SUCCESS, 0, 0},
    {"device_lost", EMU_AT_DISPATCH, EMU_EFFECT_DEVICE_LOST, HSA_STATUS_SUCCESS, 0, 0},
    {"ecc", EMU_AT_DISPATCH, EMU_EFFECT_ECC, HSA_STATUS_SUCCESS, 0, 0},
    {"alloc_fail", EMU_AT_ALLOCATION, EMU_EFFECT_STATUS, HSA_STATUS_ERROR_OUT_OF_RESOURCES, 0, 0},
    {"slow_reset", EMU_AT_OPEN, EMU_EFFECT_SLEEP, HSA_STATUS_SUCCESS, 5, 1},
    {"failing_reset", EMU_AT_OPEN, EMU_EFFECT_STATUS, HSA_STATUS_ERROR_OUT_OF_RESOURCES, 0, 1},
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct emu_fault armed[MAX_FAULTS];
static size_t armed_count;
static uint64_t passages[EMU_AT_DISPATCH + 1];
static volatile bool lost;

static const struct emu_fault *kind_named(const char *name, size_t length)
{
    for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
        if (strlen(kinds[n].name) == length && memcmp(kinds[n].name, name, length) == 0)
            return &kinds[n];
    return NULL;
}

/* Reads ":NUMBER" if it is there; false if a colon has no number behind it. */
static bool read_number(const char **at, uint64_t *number)
{
    if (**at != ':')
        return true;
    const char *digits = *at + 1;
    char *end;
    *number = strtoull(digits, &end, 0);
    *at = end;
    return end != digits && *digits != '-' && *digits != '+';
}

/* Reads one item up to its comma or the end of the list. */
static bool read_fault(const char **at, struct emu_fault *fault)
{
    size_t length = strcspn(*at, ":,");
    const struct emu_fault *kind = kind_named(*at, length);
    if (!kind)
        return false;
    *fault = *kind;
    *at += length;
    if (fault->point != EMU_AT_OPEN && !read_number(at, &fault->at))
        return false;
    return read_number(at, &fault->argument) && fault->at > 0 && (**at == ',' || **at == '\0');
}

bool emu_faults_arm(const char *list)
{
    const char *at = list ? list : "";
    armed_count = 0;
    memset(passages, 0, sizeof(passages));
    while (*at) {
        if (armed_count == MAX_FAULTS || !read_fault(&at, &armed[armed_count])) {
            fprintf(stderr, "emulator: not a list of faults: %s\n", list);
            return false;
        }
        armed_count++;
        at += *at == ',';
    }
    return true;
}

const struct emu_fault *emu_fault_strikes(enum emu_fault_point point)
{
    const struct emu_fault *strikes = NULL;
    pthread_mutex_lock(&mutex);
    passages[point]++;
    for (size_t n = 0; n < armed_count && !strikes; n++)
        if (armed[n].point == point && armed[n].at == passages[point])
            strikes = &armed[n];
    pthread_mutex_unlock(&mutex);
    if (strikes) {
        fprintf(stderr, "emulator: injected %s\n", strikes->name);
        emu_report_injected(strikes->name);
    }
    return strikes;
}

void emu_device_lose(void)
{
    lost = true;
}

bool emu_device_lost(void)
{
    return lost;
}
