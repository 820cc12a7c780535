#include "evaluator/compile_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    }
    return true;
}

static bool is_integer(const char *value)
{
    value += *value == '-';
    return *value && value[strspn(value, "0123456789")] == '\0';
}

int bp_compile_defines(const struct bp_msg_compile_request *request,
                       char texts[BP_MAX_DEFINES][BP_COMPILE_DEFINE_TEXT], const char **options,
                       size_t *count, struct bp_error *err)
{
    if (request->dtype >= BP_DTYPE_COUNT || request->define_count > BP_MAX_DEFINES)
        return bp_fail(err, BP_ERR_PROTOCOL, "compile request with a bad dtype or count");
    options[(*count)++] = bp_dtype_define((enum bp_dtype)request->dtype);
    for (uint32_t i = 0; i < request->define_count; i++) {
        const struct bp_define *define = &request->defines[i];
        if (!is_identifier(define->name) || !is_integer(define->value))
            return bp_fail(err, BP_ERR_PROTOCOL, "%s=%s is no knob definition", define->name,
                           define->value);
        snprintf(texts[i], BP_COMPILE_DEFINE_TEXT, "-D%s=%s", define->name, define->value);
        options[(*count)++] = texts[i];
    }
    return 0;
}

int bp_compile_deliver(const struct bp_msg_compile_request *request, const void *object,
                       size_t bytes, int object_fd, struct bp_msg_compile_result *result,
                       struct bp_error *err)
{
    if (bytes > request->object_max_bytes) {
        result->verdict = BP_VERDICT_COMPILE_LIMIT;
        snprintf(result->message, sizeof result->message, "object of %zu bytes, limit %llu", bytes,
                 (unsigned long long)request->object_max_bytes);
        return 0;
    }
    if (bp_io_write_full(object_fd, object, bytes, err) < 0)
        return -1;
    result->object_bytes = bytes;
    return 0;
}

void bp_compile_printed_too_much(struct bp_msg_compile_result *result)
{
    result->verdict = BP_VERDICT_COMPILE_LIMIT;
    snprintf(result->message, sizeof result->message, "the compiler printed more than %u bytes",
             BP_COMPILE_LOG_MAX);
}
