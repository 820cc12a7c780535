/* runtime.c: opening the emulated system, and what HSA says of it as a whole. */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/facts.h"
#include "evaluator/emulator/faults.h"
#include "evaluator/emulator/hsa_newer.h"
#include "evaluator/emulator/packets.h"
#include "evaluator/emulator/report.h"
#include "evaluator/emulator/signals.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Some ten minutes of one core, far more than any kernel that is worth emulating. */
#define DEFAULT_INSTRUCTIONS 20000000000u

/* hsa.h declares them in the old way, without a prototype. */
hsa_status_t hsa_init(void);
hsa_status_t hsa_shut_down(void);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned references;

static bool read_budget(uint64_t *instructions)
{
    const char *text = getenv(EMU_ENV_INSTRUCTIONS);
    *instructions = DEFAULT_INSTRUCTIONS;
    if (!text)
        return true;
    char *end;
    *instructions = strtoull(text, &end, 10);
    if (end != text && *end == '\0')
        return true;
    fprintf(stderr, "emulator: %s is not a number: %s\n", EMU_ENV_INSTRUCTIONS, text);
    return false;
}

static hsa_status_t open_device(void)
{
    const char *isa = getenv(EMU_ENV_TARGET);
    const struct emu_target *target = isa ? emu_target_find(isa) : NULL;
    uint64_t instructions;
    if (!target) {
        fprintf(stderr, "emulator: %s is %s, not one of %s\n", EMU_ENV_TARGET,
                isa ? isa : "not set", emu_target_names());
        return HSA_STATUS_ERROR;
    }
    if (!emu_faults_arm(getenv(EMU_ENV_FAULTS)) || !read_budget(&instructions))
        return HSA_STATUS_ERROR;
    const struct emu_fault *fault = emu_fault_strikes(EMU_AT_OPEN);
    if (fault && fault->effect == EMU_EFFECT_SLEEP)
        sleep((unsigned)fault->argument);
    if (fault && fault->status != HSA_STATUS_SUCCESS)
        return fault->status;
    emu_packets_limit(instructions);
    emu_agents_describe(target);
    emu_pools_describe(target);
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_init(void)
{
    hsa_status_t status = HSA_STATUS_SUCCESS;
    pthread_mutex_lock(&mutex);
    if (references == 0 && !emu_agents_target())
        status = open_device();
    if (status == HSA_STATUS_SUCCESS)
        references++;
    pthread_mutex_unlock(&mutex);
    return status;
}

/* The threads stay, and so does what they look at: the process is about to end. */
hsa_status_t hsa_shut_down(void)
{
    pthread_mutex_lock(&mutex);
    bool open = references > 0;
    if (open)
        references--;
    pthread_mutex_unlock(&mutex);
    return open ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_NOT_INITIALIZED;
}

hsa_status_t hsa_system_get_info(hsa_system_info_t attribute, void *value)
{
    static const char version[] = "bulletproof emulator";
    const struct emu_fact facts[] = {
        EMU_U16(HSA_SYSTEM_INFO_VERSION_MAJOR, 1),
        EMU_U16(HSA_SYSTEM_INFO_VERSION_MINOR, 1),
        EMU_U64(HSA_SYSTEM_INFO_TIMESTAMP, emu_now()),
        EMU_U64(HSA_SYSTEM_INFO_TIMESTAMP_FREQUENCY, 1000000000),
        EMU_U64(HSA_SYSTEM_INFO_SIGNAL_MAX_WAIT, UINT64_MAX),
        EMU_U32(HSA_SYSTEM_INFO_ENDIANNESS, HSA_ENDIANNESS_LITTLE),
        EMU_U32(HSA_SYSTEM_INFO_MACHINE_MODEL, HSA_MACHINE_MODEL_LARGE),
        {HSA_SYSTEM_INFO_EXTENSIONS, 1, 128, {0}, NULL},
        EMU_U64(EMU_SYSTEM_INFO_BUILD_VERSION, (uint64_t)version),
        EMU_U8(EMU_SYSTEM_INFO_SVM_SUPPORTED, 0),
        EMU_U8(EMU_SYSTEM_INFO_SVM_ACCESSIBLE_BY_DEFAULT, 0),
        EMU_U8(EMU_SYSTEM_INFO_MWAITX_ENABLED, 0),
        EMU_U8(EMU_SYSTEM_INFO_DMABUF_SUPPORTED, 0),
        EMU_U8(EMU_SYSTEM_INFO_VIRTUAL_MEMORY_SUPPORTED, 0),
        EMU_U8(EMU_SYSTEM_INFO_XNACK_ENABLED, 0),
        EMU_U16(EMU_SYSTEM_INFO_EXTENSION_MAJOR, 1),
        EMU_U16(EMU_SYSTEM_INFO_EXTENSION_MINOR, 11), /* as ROCm 7.2 */
    };
    return emu_fact_answer(facts, COUNT(facts), attribute, value);
}

/* Tables of extensions are all null: libamdhip64 asks for the loader's, and calls it for
 * debuggers only. */
hsa_status_t hsa_system_get_major_extension_table(uint16_t extension, uint16_t version_major,
                                                  size_t table_length, void *table)
{
    (void)extension;
    (void)version_major;
    if (!table)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    memset(table, 0, table_length);
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t not_supported(bool *result)
{
    if (!result)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    *result = false;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_system_extension_supported(uint16_t extension, uint16_t version_major,
                                            uint16_t version_minor, bool *result)
{
    (void)extension;
    (void)version_major;
    (void)version_minor;
    return not_supported(result);
}

hsa_status_t hsa_agent_extension_supported(uint16_t extension, hsa_agent_t agent,
                                           uint16_t version_major, uint16_t version_minor,
                                           bool *result)
{
    (void)extension;
    (void)agent;
    (void)version_major;
    (void)version_minor;
    return not_supported(result);
}

hsa_status_t hsa_amd_enable_logging(uint8_t *flags, void *file)
{
    (void)flags; /* what there is to say goes to stderr in any case */
    (void)file;
    return HSA_STATUS_SUCCESS;
}

hsa_status_t hsa_status_string(hsa_status_t status, const char **text)
{
    static const struct {
        uint32_t status;
        const char *text;
    } texts[] = {
#define STATUS(name, text) {HSA_STATUS_##name, "HSA_STATUS_" #name ": " text}
        STATUS(SUCCESS, "The function has been executed successfully."),
        STATUS(INFO_BREAK, "A traversal over a list of elements has been interrupted."),
        STATUS(ERROR, "A generic error has occurred."),
        STATUS(ERROR_INVALID_ARGUMENT, "An argument is not valid."),
        STATUS(ERROR_INVALID_QUEUE_CREATION, "The requested queue cannot be created."),
        STATUS(ERROR_INVALID_ALLOCATION, "The requested allocation is not valid."),
        STATUS(ERROR_INVALID_AGENT, "The agent is invalid."),
        STATUS(ERROR_INVALID_SIGNAL, "The signal is invalid."),
        STATUS(ERROR_INVALID_QUEUE, "The queue is invalid."),
        STATUS(ERROR_OUT_OF_RESOURCES, "The runtime failed to allocate the necessary resources."),
        STATUS(ERROR_INVALID_PACKET_FORMAT, "The AQL packet is malformed."),
        STATUS(ERROR_NOT_INITIALIZED, "The runtime has not been initialized."),
        STATUS(ERROR_INCOMPATIBLE_ARGUMENTS, "The arguments are not compatible."),
        STATUS(ERROR_INVALID_ISA, "The instruction set architecture is invalid."),
        STATUS(ERROR_INVALID_CODE_OBJECT, "The code object is invalid."),
        STATUS(ERROR_INVALID_EXECUTABLE, "The executable is invalid."),
        STATUS(ERROR_INVALID_SYMBOL_NAME, "There is no symbol with the given name."),
        STATUS(ERROR_EXCEPTION, "An operation resulted in a hardware exception."),
        STATUS(ERROR_FATAL, "The queue received an error that may require process termination."),
        STATUS(ERROR_INVALID_MEMORY_POOL, "The memory pool is invalid."),
        STATUS(ERROR_MEMORY_APERTURE_VIOLATION, "Access beyond the largest legal address."),
        STATUS(ERROR_ILLEGAL_INSTRUCTION, "The agent attempted an illegal shader instruction."),
        STATUS(ERROR_MEMORY_FAULT, "The agent attempted to access an inaccessible address."),
#undef STATUS
        {EMU_STATUS_GAP, "The emulator lacks an instruction, or failed."},
    };
    if (!text)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    for (size_t n = 0; n < COUNT(texts); n++) {
        if (texts[n].status != (uint32_t)status)
            continue;
        *text = texts[n].text;
        return HSA_STATUS_SUCCESS;
    }
    return HSA_STATUS_ERROR_INVALID_ARGUMENT;
}
