/* evidence.h: what an attempt left behind beside its verdict: how the child that decided it ended,
 * what it had been asked, what it printed, and where the secrets stood, so that the same inputs can
 * be made again. Plain data.
 *
 * The log, and what is read from it (fault, backtrace), are the candidate's process's own words: for
 * people, never for decisions. */
#ifndef BP_HARNESS_STORE_EVIDENCE_H
#define BP_HARNESS_STORE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "evaluator/messages.h"

/* Every hidden input of an attempt is a function of a session's key and these counters. */
struct bp_secret_position {
    struct bp_key key;   /* the session's */
    uint64_t evaluation; /* keys permutation and canaries of the cases */
    uint64_t fresh_fill; /* the next fill of a timed batch is one more */
    uint64_t draws;      /* the next sample of a timed output is this one */
    uint64_t matches;    /* the next match is one more */
};

struct bp_evidence {
    enum bp_stage stage;       /* of the child that this is about */
    char cause[BP_TEXT_SHORT]; /* how its end came: "exited", "deadline", "denied", … */
    char reason[BP_TEXT_LINE]; /* a word more on that, may be empty */
    int wait_status;           /* as of wait(2); -1 when not known */
    bool unreaped;
    bool candidate_ran; /* candidate code may have run in it */
    bool denied;        /* a forbidden call stopped it; then: */
    int call;
    uint64_t call_args[6];
    char denial[BP_TEXT_LINE]; /* call and arguments as text */
    struct rusage usage;

    char *log; /* owned, log_bytes long plus NUL; may be null */
    size_t log_bytes;
    char *frames; /* owned: the requests it was sent, byte for byte (evaluator/frame.h) */
    size_t frames_bytes;
    char fault[BP_TEXT_LINE]; /* "SIGSEGV at address 0x0, gqa_kernel0+0x1c4"; empty: none known */
    char *backtrace;          /* owned, lines; null: none */
    int object_fd;            /* owned, the sealed code object; -1 when there is none */

    char compile_command[BP_COMPILE_COMMAND]; /* with every option; empty: not compiled */
    struct bp_secret_position position;
    bool in_unseen;                  /* the failure came on an unseen shape, after a PASS */
    bool in_match;                   /* the failure came in a match, after a PASS */
    struct bp_secret_position match; /* then: where the secrets stood as it began */
    bool in_final;                   /* the shape, or the match, was of the final comparison */
};

/* Without log, frames and object; null when there is no memory. */
struct bp_evidence *bp_evidence_new(void);
void bp_evidence_free(struct bp_evidence *evidence);
/* Deep; null for null, or when there is no memory or descriptor. */
struct bp_evidence *bp_evidence_copy(const struct bp_evidence *evidence);

#endif
