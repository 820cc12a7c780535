#include "evaluator/diagnostics.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Bytes of the well-formed UTF-8 sequence at text (RFC 3629: no overlong forms, no surrogates, at
 * most U+10FFFF), 0 when there is none. */
static size_t sequence_length(const unsigned char *text, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80       ? 1
                    : text[0] >> 5 == 6  ? 2
                    : text[0] >> 4 == 14 ? 3
                    : text[0] >> 3 == 30 ? 4
                                         : 0;
    if (length < 2 || length > size)
        return length == 1 ? 1 : 0;
    uint32_t point = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (text[i] >> 6 != 2)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < smallest[length] || surrogate || point > 0x10ffff ? 0 : length;
}

/* C0 and C1 controls, DEL, and the bidirectional overrides that make a log read otherwise than it
 * is; newline and tab are handled before. */
static bool is_control(const unsigned char *text, size_t length)
{
    if (length == 1)
        return text[0] < 0x20 || text[0] == 0x7f;
    if (length == 2)
        return text[0] == 0xc2 && text[1] < 0xa0;
    return length == 3 && text[0] == 0xe2 &&
           ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
            (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

void bp_diagnostics_clean(const char *text, size_t size, char *out, size_t out_size)
{
    const unsigned char *in = (const unsigned char *)text;
    size_t used = 0;
    for (size_t i = 0; i < size;) {
        size_t length = sequence_length(in + i, size - i);
        char replacement = length == 0 ? '?' : in[i] == '\t' ? ' ' : in[i] == '\n' ? '\n' : '\0';
        size_t step = length == 0 ? 1 : length;
        bool dropped = !replacement && is_control(in + i, step);
        size_t needed = dropped ? 0 : replacement ? 1 : step;
        if (used + needed >= out_size)
            break;
        if (replacement)
            out[used] = replacement;
        else
            memcpy(out + used, in + i, needed);
        used += needed;
        i += step;
    }
    out[used] = '\0';
}

void bp_diagnostics_first_error(const char *text, char *out, size_t out_size)
{
    static const char *const markers[] = {"fatal error: ", "error: "};
    out[0] = '\0';
    const char *line = text;
    while (*line) {
        size_t length = strcspn(line, "\n");
        for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
            const char *at = memmem(line, length, markers[i], strlen(markers[i]));
            if (!at)
                continue;
            const char *rest = at + strlen(markers[i]);
            snprintf(out, out_size, "%.*s%.*s", (int)(at - line), line, (int)(line + length - rest),
                     rest);
            return;
        }
        line += length + (line[length] == '\n');
    }
}

/* Whether a line that the tool itself, not the source, must have begun says one of the words. */
static bool tool_says(const char *text, const char *word)
{
    static const char *const speakers[] = {"LLVM ERROR: ",    "error: unable to ",
                                           "clang: error: ",  "fatal error: error in backend: ",
                                           "ld.lld: error: ", "terminate called after throwing",
                                           "  what():  "};
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        for (size_t i = 0; i < sizeof speakers / sizeof *speakers; i++) {
            if (strncmp(line, speakers[i], strlen(speakers[i])) == 0 &&
                memmem(line, length, word, strlen(word)))
                return true;
        }
    }
    return false;
}

static bool ran_out(const char *text)
{
    static const char *const words[] = {"out of memory",          "bad_alloc",
                                        "Cannot allocate memory", "No space left on device",
                                        "File too large",         "Allocation failed"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (tool_says(text, words[i]))
            return true;
    }
    return false;
}

bool bp_diagnostics_over_limit(const char *text, char *out, size_t out_size)
{
    /* How such a line begins, and what is in it. Newer versions of LLVM name a place in the source before
     * it. A source that says the same is refused too, only for another fault of its own. */
    static const struct {
        const char *begin, *words;
    } refusals[] = {
        {"", "error: local memory ("},
        {"", "error: <unknown>:0:0: local memory ("},
        {"ptxas error", "uses too much shared data"},
        {"ptxas error", "Register allocation failed"},
    };
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
            const char *begin = refusals[i].begin, *words = refusals[i].words;
            if (strncmp(line, begin, strlen(begin)) != 0 ||
                !memmem(line, length, words, strlen(words)))
                continue;
            snprintf(out, out_size, "%.*s", (int)length, line);
            return true;
        }
    }
    return false;
}

enum bp_verdict bp_diagnostics_verdict(int status, const char *text)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return BP_VERDICT_PASS;
    if (ran_out(text))
        return BP_VERDICT_COMPILE_LIMIT;
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        bool limit = number == SIGXCPU || number == SIGXFSZ || number == SIGKILL;
        return limit ? BP_VERDICT_COMPILE_LIMIT : BP_VERDICT_COMPILER_CRASH;
    }
    /* clang exits with 1 after errors in the source; its crash handler with 128 + signal or 70. */
    return WEXITSTATUS(status) == 1 && !strstr(text, "PLEASE submit a bug report")
               ? BP_VERDICT_COMPILE_ERROR
               : BP_VERDICT_COMPILER_CRASH;
}
