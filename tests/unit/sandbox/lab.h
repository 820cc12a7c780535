/* lab.h: the sandbox tests' supervisor: launches the fake worker for one act and reports all that
 * could be seen of it from outside. */
#ifndef BP_TESTS_SANDBOX_LAB_H
#define BP_TESTS_SANDBOX_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/confine.h"
#include "sandbox/denial.h"
#include "sandbox/launch.h"

struct lab_result {
    char layers[256]; /* of "ready", or empty */
    bool done;        /* the act returned */
    int error;        /* 0 or the errno value it gave */
    char text[2048];  /* what it or an error of the worker said */
    bool denied;
    char denial[256]; /* described */
    int wait_status;  /* the worker's own, relayed by its init */
    bool reported;    /* wait_status is known */
    bool log_ended;   /* nobody held the log pipe a second after the end */
    char log[4096];
    char proc_status[4096]; /* /proc/PID/status of the worker when kill_on came */
    char proc_limits[4096]; /* /proc/PID/limits then */
    uint64_t launch_ns;     /* in bp_launch */
    uint64_t ready_ns;      /* from bp_launch's start to "ready" */
    uint64_t gone_ns;       /* from the kill that kill_on brought to its init's status */
};

/* How the tests run: as they were started, as an ordinary user, or as one without namespaces. */
enum lab_user { LAB_SELF, LAB_NOBODY, LAB_BARE };

/* Reads "--user" or "--bare" and becomes that; prints the reason and exits 77 where it cannot.
 * Then prepares this process as a supervisor. */
void lab_start(int argc, char **argv);
/* That alone, as the user one is. */
void lab_prepare(void);
extern uint64_t lab_namespaces; /* CLONE_NEW* flags in force */

/* Runs one act to its end (at most 20 s); kills on a denial and, when kill_on is not null, on the
 * first line that begins with it. */
void lab_run(enum bp_policy_id policy, const char *act, const struct bp_policy_limits *limits,
             const char *kill_on, struct lab_result *result);

/* The supervisor's ends and the child's. */
struct lab_pipes {
    int requests[2], answers[2], log[2], status[2], control[2];
};
void lab_pipes_open(struct lab_pipes *pipes);
int lab_launch(const struct lab_pipes *pipes, enum bp_policy_id policy, const char *act,
               const struct bp_policy_limits *limits, const char *worker,
               struct bp_launched *launched, struct bp_error *err);
void lab_pipes_close(struct lab_pipes *pipes, int side);

#endif
