#include "evaluator/device_list.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

static int check_beside(const struct bp_device_list *list, const struct bp_device_name *name,
                        const char *text, struct bp_error *err)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct bp_device_name *other = &list->devices[i].parsed;
        bool same_kind = other->kind == name->kind && strcmp(other->arch, name->arch) == 0;
        if (!same_kind)
            return bp_fail(err, BP_ERR_USAGE,
                           "devices %s and %s in one run: what they measure could not be compared; "
                           "name devices of one kind and architecture",
                           list->devices[i].name, text);
        if (other->index == name->index)
            return bp_fail(err, BP_ERR_USAGE, "device %s is named twice", text);
    }
    return 0;
}

static int add(const char *from, size_t length, struct bp_device_list *list, struct bp_error *err)
{
    char text[BP_DEVICE_NAME_TEXT];
    struct bp_device_name name;
    snprintf(text, sizeof text, "%.*s", (int)length, from);
    if (strcmp(text, "auto") == 0)
        return bp_fail(err, BP_ERR_USAGE, "auto stands alone: it chooses one device");
    if (bp_device_name_parse(text, &name, err) < 0 || check_beside(list, &name, text, err) < 0)
        return -1;
    if (list->count == BP_MAX_DEVICES)
        return bp_fail(err, BP_ERR_USAGE, "more than %d devices", BP_MAX_DEVICES);
    list->devices[list->count].parsed = name;
    memcpy(list->devices[list->count++].name, text, sizeof text);
    return 0;
}

int bp_device_list_parse(const char *text, struct bp_device_list *list, struct bp_error *err)
{
    list->count = 0;
    for (;;) {
        text += strspn(text, BLANKS);
        size_t length = strcspn(text, ","), used = length;
        while (used > 0 && strchr(BLANKS, text[used - 1]))
            used--;
        if (add(text, used, list, err) < 0)
            return -1;
        if (!text[length])
            return 0;
        text += length + 1;
    }
}
