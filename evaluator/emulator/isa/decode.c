/* decode.c: decodes what can be reached from an address, once. */
#include "evaluator/emulator/isa/decode.h"
#include "evaluator/emulator/isa/disassembler.h"
#include "evaluator/emulator/isa/memory.h"
#include "evaluator/emulator/isa/parse.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INSTRUCTION = 20, MAX_PROGRAMS = 64, FIRST_SLOTS = 1024, MAX_INSTRUCTIONS = 1 << 20 };

/* Code that was decoded in one go, to see later whether it is still the same. */
struct span {
    struct span *next;
    uint64_t address;
    size_t size;
    unsigned char *copy;
};

struct emu_program {
    struct emu_program *next;
    char isa[32];
    uint64_t entry;
    struct emu_disassembler *disassembler;
    struct emu_arena arena;
    struct span *spans;
    struct emu_instruction **slots; /* by address; open addressing, a power of two */
    size_t slot_count, used;
    uint64_t *waiting; /* addresses to decode from */
    size_t waiting_count, waiting_room;
    bool broken; /* there was no memory for all of it */
};

static struct emu_program *programs;
static size_t program_count;

static void release(struct emu_program *program)
{
    for (struct span *span = program->spans; span; span = span->next)
        free(span->copy);
    emu_arena_release(&program->arena);
    free(program->slots);
    free(program->waiting);
    free(program);
}

/* ---- instructions by address ---- */

