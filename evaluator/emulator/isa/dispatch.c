/* dispatch.c: workgroups and their waves, from the kernel descriptor to the outcome. */
#include "evaluator/emulator/isa/dispatch.h"
#include "evaluator/emulator/isa/decode.h"
#include "evaluator/emulator/isa/mode.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

enum { SLICE = 8192, MAX_WORKGROUP = 1024 };

/* Fields of the kernel descriptor, code object v3 and later (LLVM AMDGPU usage). */
struct descriptor {
    uint32_t private_bytes;
    int64_t entry_offset;
    uint32_t rsrc1, rsrc2;
    uint16_t properties;
};

/* Bits of rsrc1, rsrc2 and the properties. */
enum {
    RSRC1_MODE_SHIFT = 12, /* rounding and subnormals, as in MODE */
    RSRC1_DX10_CLAMP = 1 << 21,
    RSRC2_SCRATCH_OFFSET = 1 << 0,
    RSRC2_USER_SGPRS_SHIFT = 1,
    RSRC2_USER_SGPRS_MASK = 31,
    RSRC2_WORKGROUP_ID_SHIFT = 7, /* three bits: x, y, z */
    RSRC2_WORKGROUP_INFO = 1 << 10,
    PROPERTY_WAVE32 = 1 << 10,
};

