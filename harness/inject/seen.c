#include "harness/inject/seen.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(int seen)
{
    static const char *const names[BP_SEEN_COUNT] = {
#define ROW(name) [BP_SEEN_##name] = #name,
        BP_SEEN_LIST(ROW)
#undef ROW
    };
    return seen < BP_VERDICT_COUNT ? bp_verdict_name((enum bp_verdict)seen) : names[seen];
}

void bp_seen_format(uint64_t set, char text[BP_SEEN_TEXT])
{
    size_t used = 0;
    strcpy(text, "-");
    for (int i = 0; i < BP_SEEN_COUNT && used < BP_SEEN_TEXT; i++)
        if (set & BP_SEEN_BIT(i))
            used += (size_t)snprintf(text + used, BP_SEEN_TEXT - used, "%s%s", used ? "|" : "",
                                     name_of(i));
}

bool bp_seen_parse(const char *text, uint64_t *set, char word[32])
{
    *set = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, "|");
        snprintf(word, 32, "%.*s", (int)(length < 31 ? length : 31), at);
        int seen = 0;
        while (seen <= BP_SEEN_WAITED && strcmp(word, name_of(seen)) != 0)
            seen++;
        if (seen > BP_SEEN_WAITED)
            return false;
        *set |= BP_SEEN_BIT(seen);
        at += length;
        if (!*at)
            return true;
    }
}
