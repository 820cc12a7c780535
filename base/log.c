#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define PATH_BYTES 4200
#define NAME_BYTES (PATH_BYTES + 12)

static enum bp_log_level stderr_level = BP_LOG_WARNING;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static FILE *log_file;
static char log_path[PATH_BYTES];
static uint64_t log_bytes;
static struct bp_log_caps log_caps = {.max_bytes = UINT64_MAX};

void bp_log_set_level(enum bp_log_level level)
{
    stderr_level = level;
}

static void close_file(void)
{
    if (log_file)
        fclose(log_file);
    log_file = NULL;
}

/* Replaces the open file only when the new one is there. */
static int open_file(struct bp_error *err)
{
    struct stat status = {0};
    /* What others put there in its place is neither waited for nor followed. */
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    BP_AUTO_FD int fd = open(log_path, flags, 0644);
    if (fd < 0 || fstat(fd, &status) < 0)
        return bp_fail_errno(err, "cannot open the log %s", log_path);
    if (!S_ISREG(status.st_mode))
        return bp_fail(err, BP_ERR_USAGE, "the log %.200s is not a regular file", log_path);
    FILE *file = fdopen(fd, "a");
    if (!file)
        return bp_fail_errno(err, "cannot open the log %s", log_path);
    (void)bp_steal_fd(&fd);
    close_file();
    setvbuf(file, NULL, _IOLBF, 0);
    log_bytes = (uint64_t)status.st_size;
    log_file = file;
    return 0;
}

int bp_log_open(const char *path, struct bp_error *err)
{
    if (strlen(path) >= sizeof log_path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    pthread_mutex_lock(&mutex);
    close_file();
    log_caps = (struct bp_log_caps){.max_bytes = UINT64_MAX};
    strcpy(log_path, path);
    int result = open_file(err);
    pthread_mutex_unlock(&mutex);
    return result;
}

void bp_log_set_caps(const struct bp_log_caps *caps)
{
    pthread_mutex_lock(&mutex);
    log_caps = *caps;
    pthread_mutex_unlock(&mutex);
}

void bp_log_close(void)
{
    pthread_mutex_lock(&mutex);
    close_file();
    pthread_mutex_unlock(&mutex);
}

/* path for 0, path.1, path.2, … */
static void name_of(uint32_t age, char name[NAME_BYTES])
{
    if (age == 0)
        snprintf(name, NAME_BYTES, "%s", log_path);
    else
        snprintf(name, NAME_BYTES, "%s.%u", log_path, age);
}

/* Each file takes the place of the next older one; a gap is no failure. */
static int shift_files(struct bp_error *err)
{
    char from[NAME_BYTES], to[NAME_BYTES];
    if (log_caps.kept == 0)
        return unlink(log_path) == 0 || errno == ENOENT
                   ? 0
                   : bp_fail_errno(err, "cannot remove %s", log_path);
    for (uint32_t age = log_caps.kept; age > 0; age--) {
        name_of(age - 1, from);
        name_of(age, to);
        if (rename(from, to) < 0 && errno != ENOENT)
            return bp_fail_errno(err, "cannot rename %s", from);
    }
    return 0;
}

static int rotate(struct bp_error *err)
{
    if (!log_file)
        return 0;
    struct stat named, open_now;
    bool ours = stat(log_path, &named) == 0 && fstat(fileno(log_file), &open_now) == 0 &&
                named.st_ino == open_now.st_ino && named.st_dev == open_now.st_dev;
    if (ours && shift_files(err) < 0)
        return -1;
    return open_file(err);
}

int bp_log_rotate(struct bp_error *err)
{
    pthread_mutex_lock(&mutex);
    int result = rotate(err);
    pthread_mutex_unlock(&mutex);
    return result;
}

/* One that cannot be rotated now grows by another cap before the next attempt: a line is never lost
 * for it, and not every line pays for the attempt. */
static void write_line(const char *line, size_t length)
{
    struct bp_error ignored;
    pthread_mutex_lock(&mutex);
    if (log_file && log_bytes > 0 && log_bytes + length > log_caps.max_bytes &&
        rotate(&ignored) < 0)
        log_bytes = 0;
    if (log_file) {
        fwrite(line, 1, length, log_file);
        log_bytes += length;
    }
    pthread_mutex_unlock(&mutex);
}

void bp_log(enum bp_log_level level, const char *area, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    bp_text_clean(text); /* it may hold a child's words */

    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    char stamp[16];
    strftime(stamp, sizeof stamp, "%H:%M:%S", &local);

    char line[sizeof text + 96];
    int length = snprintf(line, sizeof line, "%s.%03ld %s %s: %s\n", stamp, now.tv_nsec / 1000000,
                          names[level], area, text);
    if (level >= BP_LOG_INFO)
        write_line(line, (size_t)length);
    if (level >= stderr_level)
        fputs(line, stderr);
}
