#include "harness/supervise/sabotage.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evaluator/frame.h"

#define SLOW_US 300000
#define NONCE_OFFSET                                                                               \
    (BP_FRAME_HEADER + 4) /* after array, sequence, type and the nonce's own head */

static const enum bp_fault_point kill_points[BP_MESSAGE_COUNT] = {
    [BP_MESSAGE_ready] = BP_FAULT_kill_start,
    [BP_MESSAGE_canary_request] = BP_FAULT_kill_canary,
    [BP_MESSAGE_arenas_request] = BP_FAULT_kill_arenas,
    [BP_MESSAGE_probe_request] = BP_FAULT_kill_probe,
    [BP_MESSAGE_make_request] = BP_FAULT_kill_make,
    [BP_MESSAGE_fill_request] = BP_FAULT_kill_fill,
    [BP_MESSAGE_compile_request] = BP_FAULT_kill_compile,
    [BP_MESSAGE_run_request] = BP_FAULT_kill_load,
    [BP_MESSAGE_cases_request] = BP_FAULT_kill_cases,
    [BP_MESSAGE_batch_request] = BP_FAULT_kill_batch,
    [BP_MESSAGE_judge_request] = BP_FAULT_kill_judge,
    [BP_MESSAGE_sample_request] = BP_FAULT_kill_sample,
};

static const struct {
    const char *stage;
    enum bp_fault_point point;
} stuck_points[] = {
    {"prepare", BP_FAULT_stuck_prepare},
    {"compile", BP_FAULT_stuck_compile},
    {"run", BP_FAULT_stuck_run},
    {"judge", BP_FAULT_stuck_judge},
};

/* Kernels of the library's own, which it runs when it is opened, come before the candidate's; and so does
 * memory that it takes for itself. */
static const struct {
    enum bp_fault_point point;
    const char *fault;
} device_points[] = {
    {BP_FAULT_gpu_memory_fault, "memory_fault:6"},
    {BP_FAULT_gpu_queue_error, "queue_error:6"},
    {BP_FAULT_gpu_illegal, "illegal_instruction:6"},
    {BP_FAULT_gpu_hang, "hang:6"},
    {BP_FAULT_gpu_lost, "device_lost:6"},
    {BP_FAULT_gpu_ecc, "ecc:6"},
    {BP_FAULT_gpu_alloc, "alloc_fail:4"},
    {BP_FAULT_gpu_slow_reset, "slow_reset:1"},
    {BP_FAULT_gpu_failing_reset, "failing_reset"},
};

static void send_signal(int pidfd, int number)
{
    syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static void kill_worker(const struct bp_sabotage *child)
{
    if (child->stage_pidfd >= 0)
        send_signal(child->stage_pidfd, SIGKILL);
    else
        bp_launch_kill(child->launched);
}

static void *thaw_later(void *argument)
{
    int pidfd = (int)(intptr_t)argument;
    usleep(SLOW_US);
    send_signal(pidfd, SIGCONT);
    close(pidfd);
    return NULL;
}

/* A thread, so that the supervisor meanwhile does what it always does. */
static void freeze_for_a_while(int stage_pidfd)
{
    pthread_t thread;
    sigset_t all, before;
    int pidfd = fcntl(stage_pidfd, F_DUPFD_CLOEXEC, 0);
    send_signal(stage_pidfd, SIGSTOP);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, thaw_later, (void *)(intptr_t)pidfd) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void bp_sabotage_request(const struct bp_sabotage *child, enum bp_message_type type)
{
    if (bp_fault(kill_points[type]))
        kill_worker(child);
    if (child->stage_pidfd < 0)
        return;
    if (bp_fault(BP_FAULT_slow_child))
        freeze_for_a_while(child->stage_pidfd);
    for (size_t i = 0; i < sizeof stuck_points / sizeof *stuck_points; i++)
        if (strcmp(child->stage, stuck_points[i].stage) == 0 && bp_fault(stuck_points[i].point))
            send_signal(child->stage_pidfd, SIGSTOP);
}

/* One fault at a time, but each point counts every child. */
void bp_sabotage_device(enum bp_device_kind kind, const char *device, char faults[BP_TEXT_SHORT])
{
    const char *only = getenv("BULLETPROOF_FAULTY_DEVICE");
    if (kind != BP_DEVICE_KIND_EMULATED || (only && strcmp(only, device) != 0))
        return;
    for (size_t i = 0; i < sizeof device_points / sizeof *device_points; i++)
        if (bp_fault(device_points[i].point))
            snprintf(faults, BP_TEXT_SHORT, "%s", device_points[i].fault);
}

void bp_sabotage_description(const char *device, char faults[BP_TEXT_SHORT])
{
    const char *absent = getenv("BULLETPROOF_ABSENT_DEVICE");
    if (absent && strcmp(absent, device) == 0)
        snprintf(faults, BP_TEXT_SHORT, "failing_reset");
}

/* Of a process that holds a candidate's code nobody can tell who garbled its answer. */
static bool is_trusted(const struct bp_sabotage *child)
{
    return strcmp(child->stage, "compile") != 0 && !child->candidate_ran;
}

ssize_t bp_sabotage_answer(const struct bp_sabotage *child, char *bytes, ssize_t got, size_t room)
{
    if (got < NONCE_OFFSET + 8)
        return got;
    if (!is_trusted(child)) {
        if (bp_fault(BP_FAULT_frame_candidate))
            bytes[BP_FRAME_HEADER] ^= 1;
        return got;
    }
    if (bp_fault(BP_FAULT_frame_bit))
        bytes[BP_FRAME_HEADER] ^= 1;
    if (bp_fault(BP_FAULT_frame_nonce))
        bytes[NONCE_OFFSET] ^= 1;
    if (bp_fault(BP_FAULT_frame_cut))
        return got / 2;
    if (2 * (size_t)got <= room && bp_fault(BP_FAULT_frame_twice)) {
        memcpy(bytes + got, bytes, (size_t)got);
        return 2 * got;
    }
    return got;
}