/* A dispatch while it runs. */
struct run {
    struct emu_machine machine;
    struct descriptor descriptor;
    struct emu_wave *waves;
    uint32_t wave_room;
    uint8_t *scratch;
    const struct emu_instruction *first;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct emu_machine *current;

const char *emu_end_name(enum emu_end end)
{
    static const char *const names[] = {
        [EMU_DONE] = "done",
        [EMU_MEMORY_FAULT] = "memory fault",
        [EMU_ILLEGAL_INSTRUCTION] = "illegal instruction",
        [EMU_UNIMPLEMENTED] = "unimplemented instruction",
        [EMU_TRAP] = "trap",
        [EMU_LDS_FAULT] = "LDS fault",
        [EMU_BUDGET] = "instruction budget used up",
        [EMU_STOPPED] = "stopped",
        [EMU_FAILED] = "the emulator failed",
    };
    return (size_t)end < sizeof names / sizeof names[0] ? names[end] : "?";
}

/* ---- ends ---- */

static __attribute__((noreturn)) void end(struct emu_machine *machine, enum emu_end end,
                                          uint64_t address, const char *reason)
{
    const struct emu_wave *wave = machine->running;
    struct emu_outcome *outcome = machine->outcome;
    const char *text = wave && wave->at ? wave->at->text : "";
    outcome->end = end;
    outcome->address = address;
    snprintf(outcome->what, sizeof outcome->what, "%s%s%s", reason, *text ? ": " : "", text);
    siglongjmp(machine->escape, 1);
}

void emu_raise(struct emu_wave *wave, enum emu_end why, uint64_t address, const char *format, ...)
{
    char reason[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    end(wave->machine, why, address, reason);
}

bool emu_dispatch_fault(uint64_t address)
{
    if (!current || address - current->touched >= current->touched_bytes)
        return false;
    end(current, EMU_MEMORY_FAULT, address, "access to what is not mapped");
}

/* ---- registers at the start (LLVM AMDGPU usage, "Initial Kernel Execution State") ---- */

static void set_pair(struct emu_wave *wave, unsigned index, uint64_t value)
{
    wave->sgpr[index] = (uint32_t)value;
    wave->sgpr[index + 1] = (uint32_t)(value >> 32);
}

/* In this order, each only if the kernel's properties have its bit. */
static void set_user_sgprs(const struct run *run, struct emu_wave *wave)
{
    const struct emu_dispatch *dispatch = run->machine.dispatch;
    /* Scratch through a buffer: vmem.c knows it by the bit that adds the lane's number. */
    const uint64_t buffer_low = 0, buffer_high = UINT64_C(1) << (32 + 23) | UINT32_MAX;
    const struct {
        unsigned registers;
        uint64_t low, high;
    } values[] = {
        {4, buffer_low, buffer_high},
        {2, (uintptr_t)dispatch->packet, 0},
        {2, (uintptr_t)dispatch->queue, 0},
        {2, (uintptr_t)dispatch->kernarg, 0},
        {2, 0, 0}, /* dispatch id */
        {2, 0, 0}, /* flat scratch: see control.c, set_register() */
        {1, run->machine.private_bytes, 0},
    };
    unsigned index = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (!(run->descriptor.properties >> i & 1))
            continue;
        wave->sgpr[index] = (uint32_t)values[i].low;
        if (values[i].registers > 1)
            set_pair(wave, index, values[i].low);
        if (values[i].registers > 2)
            set_pair(wave, index + 2, values[i].high);
        index += values[i].registers;
    }
}

static void set_system_sgprs(const struct run *run, struct emu_wave *wave, const uint32_t group[3])
{
    const uint32_t rsrc2 = run->descriptor.rsrc2;
    unsigned index = rsrc2 >> RSRC2_USER_SGPRS_SHIFT & RSRC2_USER_SGPRS_MASK;
    if (run->machine.generation >= 12) {
        wave->sgpr[EMU_TTMP + 9] = group[0];
        wave->sgpr[EMU_TTMP + 7] = (group[1] & 0xffff) | group[2] << 16;
        return;
    }
    for (int i = 0; i < 3; i++)
        if (rsrc2 >> (RSRC2_WORKGROUP_ID_SHIFT + i) & 1)
            wave->sgpr[index++] = group[i];
    if (rsrc2 & RSRC2_WORKGROUP_INFO)
        wave->sgpr[index++] = 0;
    if (rsrc2 & RSRC2_SCRATCH_OFFSET && run->machine.generation < 11)
        wave->sgpr[index] = 0;
}

/* Numbers of the work-items that a wave holds; `size` is the workgroup's. */
static void set_work_items(const struct run *run, struct emu_wave *wave, uint32_t first,
                           const uint32_t size[3])
{
    const uint32_t count = size[0] * size[1] * size[2] - first;
    for (uint32_t lane = 0; lane < EMU_LANES && lane < count; lane++) {
        const uint32_t item = first + lane;
        const uint32_t x = item % size[0], y = item / size[0] % size[1],
                       z = item / size[0] / size[1];
        if (run->machine.generation >= 11) {
            wave->vgpr[0][lane] = x | y << 10 | z << 20;
        } else {
            wave->vgpr[0][lane] = x;
            wave->vgpr[1][lane] = y;
            wave->vgpr[2][lane] = z;
        }
    }
    wave->sgpr[EMU_EXEC] = count >= EMU_LANES ? UINT32_MAX : (UINT32_C(1) << count) - 1;
}

static void start_wave(struct run *run, uint32_t number, const uint32_t group[3],
                       const uint32_t size[3])
{
    struct emu_wave *wave = &run->waves[number];
    const bool clamps = run->machine.generation >= 12 || run->descriptor.rsrc1 & RSRC1_DX10_CLAMP;
    memset(wave, 0, sizeof *wave);
    wave->machine = &run->machine;
    wave->scratch = run->scratch + (size_t)number * EMU_LANES * run->machine.private_bytes;
    wave->next = run->first;
    set_user_sgprs(run, wave);
    set_system_sgprs(run, wave, group);
    set_work_items(run, wave, number * EMU_LANES, size);
    run->machine.running = wave;
    emu_set_mode(wave, (run->descriptor.rsrc1 >> RSRC1_MODE_SHIFT & 0xff) |
                           (clamps ? EMU_MODE_DX10_CLAMP : 0));
}

/* ---- execution ---- */

/* Counts the slice that ended; a new one, or the end of the dispatch. */
static void new_slice(struct emu_machine *machine)
{
    const struct emu_dispatch *dispatch = machine->dispatch;
    const struct emu_wave *wave = machine->running;
    machine->executed += machine->slice_full;
    machine->slice = machine->slice_full = SLICE;
    if (dispatch->stop && *dispatch->stop)
        end(machine, EMU_STOPPED, wave->next->address, "stopped");
    if (!dispatch->max_instructions)
        return;
    const uint64_t left = dispatch->max_instructions - machine->executed;
    if (left == 0)
        end(machine, EMU_BUDGET, wave->next->address, "instruction budget used up");
    if (left < SLICE)
        machine->slice = machine->slice_full = (uint32_t)left;
}

/* Runs a wave until it ends, comes to a barrier or has had its slice. */
static void run_wave(struct emu_machine *machine, struct emu_wave *wave)
{
    machine->running = wave;
    emu_apply_mode(wave);
    if (machine->slice == 0)
        new_slice(machine);
    while (wave->state == EMU_RUNNING && machine->slice) {
        const struct emu_instruction *op = wave->next;
        wave->at = op;
        wave->next = op->next;
        machine->counts[op->class]++;
        machine->slice--;
        op->handler(wave, op);
    }
}

/* Waves that have ended do not count for a barrier. */
static void run_group(struct run *run, uint32_t wave_count)
{
    for (;;) {
        uint32_t running = 0, waiting = 0;
        for (uint32_t i = 0; i < wave_count; i++) {
            struct emu_wave *wave = &run->waves[i];
            if (wave->state == EMU_RUNNING)
                run_wave(&run->machine, wave);
            running += wave->state == EMU_RUNNING;
            waiting += wave->state == EMU_AT_BARRIER;
        }
        if (running)
            continue;
        if (!waiting)
            return;
        for (uint32_t i = 0; i < wave_count; i++)
            if (run->waves[i].state == EMU_AT_BARRIER)
                run->waves[i].state = EMU_RUNNING;
    }
}

static void run_groups(struct run *run)
{
    const struct emu_dispatch *dispatch = run->machine.dispatch;
    uint32_t groups[3], group[3], size[3];
    for (int i = 0; i < 3; i++)
        groups[i] = (uint32_t)(((uint64_t)dispatch->grid[i] + dispatch->workgroup[i] - 1) /
                               dispatch->workgroup[i]);
    for (group[2] = 0; group[2] < groups[2]; group[2]++)
        for (group[1] = 0; group[1] < groups[1]; group[1]++)
            for (group[0] = 0; group[0] < groups[0]; group[0]++) {
                /* The last workgroup of a row may be smaller. */
                for (int i = 0; i < 3; i++) {
                    const uint32_t left = dispatch->grid[i] - group[i] * dispatch->workgroup[i];
                    size[i] = left < dispatch->workgroup[i] ? left : dispatch->workgroup[i];
                }
                const uint32_t items = size[0] * size[1] * size[2];
                const uint32_t wave_count = (items + EMU_LANES - 1) / EMU_LANES;
                for (uint32_t i = 0; i < wave_count; i++)
                    start_wave(run, i, group, size);
                run_group(run, wave_count);
            }
}

/* ---- preparation ---- */

static int refuse(struct emu_outcome *outcome, const char *reason)
{
    snprintf(outcome->what, sizeof outcome->what, "%s", reason);
    return -1;
}

static struct descriptor read_descriptor(const unsigned char *bytes)
{
    struct descriptor descriptor;
    memcpy(&descriptor.private_bytes, bytes + 4, sizeof descriptor.private_bytes);
    memcpy(&descriptor.entry_offset, bytes + 16, sizeof descriptor.entry_offset);
    memcpy(&descriptor.rsrc1, bytes + 48, sizeof descriptor.rsrc1);
    memcpy(&descriptor.rsrc2, bytes + 52, sizeof descriptor.rsrc2);
    memcpy(&descriptor.properties, bytes + 56, sizeof descriptor.properties);
    return descriptor;
}

static int check(const struct emu_dispatch *dispatch, struct emu_outcome *outcome)
{
    uint64_t items = 1;
    for (int i = 0; i < 3; i++) {
        items *= dispatch->workgroup[i];
        if (dispatch->grid[i] == 0 || dispatch->workgroup[i] == 0)
            return refuse(outcome, "an empty grid or workgroup");
    }
    if (items > MAX_WORKGROUP)
        return refuse(outcome, "a workgroup of more than 1024 work-items");
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return refuse(outcome, "the emulator needs a processor with AVX2 and FMA");
    return 0;
}

static int generation_of(const char *isa)
{
    static const struct {
        const char *prefix;
        int generation;
    } isas[] = {{"gfx10", 10}, {"gfx11", 11}, {"gfx12", 12}};
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++)
        if (!strncmp(isa, isas[i].prefix, strlen(isas[i].prefix)))
            return isas[i].generation;
    return 0;
}

