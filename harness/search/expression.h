/* expression.h: C integer expressions over named variables, for constraints and `supports`. */
#ifndef BP_HARNESS_SEARCH_EXPRESSION_H
#define BP_HARNESS_SEARCH_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct bp_expression; /* opaque, owned by whoever parsed it */

/* Returns the index of a variable name or -1. */
typedef int (*bp_expression_resolve)(const void *context, const char *name, size_t length);

/* Parses + - * / % == != < <= > >= && || ! unary -, parentheses, ?: and decimal integers, with C's
 * precedence; at most 4096 bytes and 64 levels of nesting. BP_ERR_USAGE says the column and what
 * was expected, or which name is unknown. */
int bp_expression_parse(const char *text, bp_expression_resolve resolve, const void *context,
                        struct bp_expression **expression, struct bp_error *err) BP_MUST_CHECK;
void bp_expression_free(struct bp_expression *expression);

/* 64-bit arithmetic; a division by zero or an overflow makes the whole expression 0 (not allowed). */
int64_t bp_expression_evaluate(const struct bp_expression *expression, const int64_t *variables);

/* Whether the expression names the variable. */
bool bp_expression_uses(const struct bp_expression *expression, int variable);

const char *bp_expression_text(const struct bp_expression *expression);

#endif
