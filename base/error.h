/* error.h: the one way a harness function fails.
 *
 * A function that can fail takes a `struct bp_error *err` last and returns 0 on success (err is not
 * touched) or -1 on failure (err is set). Verdicts on candidates are never errors. Code decides on
 * `code` and `sys_errno`, never on `msg`; msg is one line for a person, without a newline. */
#ifndef BP_BASE_ERROR_H
#define BP_BASE_ERROR_H

enum bp_errc {
    BP_ERR_NONE = 0,
    BP_ERR_SYSTEM, /* a system call failed: sys_errno says why */
    BP_ERR_MEMORY, /* no memory */
    BP_ERR_USAGE,  /* the user's command line, config or input file is wrong: exit 2 */
    BP_ERR_SOURCE, /* a text that should be a kernel's is none: a verdict, where it is evaluated */
    BP_ERR_PROTOCOL,    /* a frame or message breaks the protocol */
    BP_ERR_LIMIT,       /* a declared cap is exceeded */
    BP_ERR_UNAVAILABLE, /* a needed tool, library or kernel feature is missing */
    BP_ERR_INTERRUPTED, /* a signal asked the program to stop */
    BP_ERR_STATE,       /* called in a state where it makes no sense; a bug of ours */
};

struct bp_error {
    enum bp_errc code;
    int sys_errno;
    char msg[480];
};

#define BP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BP_MUST_CHECK __attribute__((warn_unused_result))

/* Messages have no control characters, whoever's words they quote (text.h). */

/* Sets err and returns -1, so that callers write `return bp_fail(err, BP_ERR_USAGE, "...")`. */
int bp_fail(struct bp_error *err, enum bp_errc code, const char *fmt, ...) BP_PRINTF(3, 4);

/* The same for a failed system call: code BP_ERR_SYSTEM, errno recorded, ": <strerror>" appended. */
int bp_fail_errno(struct bp_error *err, const char *fmt, ...) BP_PRINTF(2, 3);

/* Prefixes an existing message ("while …: ") and returns -1. */
int bp_fail_within(struct bp_error *err, const char *fmt, ...) BP_PRINTF(2, 3);

#endif
