/* fake_worker: launched by the sandbox tests in the worker's place: enters and confines itself as
 * the worker does, then tries the act, or makes the call of abuse.h, that its stage names.
 * "early.ACT" acts before confinement, "candidate.ACT" behind the candidate's filter, "thread.ACT" there
 * too, but on a thread that was there before; "amd.ACT" and "nvidia.ACT" behind the filters of a run on such
 * a GPU, whose other layers want device nodes. */
#include "tests/unit/sandbox/fake_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "sandbox/confine.h"
#include "tests/unit/sandbox/abuse.h"
#include "tests/unit/sandbox/acts.h"

#define THREADS 3

int fake_worker_object = -1;

static const struct act *chosen; /* its name null: the call */
static const struct abuse *chosen_call;
static atomic_int released;
static atomic_int waiting;

void fake_worker_say(const char *what, int number, const char *text)
{
    char line[2048];
    int length = snprintf(line, sizeof line, "%s %d %s\n", what, number, text);
    if (length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    if (write(BP_FD_ANSWERS, line, (size_t)length) != length)
        _exit(99);
}

static _Noreturn void die(const struct bp_error *err)
{
    fake_worker_say("error", err->code, err->msg);
    _exit(98);
}

static int make_call(const struct abuse *abuse)
{
    const unsigned long *args = abuse->args;
    long result = syscall(abuse->number, args[0], args[1], args[2], args[3], 0, 0);
    return result < 0 ? errno : 0;
}

static void perform(void)
{
    char text[1900] = "";
    int result = chosen->name ? chosen->run(text, sizeof text) : make_call(chosen_call);
    fake_worker_say("done", result, text);
}

static void *wait_and_perform(void *first)
{
    atomic_fetch_add(&waiting, 1);
    while (!atomic_load(&released))
        sched_yield();
    if (first)
        perform();
    return NULL;
}

static void read_object(void)
{
    struct bp_error err;
    struct bp_buffer bytes;
    bp_buffer_init(&bytes, 1 << 20);
    if (bp_io_read_file(FAKE_OBJECT, &bytes, &err) < 0)
        die(&err);
    fake_worker_object = bp_io_memfd_sealed("object", bytes.data, bytes.size, &err);
    if (fake_worker_object < 0)
        die(&err);
    bp_buffer_free(&bytes);
}

static const struct act *find(const struct act *act, const char *name)
{
    while (act->name && strcmp(act->name, name) != 0)
        act++;
    return act;
}

static const char *choose(const char *stage)
{
    const char *dot = strchr(stage, '.');
    const char *name = dot ? dot + 1 : stage;
    chosen = find(acts, name);
    if (!chosen->name)
        chosen = find(file_acts, name);
    if (!chosen->name)
        chosen = find(own_acts, name);
    for (chosen_call = abuses; chosen_call->name && strcmp(chosen_call->name, name) != 0;)
        chosen_call++;
    return dot ? stage : "";
}

static void run_as_candidate(enum bp_policy_id policy, int on_thread)
{
    struct bp_error err;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, wait_and_perform, i == 0 && on_thread ? &err : NULL))
            _exit(97);
    while (atomic_load(&waiting) < THREADS)
        sched_yield();
    if (bp_confine_candidate(policy, BP_FD_CONTROL, &err) < 0)
        die(&err);
    atomic_store(&released, 1);
    if (!on_thread)
        perform();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Whose filters are put up. */
static enum bp_policy_id filters_of(const char *mode, enum bp_policy_id policy)
{
    if (strncmp(mode, "amd.", 4) == 0)
        return BP_POLICY_RUN_AMD;
    return strncmp(mode, "nvidia.", 7) == 0 ? BP_POLICY_RUN_NVIDIA : policy;
}

static void confine(enum bp_policy_id policy, enum bp_policy_id filters,
                    const struct bp_policy_limits *limits)
{
    struct bp_error err;
    char layers[256];
    int result =
        filters == policy
            ? bp_confine_stage(policy, limits, BP_FD_CONTROL, layers, sizeof layers, &err)
            : bp_confine_layers(policy, limits, BP_FD_CONTROL, layers, sizeof layers, &err);
    if (result < 0 || (filters != policy && bp_confine_filter(filters, BP_FD_CONTROL, &err) < 0))
        die(&err);
    fake_worker_say("ready", 0, layers);
}

int main(int argc, char **argv)
{
    struct bp_error err;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    if (bp_policy_limits_parse(argc, argv, &policy, &limits, &err) < 0)
        die(&err);
    if (bp_confine_enter(BP_FD_STATUS, &err) < 0)
        die(&err);
    const char *mode = choose(argv[1]);
    if (!chosen->name && !chosen_call->name)
        _exit(96);
    if (chosen->name && strstr(chosen->name, "object"))
        read_object();
    if (strncmp(mode, "early.", 6) == 0)
        perform();
    enum bp_policy_id filters = filters_of(mode, policy);
    confine(policy, filters, &limits);
    if (filters != policy || strncmp(mode, "candidate.", 10) == 0 ||
        strncmp(mode, "thread.", 7) == 0)
        run_as_candidate(filters, mode[0] == 't');
    else if (!*mode)
        perform();
    _exit(0);
}
