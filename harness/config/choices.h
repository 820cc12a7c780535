/* choices.h: null-terminated lists of valid words, and the messages that offer them. */
#ifndef BP_HARNESS_CONFIG_CHOICES_H
#define BP_HARNESS_CONFIG_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The index of word, or -1. */
int bp_choices_find(const char *const *choices, const char *word);

/* The choice a typing error or two away from word (Levenshtein distance at most 1, or a third of
 * word's length), or null. */
const char *bp_choices_nearest(const char *const *choices, const char *word);

/* "a, b, c", cut at size; "none" for an empty list. */
void bp_choices_join(const char *const *choices, char *text, size_t size);

/* BP_ERR_USAGE "path:line: unknown WHAT 'word'WHERE; did you mean 'x'? (valid: …)". */
int bp_choices_fail(const char *path, uint32_t line, const char *what, const char *word,
                    const char *where, const char *const *choices, struct bp_error *err);

#endif
