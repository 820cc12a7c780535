/* text.h: text of others in messages of ours. */
#ifndef BP_BASE_TEXT_H
#define BP_BASE_TEXT_H

/* A message may hold a candidate's own words or a file's name, and ends on terminals and in logs: every
 * byte of a control character (newline and tab, DEL, U+0080 to U+009F, also as single bytes, which some
 * terminals obey) and of one that turns text around (U+202A to U+202E, U+2066 to U+2069) becomes '?'. */
void bp_text_clean(char *text);

#endif
