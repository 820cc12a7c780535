#include "evaluator/crash.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096ull
#define STACK_BYTES (64u << 10) /* a signal frame alone is 11 KiB with AMX state */
#define SCAN_BYTES (32u << 10)
#define MAX_FRAMES 24

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static const struct bp_object *watched;
volatile uint64_t bp_object_bias;

void bp_crash_enter_thread(struct bp_crash_stack *stack)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return;
    stack_t wanted = {.ss_sp = memory, .ss_size = STACK_BYTES};
    if (sigaltstack(&wanted, &stack->before) < 0)
        munmap(memory, STACK_BYTES);
    else
        stack->memory = memory;
}

void bp_crash_leave_thread(struct bp_crash_stack *stack)
{
    if (!stack->memory)
        return;
    sigaltstack(&stack->before, NULL);
    munmap(stack->memory, STACK_BYTES);
    stack->memory = NULL;
}

/* ---- one line, without stdio ---- */

struct line {
    char text[256];
    size_t size;
};

static void add(struct line *line, const char *text)
{
    while (*text && line->size < sizeof line->text - 1)
        line->text[line->size++] = *text++;
}

static void add_number(struct line *line, uint64_t value, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    add(line, base == 16 ? "0x" : "");
    add(line, digits + at);
}

static void end_line(struct line *line)
{
    line->text[line->size++] = '\n';
    (void)!write(STDERR_FILENO, line->text, line->size);
}

/* Whether pc lies in the object's code; *address: there, before relocation. */
static bool in_code(uint64_t pc, uint64_t *address)
{
    uint64_t base = (uint64_t)(uintptr_t)watched->base;
    if (pc < base || pc - base >= watched->span)
        return false;
    *address = pc - base + (watched->segments[0].address & ~(PAGE - 1));
    return bp_object_is_code(watched, *address);
}

static void add_place(struct line *line, uint64_t address)
{
    uint64_t offset;
    const char *name = bp_object_function_at(watched, address, &offset);
    if (name && strlen(name) <= 48) {
        add(line, name);
        add(line, "+");
        add_number(line, offset, 16);
        add(line, " (object+");
        add_number(line, address, 16);
        add(line, ")");
    } else {
        add(line, "object+");
        add_number(line, address, 16);
    }
}

/* ---- the stack ---- */

/* Asks the kernel, as a fault here would change the signal that the process dies of: with a `how`
 * that does not exist, rt_sigprocmask reads the new mask and then refuses. */
static bool is_readable(uint64_t at)
{
    return syscall(SYS_rt_sigprocmask, 99, (void *)(uintptr_t)at, NULL, 8) < 0 && errno == EINVAL;
}

/* Whether a call instruction ends at address: near relative, or indirect in 2 to 7 bytes. */
static bool follows_call(uint64_t address)
{
    const unsigned char *code = bp_object_at(watched, address);
    uint64_t first;
    if (!in_code((uint64_t)(uintptr_t)code - 7, &first))
        return false;
    if (code[-5] == 0xe8)
        return true;
    for (int length = 2; length <= 7; length++)
        if (code[-length] == 0xff && (code[-length + 1] & 0x38) == 0x10)
            return true;
    return false;
}

/* A word of the stack may be a sanitizer's red zone: its report would be another end than the crash. */
__attribute__((no_sanitize("address", "undefined"))) static void scan_stack(uint64_t from)
{
    uint32_t frames = 0;
    uint64_t at = (from + 7) & ~7ull, end = at + SCAN_BYTES, address;
    while (at < end && frames < MAX_FRAMES) {
        uint64_t page_end = (at | (PAGE - 1)) + 1;
        if (!is_readable(at)) {
            at = page_end;
            continue;
        }
        for (; at < page_end && frames < MAX_FRAMES; at += 8) {
            uint64_t word = *(const uint64_t *)(uintptr_t)at;
            if (!in_code(word, &address) || !follows_call(address))
                continue;
            struct line line = {.size = 0};
            add(&line, BP_CRASH_STACK);
            add_place(&line, address);
            end_line(&line);
            frames++;
        }
    }
}

/* ---- the handler ---- */

static void report(int number, siginfo_t *info, void *context)
{
    const ucontext_t *user = context;
    uint64_t pc = (uint64_t)user->uc_mcontext.gregs[REG_RIP], address;
    struct line line = {.size = 0};
    add(&line, "\n" BP_CRASH_HEAD); /* what was printed before need not have ended its line */
    add_number(&line, (uint64_t)number, 10);
    add(&line, " address ");
    /* Of an address that is not canonical the kernel does not learn which; the others' is pc. */
    if (info->si_code == SI_KERNEL || number == SIGFPE || number == SIGILL)
        add(&line, "?");
    else
        add_number(&line, (uint64_t)(uintptr_t)info->si_addr, 16);
    add(&line, " at ");
    if (in_code(pc, &address))
        add_place(&line, address);
    else
        add(&line, "a place outside the object");
    end_line(&line);
    scan_stack((uint64_t)user->uc_mcontext.gregs[REG_RSP]);
    /* Back at the instruction, which faults again, now with the default action (SA_RESETHAND). */
}

void bp_crash_watch(const struct bp_object *object)
{
    struct sigaction action = {.sa_sigaction = report,
                               .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
    watched = object;
    bp_object_bias =
        (uint64_t)(uintptr_t)object->base - (object->segments[0].address & ~(PAGE - 1));
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

void bp_crash_forget(void)
{
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    watched = NULL;
}
