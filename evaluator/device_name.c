#include "evaluator/device_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum suffix { NO_SUFFIX, INDEX, ARCHITECTURE /* and perhaps an index */ };

static const struct {
    const char *name;
    enum suffix suffix;
    enum bp_device_class device_class;
    const char *target;
} kinds[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_CPU] = {"cpu", NO_SUFFIX, BP_DEVICE_CLASS_CPU, "cpu"},
    [BP_DEVICE_KIND_HIP] = {"hip", INDEX, BP_DEVICE_CLASS_GPU, "amd"},
    [BP_DEVICE_KIND_CUDA] = {"cuda", INDEX, BP_DEVICE_CLASS_GPU, "nvidia"},
    [BP_DEVICE_KIND_EMULATED] = {"emu", ARCHITECTURE, BP_DEVICE_CLASS_EMULATED, "amd"},
};

const char *bp_device_kind_name(enum bp_device_kind kind)
{
    return kinds[kind].name;
}

enum bp_device_class bp_device_kind_class(enum bp_device_kind kind)
{
    return kinds[kind].device_class;
}

const char *bp_device_kind_target(enum bp_device_kind kind)
{
    return kinds[kind].target;
}

static bool parse_index(const char *text, uint32_t *index)
{
    size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 3 || text[digits])
        return false;
    *index = (uint32_t)strtoul(text, NULL, 10);
    return true;
}

static bool parse_architecture(const char *text, struct bp_device_name *name)
{
    if (strncmp(text, "gfx", 3) != 0)
        return false;
    size_t length = 3 + strspn(text + 3, "0123456789abcdef");
    if (length < 6 || length >= BP_DEVICE_ARCH)
        return false;
    if (text[length] && (text[length] != ':' || !parse_index(text + length + 1, &name->index)))
        return false;
    memcpy(name->arch, text, length);
    return true;
}

static bool parse_suffix(const char *rest, struct bp_device_name *name)
{
    enum suffix suffix = kinds[name->kind].suffix;
    if (suffix == NO_SUFFIX)
        return *rest == '\0';
    if (*rest++ != ':')
        return false;
    return suffix == INDEX ? parse_index(rest, &name->index) : parse_architecture(rest, name);
}

int bp_device_name_parse(const char *text, struct bp_device_name *name, struct bp_error *err)
{
    for (int kind = 0; kind < BP_DEVICE_KIND_COUNT; kind++) {
        struct bp_device_name parsed = {.kind = (enum bp_device_kind)kind};
        size_t length = strlen(kinds[kind].name);
        if (strncmp(text, kinds[kind].name, length) != 0 || !parse_suffix(text + length, &parsed))
            continue;
        *name = parsed;
        return 0;
    }
    return bp_fail(err, BP_ERR_USAGE,
                   "no device is named '%.60s' (valid: auto, cpu, hip:N, cuda:N, emu:ARCH such as "
                   "emu:gfx1030, emu:ARCH:N)",
                   text);
}
