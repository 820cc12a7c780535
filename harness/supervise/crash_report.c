#include "harness/supervise/crash_report.h"

#include <stdlib.h>
#include <string.h>

#include "evaluator/crash.h"

struct line {
    const char *text;
    size_t size;
};

/* The line that ends before *end; *end moves to its start. */
static bool previous_line(const char *log, size_t *end, struct line *line)
{
    if (*end == 0)
        return false;
    size_t last = log[*end - 1] == '\n' ? *end - 1 : *end;
    const char *newline = memrchr(log, '\n', last);
    size_t begin = newline ? (size_t)(newline - log) + 1 : 0;
    *line = (struct line){log + begin, last - begin};
    *end = begin;
    return true;
}

/* Takes prefix off the line. */
static bool skip(struct line *line, const char *prefix)
{
    size_t length = strlen(prefix);
    if (line->size < length || memcmp(line->text, prefix, length) != 0)
        return false;
    line->text += length;
    line->size -= length;
    return true;
}

/* Takes characters of `allowed` off the line into text; false when there is none or no room. */
static bool take(struct line *line, const char *allowed, char *text, size_t size)
{
    size_t length = 0;
    while (length < line->size && line->text[length] && strchr(allowed, line->text[length]))
        length++;
    if (length == 0 || length >= size)
        return false;
    memcpy(text, line->text, length);
    text[length] = '\0';
    line->text += length;
    line->size -= length;
    return true;
}

#define HEX "0123456789abcdef"
#define WORD HEX "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$"
#define PLACE WORD "+() "

static bool read_head(struct line line, struct bp_crash_report *report)
{
    char number[12];
    if (!skip(&line, BP_CRASH_HEAD) || !take(&line, "0123456789", number, sizeof number) ||
        !skip(&line, " address ") ||
        !take(&line, HEX "x?", report->address, sizeof report->address) || !skip(&line, " at ") ||
        !take(&line, PLACE, report->place, sizeof report->place) || line.size != 0)
        return false;
    report->signal = atoi(number);
    return true;
}

/* The stack's lines that follow the head. */
static void read_trace(const char *log, size_t size, size_t begin, struct bp_crash_report *report)
{
    size_t used = 0;
    while (begin < size) {
        const char *newline = memchr(log + begin, '\n', size - begin);
        size_t end = newline ? (size_t)(newline - log) : size;
        struct line line = {log + begin, end - begin};
        char place[sizeof report->place];
        begin = end + 1;
        if (line.size == 0)
            continue;
        if (!skip(&line, BP_CRASH_STACK) || !take(&line, PLACE, place, sizeof place) ||
            line.size != 0 || used + strlen(place) + 2 > sizeof report->trace)
            return;
        memcpy(report->trace + used, place, strlen(place));
        used += strlen(place);
        report->trace[used++] = '\n';
        report->trace[used] = '\0';
    }
}

bool bp_crash_report_read(const char *log, size_t size, int signal, struct bp_crash_report *report)
{
    struct line line;
    for (size_t end = size; previous_line(log, &end, &line);) {
        *report = (struct bp_crash_report){0};
        if (!read_head(line, report) || report->signal != signal)
            continue;
        read_trace(log, size, end + (size_t)(line.text + line.size - (log + end)) + 1, report);
        return true;
    }
    return false;
}
