#include "base/text.h"

#include <stdbool.h>

/* U+202A to U+202E and U+2066 to U+2069: text behind one reads backwards. */
static bool turns_text(const unsigned char *at)
{
    return at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                             (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

void bp_text_clean(char *text)
{
    bool within = false;
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool continues = *at >= 0x80 && *at < 0xc0;
        bool is_control =
            *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0) || turns_text(at);
        if (is_control || (continues && !within))
            *at = '?';
        within = *at >= 0xc2 || (within && continues);
    }
}
