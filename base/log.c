#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static enum bp_log_level stderr_level = BP_LOG_WARNING;
static FILE *log_file;

void bp_log_set_level(enum bp_log_level level)
{
    stderr_level = level;
}

int bp_log_open(const char *path, struct bp_error *err)
{
    bp_log_close();
    log_file = fopen(path, "ae");
    if (!log_file)
        return bp_fail_errno(err, "cannot open the log %s", path);
    setvbuf(log_file, NULL, _IOLBF, 0);
    return 0;
}

void bp_log_close(void)
{
    if (log_file)
        fclose(log_file);
    log_file = NULL;
}

void bp_log(enum bp_log_level level, const char *area, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);

    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    char stamp[16];
    strftime(stamp, sizeof stamp, "%H:%M:%S", &local);

    if (log_file && level >= BP_LOG_INFO)
        fprintf(log_file, "%s.%03ld %s %s: %s\n", stamp, now.tv_nsec / 1000000, names[level], area,
                text);
    if (level >= stderr_level)
        fprintf(stderr, "%s.%03ld %s %s: %s\n", stamp, now.tv_nsec / 1000000, names[level], area,
                text);
}
