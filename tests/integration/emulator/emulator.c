/* The emulated AMD GPU under an unmodified libamdhip64 and hipRTC: emulator LIBRARY [CASE].
 * Without a case each runs in a process of its own, as most end it. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/emulator/cases.h"

#define SKIPPED 77
#define CASE_SECONDS 60
#define MAX_OUTPUT 65536

const char *emulated_arch(void)
{
    return getenv(EMU_ENV_TARGET);
}

void *kernel_of(const struct hip *hip, const char *source, const char *name)
{
    void *module, *function, *code = hip_compile(hip, source, emulated_arch());
    EXPECT(hip, hip->load(&module, code), HIP_SUCCESS);
    EXPECT(hip, hip->function(&function, module, name), HIP_SUCCESS);
    return function;
}

/* Resets have no use for a device that is open already. */
static void failing_reset(const struct hip *hip)
{
    REQUIRE(hip->init(0) != HIP_SUCCESS);
}

static void slow_reset(const struct hip *hip)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    EXPECT(hip, hip->init(0), HIP_SUCCESS);
    clock_gettime(CLOCK_MONOTONIC, &end);
    REQUIRE((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 1000);
}

static const struct emulator_case cases_reset[] = {
    {.name = "failing_reset", .run = failing_reset, .faults = "failing_reset"},
    {.name = "slow_reset", .run = slow_reset, .faults = "slow_reset:1"},
    {.name = NULL},
};

static const struct emulator_case *const tables[] = {cases_right, cases_wrong, cases_reset};

static int run_here(const char *library, const char *name)
{
    struct hip hip;
    const char *problem = hip_open(library, &hip);
    if (problem) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    for (size_t table = 0; table < 3; table++) {
        for (const struct emulator_case *one = tables[table]; one->name; one++) {
            if (strcmp(one->name, name) != 0)
                continue;
            if (tables[table] != cases_reset)
                EXPECT(&hip, hip.init(0), HIP_SUCCESS);
            one->run(&hip);
            fflush(NULL);
            _exit(0); /* no destructors of a runtime whose device is dead */
        }
    }
    fprintf(stderr, "no case %s\n", name);
    return 1;
}

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void become(const char *library, const struct emulator_case *one, int output)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    set(EMU_ENV_FAULTS, one->faults);
    set(EMU_ENV_INSTRUCTIONS, one->instructions);
    set("ASAN_OPTIONS", "detect_leaks=0"); /* libamdhip64 has its own */
    dup2(output, 1);
    dup2(output, 2);
    alarm(CASE_SECONDS);
    execl("/proc/self/exe", "emulator", library, one->name, (char *)NULL);
    _exit(127);
}

static bool ended_as_expected(const struct emulator_case *one, int status)
{
    if (WIFSIGNALED(status))
        return one->faulted && WTERMSIG(status) == SIGABRT;
    return WIFEXITED(status) && WEXITSTATUS(status) == (one->faulted ? EXIT_STICKY : 0);
}

static bool said_as_expected(const struct emulator_case *one, const char *output)
{
    return !one->says[0] || strstr(output, one->says[0]) ||
           (one->says[1] && strstr(output, one->says[1]));
}

static int run_apart(const char *library, const struct emulator_case *one)
{
    static char output[MAX_OUTPUT + 1];
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        become(library, one, ends[1]);
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n = 1; n > 0; used += n > 0 ? (size_t)n : 0)
        n = read(ends[0], output + used, MAX_OUTPUT - used);
    output[used] = '\0';
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    bool right = ended_as_expected(one, status) && said_as_expected(one, output);
    printf("%s %s\n", right ? "ok" : "FAILED", one->name);
    if (!right)
        printf("  wait status %x; it said:\n%s\n", (unsigned)status, output);
    return !right;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: emulator LIBRARY [CASE]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv(EMU_ENV_TARGET, "gfx1030", 0);
    if (argc > 2)
        return run_here(argv[1], argv[2]);
    struct hip hip = {0};
    const char *problem = hip_open(argv[1], &hip);
    if (problem) {
        printf("%s: %s\n", hip.emulator ? "skipped" : "FAILED", problem);
        return hip.emulator ? SKIPPED : 1;
    }
    int failures = 0;
    for (size_t table = 0; table < 3; table++)
        for (const struct emulator_case *one = tables[table]; one->name; one++)
            failures += run_apart(argv[1], one);
    return failures > 0;
}
