/* session_lab.h: a session with real children of a worker that fails as told, and what it told its owner. */
#ifndef BP_TESTS_UNIT_EVOLVE_SESSION_LAB_H
#define BP_TESTS_UNIT_EVOLVE_SESSION_LAB_H

#include "harness/evolve/session.h"

struct lab_seen {
    char moves[1024]; /* "healthy>suspect>probing …" of the device */
    uint32_t probes, passed, waits;
    uint32_t odd_probes; /* passed with a message, or failed without one */
    char waiting[512];
    bool interrupt;             /* at the next wait */
    void (*before_trial)(void); /* once */
    struct bp_timer timer;
};

extern struct bp_session *lab_session;
extern struct bp_config *lab_config;
extern struct lab_seen lab_seen;

/* Of a group of cmocka tests, and before each test. */
int lab_open(void **state);
int lab_close(void **state);
int lab_reset(void **state);

/* How the next children of a stage fare, a letter each (moody_worker.c). */
void lab_moods(const char *stage, const char *moods);

/* Evaluates the kernel of lab_config, a new candidate. */
int lab_evaluate(struct bp_candidate *candidate, struct bp_error *err);
void lab_drop(struct bp_candidate *candidate);

/* Evaluates and compares the outcomes of all attempts. */
void lab_expect(uint32_t count, const enum bp_verdict *outcomes, struct bp_candidate *candidate);
#define LAB_EXPECT(candidate, ...)                                                                 \
    lab_expect(sizeof((enum bp_verdict[]){__VA_ARGS__}) / sizeof(enum bp_verdict),                 \
               (enum bp_verdict[]){__VA_ARGS__}, candidate)

#endif
