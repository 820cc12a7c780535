#include "harness/config/choices.h"

#include <stdio.h>
#include <string.h>

#include "harness/config/yaml_tree.h"

#define LONGEST_WORD 64

int bp_choices_find(const char *const *choices, const char *word)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], word) == 0)
            return i;
    return -1;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, row by row; both words at most LONGEST_WORD long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = smallest(replaced, diagonal + 1, row[j] + 1);
        }
    }
    return row[length];
}

const char *bp_choices_nearest(const char *const *choices, const char *word)
{
    const char *nearest = NULL;
    size_t length = strlen(word);
    size_t best = (length < 6 ? 1 : length / 3) + 1;
    if (length > LONGEST_WORD)
        return NULL;
    for (int i = 0; choices[i]; i++) {
        if (strlen(choices[i]) > LONGEST_WORD)
            continue;
        size_t far = distance(word, choices[i]);
        if (far < best && far < strlen(choices[i])) {
            best = far;
            nearest = choices[i];
        }
    }
    return nearest;
}

void bp_choices_join(const char *const *choices, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", choices[0] ? choices[0] : "none");
    for (int i = 1; choices[0] && choices[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, ", %s", choices[i]);
}

int bp_choices_fail(const char *path, uint32_t line, const char *what, const char *word,
                    const char *where, const char *const *choices, struct bp_error *err)
{
    char valid[400];
    bp_choices_join(choices, valid, sizeof valid);
    const char *nearest = bp_choices_nearest(choices, word);
    if (nearest)
        return bp_yaml_fail(path, line, err, "unknown %s '%.64s'%s; did you mean '%s'? (valid: %s)",
                            what, word, where, nearest, valid);
    return bp_yaml_fail(path, line, err, "unknown %s '%.64s'%s (valid: %s)", what, word, where,
                        valid);
}