static int allocate(struct run *run)
{
    const struct emu_dispatch *dispatch = run->machine.dispatch;
    const uint32_t items =
        (uint32_t)dispatch->workgroup[0] * dispatch->workgroup[1] * dispatch->workgroup[2];
    run->wave_room = (items + EMU_LANES - 1) / EMU_LANES;
    run->waves = aligned_alloc(_Alignof(struct emu_wave), run->wave_room * sizeof *run->waves);
    run->machine.lds = calloc(1, run->machine.lds_bytes + 1);
    run->scratch = calloc((size_t)run->wave_room * EMU_LANES, run->machine.private_bytes + 1);
    return run->waves && run->machine.lds && run->scratch ? 0 : -1;
}

static int prepare(struct run *run, const struct emu_dispatch *dispatch,
                   struct emu_outcome *outcome)
{
    struct emu_machine *machine = &run->machine;
    const uint64_t at = (uintptr_t)dispatch->kernel_descriptor;
    machine->dispatch = dispatch;
    machine->outcome = outcome;
    machine->lds_bytes = dispatch->lds_bytes;
    machine->generation = generation_of(dispatch->isa);
    if (machine->generation == 0)
        return refuse(outcome, "the emulator knows gfx10, gfx11 and gfx12 only");
    run->descriptor = read_descriptor(dispatch->kernel_descriptor);
    machine->entry = at + (uint64_t)run->descriptor.entry_offset;
    machine->private_bytes = run->descriptor.private_bytes > dispatch->private_bytes
                                 ? run->descriptor.private_bytes
                                 : dispatch->private_bytes;
    if (machine->private_bytes > EMU_MAX_PRIVATE_BYTES)
        return refuse(outcome, "more scratch than a work-item can have");
    return allocate(run) ? refuse(outcome, "no memory for waves and scratch") : 0;
}

