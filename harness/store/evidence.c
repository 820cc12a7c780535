#include "harness/store/evidence.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct bp_evidence *bp_evidence_new(void)
{
    struct bp_evidence *evidence = calloc(1, sizeof *evidence);
    if (evidence) {
        evidence->object_fd = -1;
        evidence->wait_status = -1;
    }
    return evidence;
}

void bp_evidence_free(struct bp_evidence *evidence)
{
    if (!evidence)
        return;
    free(evidence->log);
    free(evidence->frames);
    free(evidence->backtrace);
    bp_close_fd(&evidence->object_fd);
    free(evidence);
}

/* Replaces *bytes by a copy with a NUL behind it. */
static bool own(char **bytes, size_t size)
{
    if (!*bytes)
        return true;
    char *copy = malloc(size + 1);
    if (copy) {
        memcpy(copy, *bytes, size);
        copy[size] = '\0';
    }
    *bytes = copy;
    return copy != NULL;
}

struct bp_evidence *bp_evidence_copy(const struct bp_evidence *evidence)
{
    struct bp_evidence *copy = evidence ? malloc(sizeof *copy) : NULL;
    if (!copy)
        return NULL;
    *copy = *evidence;
    bool whole = own(&copy->log, copy->log_bytes);
    whole &= own(&copy->frames, copy->frames_bytes);
    whole &= own(&copy->backtrace, copy->backtrace ? strlen(copy->backtrace) : 0);
    if (evidence->object_fd >= 0) {
        copy->object_fd = fcntl(evidence->object_fd, F_DUPFD_CLOEXEC, 3);
        whole &= copy->object_fd >= 0;
    }
    if (whole)
        return copy;
    bp_evidence_free(copy);
    return NULL;
}
