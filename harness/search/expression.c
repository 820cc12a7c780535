#include "harness/search/expression.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Expressions come from files that programs write too: everything is bounded. */
#define MAX_TEXT 4096
#define MAX_NESTING 64
#define MAX_STACK 512

enum opcode {
    OP_CONSTANT, /* push operand */
    OP_VARIABLE, /* push variables[operand] */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER,
    OP_EQUAL,
    OP_DIFFERENT,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_NEGATE,
    OP_NOT,
    OP_TRUTH,     /* top = top != 0 */
    OP_AND_SKIP,  /* top is 0: jump and keep it; else pop */
    OP_OR_SKIP,   /* top is not 0: top = 1 and jump; else pop */
    OP_JUMP_ZERO, /* pop; jump when it was 0 */
    OP_JUMP,
};

struct instruction {
    enum opcode opcode;
    int64_t operand; /* constant, variable or target of the jump */
};

struct bp_expression {
    char *text;
    size_t length;
    struct instruction *code; /* never more instructions than bytes of text */
};

struct parser {
    struct bp_expression *expression;
    bp_expression_resolve resolve;
    const void *context;
    const char *at;
    unsigned nesting;
    unsigned depth; /* of the evaluation stack after the code so far */
    struct bp_error *err;
};

static int fail_at(struct parser *parser, const char *where, const char *fmt, ...) BP_PRINTF(3, 4);

static int fail_at(struct parser *parser, const char *where, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return bp_fail(parser->err, BP_ERR_USAGE, "column %td: %s",
                   where - parser->expression->text + 1, text);
}

static int fail_expected(struct parser *parser, const char *expected)
{
    const char *at = parser->at;
    if (!*at)
        return fail_at(parser, at, "expected %s, found the end", expected);
    if (!isprint((unsigned char)*at))
        return fail_at(parser, at, "expected %s, found byte 0x%02x", expected, (unsigned char)*at);
    return fail_at(parser, at, "expected %s, found '%c'", expected, *at);
}

static void skip_space(struct parser *parser)
{
    while (*parser->at == ' ')
        parser->at++;
}

static size_t emit(struct parser *parser, enum opcode opcode, int64_t operand)
{
    struct bp_expression *expression = parser->expression;
    expression->code[expression->length] = (struct instruction){opcode, operand};
    return expression->length++;
}

static int emit_push(struct parser *parser, enum opcode opcode, int64_t operand)
{
    if (++parser->depth > MAX_STACK)
        return fail_at(parser, parser->at, "the expression is nested too deeply");
    emit(parser, opcode, operand);
    return 0;
}

static void jump_here(struct parser *parser, size_t instruction)
{
    parser->expression->code[instruction].operand = (int64_t)parser->expression->length;
}

static int enter(struct parser *parser)
{
    if (++parser->nesting > MAX_NESTING)
        return fail_at(parser, parser->at, "nested more than %d deep", MAX_NESTING);
    return 0;
}

static int parse_ternary(struct parser *parser);

static int parse_number(struct parser *parser)
{
    const char *start = parser->at;
    int64_t value = 0;
    for (; isdigit((unsigned char)*parser->at); parser->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *parser->at - '0', &value))
            return fail_at(parser, start, "the number does not fit 64 bits");
    /* C would read 010 as 8 and 0x10 as 16: neither is what everyone reads. */
    bool octal = *start == '0' && parser->at - start > 1;
    if (octal || isalpha((unsigned char)*parser->at) || *parser->at == '_' || *parser->at == '.')
        return fail_at(parser, start, "expected a decimal integer without leading zeros");
    return emit_push(parser, OP_CONSTANT, value);
}

static int parse_name(struct parser *parser)
{
    const char *start = parser->at;
    while (isalnum((unsigned char)*parser->at) || *parser->at == '_')
        parser->at++;
    size_t length = (size_t)(parser->at - start);
    int variable = parser->resolve(parser->context, start, length);
    if (variable < 0)
        return fail_at(parser, start, "unknown name '%.*s'", length < 64 ? (int)length : 64, start);
    return emit_push(parser, OP_VARIABLE, variable);
}

