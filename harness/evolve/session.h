/* session.h: its devices, a suite and everything made for them, ready to evaluate candidates; what
 * `eval` and `evolve` share. Calls here run the event loop until their work is done or a signal asks
 * to stop (BP_ERR_INTERRUPTED); other events are served meanwhile. */
#ifndef BP_HARNESS_EVOLVE_SESSION_H
#define BP_HARNESS_EVOLVE_SESSION_H

#include "harness/config/config.h"
#include "harness/evolve/ceilings_cache.h"
#include "harness/evolve/device.h"
#include "harness/evolve/guard.h"
#include "harness/evolve/host.h"
#include "harness/store/evaluation.h"
#include "harness/supervise/match.h"
#include "harness/supervise/object_cache.h"
#include "harness/supervise/spare.h"
#include "harness/supervise/trial.h"

/* One candidate on its way through the session. */
struct bp_candidate {
    struct bp_evaluation *evaluation; /* owned by the caller; source, knobs, number set before */
    int object_fd;                    /* owned by the caller after evaluation; -1 without object */
    uint64_t object_bytes;
};

/* A device got into another state of supervise/health.h. Texts are valid during the callback. */
struct bp_device_change {
    const char *device, *from, *to, *why;
};

struct bp_probe_record {
    const char *device;
    bool passed;
    double ms;
    const char *message; /* why it failed, else empty */
};

struct bp_session_callbacks {
    /* Once the loop is open, before anything is prepared. May be null. */
    int (*opened)(void *context, struct bp_error *err);
    /* Progress of preparing references: done of total cases. May be null. */
    void (*prepared)(void *context, uint32_t done, uint32_t total);
    /* After a compile that gave an object: true to skip run and judge (the verdict was filled in from
     * an earlier evaluation with the same object). May be null. */
    bool (*known_object)(void *context, struct bp_candidate *candidate);
    /* After each candidate's verdict, in order; nothing is running then, matches may be played. */
    int (*evaluated)(void *context, struct bp_candidate *candidate, struct bp_error *err);
    /* For the record; may be null. */
    void (*device_changed)(void *context, const struct bp_device_change *change);
    void (*probed)(void *context, const struct bp_probe_record *probe);
    /* Nothing goes on for a while, or goes on without a device; text is a line that says why and how
     * long. May be null. */
    void (*waiting)(void *context, const char *text);
    void *context;
};

/* Orders for the prepare child that are awaited together (waiting.h). */
struct bp_orders {
    uint32_t left;
    bool failed;
    struct bp_error err; /* of the first that failed */
};

struct bp_session {
    struct bp_loop loop;
    struct bp_host host;
    struct bp_ceilings ceilings; /* of the host, zero when not known */
    struct bp_suite suite;
    struct bp_bench *bench;
    struct bp_guard guard;
    /* By side of the ring of outputs: whether a candidate has had it since the last scrub. */
    bool written[2];
    struct bp_orders scrubs[2];
    bool more_to_come; /* set after init where candidates follow one another: spares are worth it */
    struct bp_object_cache objects;       /* that its candidates were compiled to */
    struct bp_spare spares[BP_MAX_LANES]; /* compile children for the next candidates */
    struct bp_child_settings children;
    struct bp_timing_options timing;
    const struct bp_config *config; /* borrowed */
    enum bp_dtype dtype;
    uint32_t threads, parallel;
    uint64_t ring_bytes;
    struct bp_slots slots; /* its devices; what runs on one, runs on the one whose turn it is */
    char worker_path[4096];
    char activity[BP_TEXT_SHORT]; /* what goes on now, for a person who asks */
    uint64_t draws;
    uint64_t evaluations; /* numbers the secrets of each attempt */
    uint64_t matches;
    void (*held)(void *context, pid_t pid); /* for a debugger (trial.h); null else */
    void *held_context;
    struct bp_session_callbacks callbacks;
};

/* The config's dtype, which its kernel must declare. BP_ERR_USAGE. */
int bp_session_dtype(const struct bp_config *config, enum bp_dtype *dtype, struct bp_error *err)
    BP_MUST_CHECK;

/* Resolves device and suite and checks that every tool is there; starts nothing. *session is zeroed
 * first; large: allocate it. */
int bp_session_init(struct bp_session *session, const struct bp_config *config,
                    const struct bp_session_callbacks *callbacks, struct bp_error *err)
    BP_MUST_CHECK;
/* Opens the loop, and makes masters and references of the whole suite. */
int bp_session_open(struct bp_session *session, const struct bp_key *run_key, struct bp_error *err)
    BP_MUST_CHECK;
/* Where the secrets stand: what an attempt that began now would be made of. */
void bp_session_position(const struct bp_session *session, struct bp_secret_position *position);
/* The next evaluation, alone, has the secrets of an attempt that began there; its key must be the
 * session's. Only for replaying: in a run no secret is used twice. */
void bp_session_seek(struct bp_session *session, const struct bp_secret_position *position);

/* Notes what goes on now (session->activity). */
void bp_session_now(struct bp_session *session, const char *fmt, ...) BP_PRINTF(2, 3);
/* Kills what still runs and waits until it is reaped (two seconds at most). May be repeated. */
void bp_session_close(struct bp_session *session);

/* Sets what the session knows of an evaluation before it starts: device, suite, dtype, hashes. The device
 * is the one used last, until the evaluation runs on one itself. */
void bp_session_describe(const struct bp_session *session, struct bp_evaluation *evaluation);
/* The device used last. */
const struct bp_session_device *bp_session_device(const struct bp_session *session);
void bp_session_name_device(const struct bp_session *session, struct bp_evaluation *evaluation);

/* Compiles the candidates (at most session->parallel) at once, then tries them one after the other; each
 * ends with a verdict. */
int bp_session_evaluate(struct bp_session *session, struct bp_candidate *candidates, uint32_t count,
                        struct bp_error *err) BP_MUST_CHECK;

/* Compiles a candidate that passed before again, for its object alone; nothing else of it changes, but
 * one that was loaded from a record has no evidence: it gets this compile's, and where the secrets stood.
 * BP_ERR_UNAVAILABLE when that does not succeed any more. */
int bp_session_compile(struct bp_session *session, struct bp_candidate *candidate,
                       struct bp_error *err) BP_MUST_CHECK;

/* Serves events until ready(context) holds, asked every millisecond. */
int bp_session_wait(struct bp_session *session, bool (*ready)(void *context), void *context,
                    struct bp_error *err) BP_MUST_CHECK;

struct bp_match_rules {
    uint32_t rounds;
    bool stop_early;     /* once a is surely slower */
    uint32_t chances[2]; /* the failure of a side's own that stands, by BP_RING_A and BP_RING_B */
};

/* Plays a match, both sides on one device; a and b must have objects and timings. Failures of ours and of the device are retried
 * as those of evaluations are. A failure of a side's own is played again until it is the one that
 * stands: then result->outcome says why, failed_side whose it is, and nobody has won. The failure is in
 * that side's evidence. */
int bp_session_match(struct bp_session *session, const struct bp_candidate *a,
                     const struct bp_candidate *b, const struct bp_match_rules *rules,
                     struct bp_match_result *result, struct bp_error *err) BP_MUST_CHECK;

#endif
