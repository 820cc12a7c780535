/* sandbox WORKER: what a confined child costs, printed as JSON (milliseconds). From bp_launch to the
 * first byte of "ready", beside the same program's way to main by posix_spawn, by turns; and from
 * SIGKILL to reaped, idle and with a hundred daemonised descendants. */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/sandbox/lab.h"

#define ROUNDS 200
#define TREES 40

static const struct {
    const char *stage;
    enum bp_policy_id policy;
} stages[] = {{"prepare", BP_POLICY_PREPARE},
              {"compile", BP_POLICY_COMPILE_CPU},
              {"run", BP_POLICY_RUN_CPU},
              {"judge", BP_POLICY_JUDGE}};
#define STAGES (sizeof stages / sizeof *stages)

struct figures {
    double launch_ms[ROUNDS], ready_ms[ROUNDS], gone_ms[ROUNDS];
};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "sandbox: %s\n", what);
    exit(1);
}

static double since_ms(uint64_t from_ns)
{
    return bp_ns_to_ms(bp_clock_ns() - from_ns);
}

static void await(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, 10000) != 1 || !(ready.revents & POLLIN))
        give_up("nothing came from a child within 10 s");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, unsigned count, double share)
{
    qsort(values, count, sizeof *values, compare);
    return values[(unsigned)(share * (count - 1))];
}

/* Without arguments the worker's main complains on standard error at once. */
static double plain_start(const char *worker)
{
    int ends[2];
    pid_t pid;
    char *argv[] = {(char *)(uintptr_t) "bulletproof-worker", NULL}, *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) < 0 || posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO) != 0)
        give_up("no pipe");
    uint64_t from_ns = bp_clock_ns();
    if (posix_spawn(&pid, worker, &actions, NULL, argv, envp) != 0)
        give_up("the worker cannot be started");
    await(ends[0]);
    double spent_ms = since_ms(from_ns);
    waitpid(pid, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    close(ends[1]);
    return spent_ms;
}

static void confined_start(const char *worker, unsigned stage, struct figures *figures,
                           unsigned round)
{
    struct lab_pipes pipes;
    struct bp_launched launched;
    struct bp_error err;
    lab_pipes_open(&pipes);
    uint64_t from_ns = bp_clock_ns();
    if (lab_launch(&pipes, stages[stage].policy, stages[stage].stage, NULL, worker, &launched,
                   &err) < 0)
        give_up(err.msg);
    figures->launch_ms[round] = since_ms(from_ns);
    lab_pipes_close(&pipes, 1);
    await(pipes.answers[0]);
    figures->ready_ms[round] = since_ms(from_ns);
    from_ns = bp_clock_ns();
    bp_launch_kill(&launched);
    waitpid(launched.pid, NULL, 0);
    figures->gone_ms[round] = since_ms(from_ns);
    while (!bp_launch_release(&launched))
        usleep(1000);
    lab_pipes_close(&pipes, 0);
}

static double kill_tree(void)
{
    struct lab_result result;
    lab_run(BP_POLICY_COMPILE_CPU, "daemons_stay", NULL, "daemons", &result);
    if (result.gone_ns == 0)
        give_up("the descendants could not be made");
    return bp_ns_to_ms(result.gone_ns);
}

int main(int argc, char **argv)
{
    static struct figures figures[STAGES];
    static double plain[ROUNDS], trees[TREES];
    if (argc != 2)
        give_up("one argument: the worker");
    lab_prepare();
    for (unsigned round = 0; round < ROUNDS; round++) {
        plain[round] = plain_start(argv[1]);
        for (unsigned stage = 0; stage < STAGES; stage++)
            confined_start(argv[1], stage, &figures[stage], round);
    }
    for (unsigned round = 0; round < TREES; round++)
        trees[round] = kill_tree();
    printf("{\"children\": %d, \"plain_ms\": %.4f, \"plain_p05_ms\": %.4f, \"stages\": {", ROUNDS,
           quantile(plain, ROUNDS, 0.5), quantile(plain, ROUNDS, 0.05));
    for (unsigned stage = 0; stage < STAGES; stage++)
        printf("%s\"%s\": {\"launch_ms\": %.4f, \"ready_ms\": %.4f, \"ready_p05_ms\": %.4f, "
               "\"gone_ms\": %.4f}",
               stage ? ", " : "", stages[stage].stage,
               quantile(figures[stage].launch_ms, ROUNDS, 0.5),
               quantile(figures[stage].ready_ms, ROUNDS, 0.5),
               quantile(figures[stage].ready_ms, ROUNDS, 0.05),
               quantile(figures[stage].gone_ms, ROUNDS, 0.5));
    printf("}, \"trees\": %d, \"tree_gone_ms\": %.4f, \"tree_gone_p99_ms\": %.4f}\n", TREES,
           quantile(trees, TREES, 0.5), quantile(trees, TREES, 0.99));
    return 0;
}