static int parse_parentheses(struct parser *parser)
{
    parser->at++;
    if (enter(parser) < 0 || parse_ternary(parser) < 0)
        return -1;
    if (*parser->at != ')')
        return fail_expected(parser, "an operator or ')'");
    parser->at++;
    parser->nesting--;
    return 0;
}

static int parse_unary(struct parser *parser)
{
    skip_space(parser);
    char c = *parser->at;
    if (c == '(')
        return parse_parentheses(parser);
    if (isdigit((unsigned char)c))
        return parse_number(parser);
    if (isalpha((unsigned char)c) || c == '_')
        return parse_name(parser);
    if (c != '-' && c != '!')
        return fail_expected(parser, "a number, a name, '-', '!' or '('");
    parser->at++;
    if (enter(parser) < 0 || parse_unary(parser) < 0)
        return -1;
    parser->nesting--;
    emit(parser, c == '-' ? OP_NEGATE : OP_NOT, 0);
    return 0;
}

struct operator
{
    const char *text;
    int precedence; /* higher binds tighter; C's order */
    enum opcode opcode;
};

/* Longer texts first, so that "<=" is not read as "<". */
static const struct operator operators[] = {
    {"||", 1, OP_OR_SKIP},   {"&&", 2, OP_AND_SKIP},   {"==", 3, OP_EQUAL},
    {"!=", 3, OP_DIFFERENT}, {"<=", 4, OP_LESS_EQUAL}, {">=", 4, OP_GREATER_EQUAL},
    {"<", 4, OP_LESS},       {">", 4, OP_GREATER},     {"+", 5, OP_ADD},
    {"-", 5, OP_SUBTRACT},   {"*", 6, OP_MULTIPLY},    {"/", 6, OP_DIVIDE},
    {"%", 6, OP_REMAINDER},
};

static const struct operator* operator_here(struct parser *parser)
{
    skip_space(parser);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (strncmp(parser->at, operators[i].text, strlen(operators[i].text)) == 0)
            return &operators[i];
    return NULL;
}

static int parse_binary(struct parser *parser, int lowest)
{
    if (parse_unary(parser) < 0)
        return -1;
    const struct operator* operator;
    while ((operator= operator_here(parser)) && operator->precedence >= lowest) {
        parser->at += strlen(operator->text);
        bool skips = operator->opcode == OP_AND_SKIP || operator->opcode == OP_OR_SKIP;
        size_t skip = skips ? emit(parser, operator->opcode, 0) : 0;
        parser->depth -= skips;
        if (parse_binary(parser, operator->precedence + 1) < 0)
            return -1;
        parser->depth -= !skips;
        emit(parser, skips ? OP_TRUTH : operator->opcode, 0);
        if (skips)
            jump_here(parser, skip);
    }
    return 0;
}

static int parse_branch(struct parser *parser)
{
    if (enter(parser) < 0 || parse_ternary(parser) < 0)
        return -1;
    parser->nesting--;
    return 0;
}

static int parse_ternary(struct parser *parser)
{
    if (parse_binary(parser, 1) < 0)
        return -1;
    if (*parser->at != '?')
        return 0;
    parser->at++;
    size_t otherwise = emit(parser, OP_JUMP_ZERO, 0);
    parser->depth--;
    if (parse_branch(parser) < 0)
        return -1;
    if (*parser->at != ':')
        return fail_expected(parser, "an operator or ':'");
    parser->at++;
    size_t end = emit(parser, OP_JUMP, 0);
    parser->depth--;
    jump_here(parser, otherwise);
    if (parse_branch(parser) < 0)
        return -1;
    jump_here(parser, end);
    return 0;
}

static struct bp_expression *expression_new(const char *text)
{
    struct bp_expression *expression = calloc(1, sizeof *expression);
    if (!expression)
        return NULL;
    expression->text = strdup(text);
    expression->code = calloc(strlen(text) + 1, sizeof *expression->code);
    if (expression->text && expression->code) {
        for (char *c = expression->text; *c; c++)
            if (*c == '\t' || *c == '\n' || *c == '\r')
                *c = ' '; /* it is quoted in messages, which are one line */
        return expression;
    }
    bp_expression_free(expression);
    return NULL;
}