static struct emu_instruction **slot_of(const struct emu_program *program, uint64_t address)
{
    size_t i = (address >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    for (;; i++) {
        struct emu_instruction **slot = &program->slots[i & (program->slot_count - 1)];
        if (!*slot || (*slot)->address == address)
            return slot;
    }
}

static int make_room(struct emu_program *program)
{
    struct emu_instruction **old = program->slots;
    const size_t old_count = program->slot_count;
    if (program->used * 2 < old_count)
        return 0;
    const size_t count = old_count ? old_count * 2 : FIRST_SLOTS;
    struct emu_instruction **slots = calloc(count, sizeof *slots);
    if (!slots)
        return -1;
    program->slots = slots;
    program->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            *slot_of(program, old[i]->address) = old[i];
    free(old);
    return 0;
}

static struct emu_instruction *find(const struct emu_program *program, uint64_t address)
{
    return program->slots ? *slot_of(program, address) : NULL;
}

/* ---- decoding ---- */

static void no_instruction(struct emu_wave *wave, const struct emu_instruction *op)
{
    emu_raise(wave, EMU_ILLEGAL_INSTRUCTION, op->address, "no instruction");
}

/* How many bytes of code can be read, up to the longest instruction. */
static size_t readable(struct emu_machine *machine, uint64_t address)
{
    size_t size = MAX_INSTRUCTION;
    while (size && !emu_readable(machine, address, size))
        size -= 4;
    return size;
}

/* A new instruction at the address, in its slot; NULL without memory. Where no code can be read stands
 * one that says so when it is reached. */
static struct emu_instruction *decode_one(struct emu_machine *machine, uint64_t address)
{
    struct emu_program *program = machine->program;
    unsigned char code[MAX_INSTRUCTION];
    char text[256];
    uint32_t first_word = 0;
    struct emu_instruction *op = emu_arena_take(&program->arena, sizeof *op);
    if (!op || program->used >= MAX_INSTRUCTIONS || make_room(program))
        return NULL;
    const size_t size = readable(machine, address);
    if (size) {
        memcpy(code, (const void *)(uintptr_t)address, size);
        memcpy(&first_word, code, sizeof first_word);
        op->bytes = emu_disassemble(program->disassembler, code, size, text, sizeof text);
    }
    if (op->bytes == 0) {
        op->handler = no_instruction;
        op->class = EMU_OTHER;
        op->text = "";
        op->bytes = 4;
    } else if (emu_parse(&program->arena, text, first_word, op)) {
        return NULL;
    }
    op->address = address;
    *slot_of(program, address) = op;
    program->used++;
    return op;
}

static bool ends_run(const struct emu_instruction *op)
{
    return op->handler == no_instruction || (op->row && op->row->detail & EMU_IS_LAST);
}

static uint64_t target_of(const struct emu_instruction *op)
{
    return op->address + 4 + (uint64_t)((int64_t)(int16_t)op->immediate * 4);
}

static int wait_for(struct emu_program *program, uint64_t address)
{
    if (program->waiting_count == program->waiting_room) {
        const size_t room = program->waiting_room ? program->waiting_room * 2 : 64;
        uint64_t *grown = realloc(program->waiting, room * sizeof *grown);
        if (!grown)
            return -1;
        program->waiting = grown;
        program->waiting_room = room;
    }
    program->waiting[program->waiting_count++] = address;
    return 0;
}

static int remember(struct emu_program *program, uint64_t begin, uint64_t end)
{
    struct span *span = emu_arena_take(&program->arena, sizeof *span);
    if (!span || end == begin)
        return span ? 0 : -1;
    *span = (struct span){program->spans, begin, end - begin, malloc(end - begin)};
    if (!span->copy)
        return -1;
    memcpy(span->copy, (const void *)(uintptr_t)begin, end - begin);
    program->spans = span;
    return 0;
}

static bool has_target(const struct emu_instruction *op)
{
    return op->row && op->row->detail & EMU_HAS_TARGET && !op->problem;
}

/* Decodes on and on from an address, to the end or to what is there already, and links it. */
static int decode_run(struct emu_machine *machine, uint64_t address)
{
    struct emu_program *program = machine->program;
    struct emu_instruction *before = NULL;
    const uint64_t begin = address;
    for (;;) {
        struct emu_instruction *op = find(program, address);
        const bool known = op != NULL;
        if (!known && !(op = decode_one(machine, address)))
            return -1;
        if (before)
            before->next = op;
        if (!known && has_target(op) && wait_for(program, target_of(op)))
            return -1;
        if (!known)
            address += op->bytes;
        if (known || ends_run(op))
            return remember(program, begin, address);
        before = op;
    }
}

/* Branches of runs that were decoded before their targets were. */
static int link_targets(struct emu_machine *machine)
{
    struct emu_program *program = machine->program;
    for (size_t i = 0; i < program->slot_count; i++) {
        struct emu_instruction *op = program->slots[i];
        if (op && has_target(op) && !op->target) {
            op->target = find(program, target_of(op));
            if (!op->target)
                return -1;
        }
    }
    return 0;
}

static int decode_from(struct emu_machine *machine, uint64_t address)
{
    struct emu_program *program = machine->program;
    program->waiting_count = 0;
    if (wait_for(program, address))
        return -1;
    while (program->waiting_count)
        if (decode_run(machine, program->waiting[--program->waiting_count]))
            return -1;
    return link_targets(machine);
}

const struct emu_instruction *emu_program_at(struct emu_machine *machine, uint64_t address)
{
    const struct emu_instruction *op = find(machine->program, address);
    if (op)
        return op;
    if (decode_from(machine, address)) {
        machine->program->broken = true;
        return NULL;
    }
    return find(machine->program, address);
}

/* ---- programs ---- */

static bool unchanged(struct emu_machine *machine, const struct emu_program *program)
{
    if (program->broken)
        return false;
    for (const struct span *span = program->spans; span; span = span->next)
        if (!emu_readable(machine, span->address, span->size) ||
            memcmp((const void *)(uintptr_t)span->address, span->copy, span->size) != 0)
            return false;
    return true;
}

static void release_all(void)
{
    while (programs) {
        struct emu_program *next = programs->next;
        release(programs);
        programs = next;
    }
    program_count = 0;
}

/* The program known at this entry, taken out of the list if its code has changed. */
static struct emu_program *known_program(struct emu_machine *machine, uint64_t entry)
{
    for (struct emu_program **at = &programs; *at; at = &(*at)->next) {
        struct emu_program *program = *at;
        if (program->entry != entry || strcmp(program->isa, machine->dispatch->isa) != 0)
            continue;
        if (unchanged(machine, program))
            return program;
        *at = program->next;
        program_count--;
        release(program);
        return NULL;
    }
    return NULL;
}

int emu_program_open(struct emu_machine *machine)
{
    struct emu_outcome *outcome = machine->outcome;
    machine->program = known_program(machine, machine->entry);
    if (machine->program)
        return 0;
    if (program_count >= MAX_PROGRAMS)
        release_all();
    struct emu_program *program = calloc(1, sizeof *program);
    if (!program) {
        snprintf(outcome->what, sizeof outcome->what, "no memory for a program");
        return -1;
    }
    snprintf(program->isa, sizeof program->isa, "%s", machine->dispatch->isa);
    program->entry = machine->entry;
    program->disassembler =
        emu_disassembler_get(machine->dispatch->isa, outcome->what, sizeof outcome->what);
    if (!program->disassembler) {
        release(program);
        return -1;
    }
    program->next = programs;
    programs = program;
    program_count++;
    machine->program = program;
    return 0;
}
