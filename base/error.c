#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int bp_fail(struct bp_error *err, enum bp_errc code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    bp_text_clean(err->msg);
    err->code = code;
    err->sys_errno = 0;
    return -1;
}

int bp_fail_errno(struct bp_error *err, const char *fmt, ...)
{
    int saved = errno;
    char text[sizeof err->msg];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(err->msg, sizeof err->msg, "%.400s: %s", text, strerror(saved));
    bp_text_clean(err->msg);
    err->code = saved == ENOMEM ? BP_ERR_MEMORY : BP_ERR_SYSTEM;
    err->sys_errno = saved;
    return -1;
}

int bp_fail_within(struct bp_error *err, const char *fmt, ...)
{
    char inner[sizeof err->msg];
    memcpy(inner, err->msg, sizeof inner);
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(err->msg, sizeof err->msg, "%s: %.300s", text, inner);
    bp_text_clean(err->msg);
    return -1;
}