int bp_expression_parse(const char *text, bp_expression_resolve resolve, const void *context,
                        struct bp_expression **expression, struct bp_error *err)
{
    if (strlen(text) > MAX_TEXT)
        return bp_fail(err, BP_ERR_USAGE, "the expression is longer than %d bytes", MAX_TEXT);
    struct bp_expression *parsed = expression_new(text);
    if (!parsed)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an expression");
    struct parser parser = {.expression = parsed,
                            .resolve = resolve,
                            .context = context,
                            .at = parsed->text,
                            .err = err};
    int result = parse_ternary(&parser);
    if (result == 0 && *parser.at)
        result = fail_expected(&parser, "an operator or the end");
    if (result < 0) {
        bp_expression_free(parsed);
        return -1;
    }
    *expression = parsed;
    return 0;
}

void bp_expression_free(struct bp_expression *expression)
{
    if (!expression)
        return;
    free(expression->text);
    free(expression->code);
    free(expression);
}

const char *bp_expression_text(const struct bp_expression *expression)
{
    return expression->text;
}

bool bp_expression_uses(const struct bp_expression *expression, int variable)
{
    for (size_t i = 0; i < expression->length; i++)
        if (expression->code[i].opcode == OP_VARIABLE && expression->code[i].operand == variable)
            return true;
    return false;
}

/* False on overflow and on division by zero. */
static bool arithmetic(enum opcode opcode, int64_t a, int64_t b, int64_t *result)
{
    switch (opcode) {
    case OP_ADD:
        return !__builtin_add_overflow(a, b, result);
    case OP_SUBTRACT:
        return !__builtin_sub_overflow(a, b, result);
    case OP_MULTIPLY:
        return !__builtin_mul_overflow(a, b, result);
    default:
        break;
    }
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    *result = opcode == OP_DIVIDE ? a / b : a % b;
    return true;
}

static int64_t compare(enum opcode opcode, int64_t a, int64_t b)
{
    switch (opcode) {
    case OP_EQUAL:
        return a == b;
    case OP_DIFFERENT:
        return a != b;
    case OP_LESS:
        return a < b;
    case OP_LESS_EQUAL:
        return a <= b;
    case OP_GREATER:
        return a > b;
    default:
        return a >= b;
    }
}

/* One instruction over the stack whose next free slot is *top; false when there is no value. */
static bool step(const struct instruction *instruction, const int64_t *variables, int64_t **top,
                 size_t *next)
{
    int64_t *stack = *top;
    int64_t operand = instruction->operand;
    switch (instruction->opcode) {
    case OP_CONSTANT:
    case OP_VARIABLE:
        stack[0] = instruction->opcode == OP_CONSTANT ? operand : variables[operand];
        *top = stack + 1;
        return true;
    case OP_ADD:
    case OP_SUBTRACT:
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_REMAINDER:
        *top = stack - 1;
        return arithmetic(instruction->opcode, stack[-2], stack[-1], &stack[-2]);
    case OP_NEGATE:
        return !__builtin_sub_overflow((int64_t)0, stack[-1], &stack[-1]);
    case OP_NOT:
    case OP_TRUTH:
        stack[-1] = (stack[-1] == 0) == (instruction->opcode == OP_NOT);
        return true;
    case OP_AND_SKIP:
    case OP_OR_SKIP:
        if ((stack[-1] != 0) == (instruction->opcode == OP_OR_SKIP)) {
            stack[-1] = stack[-1] != 0;
            *next = (size_t)operand;
        } else {
            *top = stack - 1;
        }
        return true;
    case OP_JUMP_ZERO:
        *top = stack - 1;
        if (stack[-1] == 0)
            *next = (size_t)operand;
        return true;
    case OP_JUMP:
        *next = (size_t)operand;
        return true;
    default:
        stack[-2] = compare(instruction->opcode, stack[-2], stack[-1]);
        *top = stack - 1;
        return true;
    }
}

int64_t bp_expression_evaluate(const struct bp_expression *expression, const int64_t *variables)
{
    int64_t stack[MAX_STACK];
    int64_t *top = stack;
    size_t next = 0;
    while (next < expression->length) {
        const struct instruction *instruction = &expression->code[next++];
        if (!step(instruction, variables, &top, &next))
            return 0;
    }
    return stack[0];
}