/* ---- a dispatch ---- */

static void report_counters(const struct emu_machine *machine, struct emu_counters *counters)
{
    const uint64_t *counts = machine->counts;
    *counters = (struct emu_counters){
        .salu = counts[EMU_SALU],
        .valu = counts[EMU_VALU],
        .matrix = counts[EMU_MATRIX],
        .lds = counts[EMU_LDS],
        .vmem = counts[EMU_VMEM],
        .smem = counts[EMU_SMEM],
        .wait = counts[EMU_WAIT],
        .branch = counts[EMU_BRANCH],
        .other = counts[EMU_OTHER],
    };
}

/* Whatever ends a dispatch early comes back here by a jump. */
static int run_guarded(struct run *run)
{
    struct emu_machine *machine = &run->machine;
    struct emu_outcome *outcome = machine->outcome;
    if (sigsetjmp(machine->escape, 1))
        return 0;
    current = machine;
    if (emu_program_open(machine))
        return -1;
    run->first = emu_program_at(machine, machine->entry);
    if (!run->first)
        return refuse(outcome, "no memory for a program");
    if (!(run->descriptor.properties & PROPERTY_WAVE32)) {
        outcome->end = EMU_UNIMPLEMENTED;
        outcome->address = machine->entry;
        return snprintf(outcome->what, sizeof outcome->what, "waves of 64 lanes"), 0;
    }
    run_groups(run);
    return 0;
}

int emu_dispatch_run(const struct emu_dispatch *dispatch, struct emu_outcome *outcome)
{
    *outcome = (struct emu_outcome){.end = EMU_DONE};
    if (check(dispatch, outcome))
        return -1;
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return refuse(outcome, "no memory for a dispatch");
    const unsigned arithmetic = _mm_getcsr();
    pthread_mutex_lock(&one_at_a_time);
    int result = prepare(run, dispatch, outcome);
    if (result == 0)
        result = run_guarded(run);
    current = NULL;
    pthread_mutex_unlock(&one_at_a_time);
    _mm_setcsr(arithmetic);
    report_counters(&run->machine, &outcome->counters);
    free(run->waves);
    free(run->scratch);
    free(run->machine.lds);
    free(run);
    return result;
}
