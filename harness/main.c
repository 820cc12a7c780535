/* bulletproof VERB …: the verb table. One file a verb: cmd_<verb>.c. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fault.h"
#include "base/weaken.h"
#include "harness/commands.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "sandbox/launch.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    bool runs_candidates;
} verbs[] = {
    {"eval", bp_cmd_eval, "evaluate one kernel source: compile, run, judge, time", true},
    {"evolve", bp_cmd_evolve, "search a kernel's knobs for a faster one", true},
    {"replay", bp_cmd_replay, "evaluate a saved failure again, with the inputs of then", true},
    {"export", bp_cmd_export, "pack a saved failure into one file", false},
    {"status", bp_cmd_status, "say where a run stands, also while it is going on"},
    {"clean", bp_cmd_clean, "remove old run directories and what dead runs left over"},
    {"doctor", bp_cmd_doctor, "say what of this machine can be used, and what is missing"},
    {"config", bp_cmd_config, "print the reference of a run's configuration"},
    {"inject", bp_cmd_inject, "inject faults into real runs, and say what came of each"},
};

static void print_usage(FILE *out)
{
    fprintf(out,
            "bulletproof %s: evaluates untrusted GQA attention kernels, and evolves them\n\n"
            "usage: bulletproof VERB [ARGUMENTS]\n\nverbs:\n",
            BP_VERSION);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(
        out,
        "\n'bulletproof VERB --help' tells the rest.\n\n"
        "exit status: 0 success or PASS, 1 the run failed, 2 usage, config or input,\n"
        "10 the candidate's fault, 11 a replay differs, 20 device or harness, 130 interrupted\n");
}

static bool arm_faults(void)
{
    struct bp_error err;
    if (bp_fault_from_environment(&err) == 0)
        return true;
    fprintf(stderr, "bulletproof: %s\n", err.msg);
    return false;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return BP_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return BP_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("bulletproof %s%s\n", BP_VERSION, BP_FAULT_BUILT ? " (fault injection)" : "");
        return BP_EXIT_OK;
    }
    struct bp_error err;
    if (bp_weaken_start(&err) < 0)
        return bp_print_failure(&err);
    if (sodium_init() < 0) {
        fprintf(stderr, "bulletproof: libsodium cannot start\n");
        return BP_EXIT_HARNESS;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return !verbs[i].runs_candidates || arm_faults() ? verbs[i].run(argc - 1, argv + 1)
                                                             : BP_EXIT_USAGE;
    fprintf(stderr, "bulletproof: unknown verb '%s' (valid:", argv[1]);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(stderr, "%s %s", i ? "," : "", verbs[i].name);
    fprintf(stderr, ")\n");
    return BP_EXIT_USAGE;
}

/* A reader that has seen enough (`| head`) is no failure; a full disk is. The errno of a write that
 * failed earlier is gone by now, so the pipe itself is asked. */
static int end_output(int status)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR))
        return status;
    fprintf(stderr, "bulletproof: cannot write all of the output\n");
    return status == BP_EXIT_OK ? BP_EXIT_HARNESS : status;
}

/* What whoever started us has left: ignored, SIGCHLD takes children away before they are waited for, and a
 * file of ours would get the number of a standard descriptor that is closed, with all that is printed. */
static void settle_inheritance(void)
{
    int null;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, not our death */
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit of file size */
    signal(SIGCHLD, SIG_DFL);
    while ((null = open("/dev/null", O_RDONLY)) >= 0 && null <= STDERR_FILENO)
        continue;
    if (null > STDERR_FILENO)
        close(null);
}

int main(int argc, char **argv)
{
    settle_inheritance();
    return end_output(run(argc, argv));
}
