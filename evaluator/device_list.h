/* device_list.h: "hip:0,hip:1": the devices that a run uses, its slots. Pure. */
#ifndef BP_EVALUATOR_DEVICE_LIST_H
#define BP_EVALUATOR_DEVICE_LIST_H

#include "evaluator/device_name.h"

#define BP_MAX_DEVICES 16
#define BP_DEVICE_LIST_TEXT 512 /* of a list, with its end */
#define BP_DEVICE_NAME_TEXT 64  /* of one name */

struct bp_device_list {
    uint32_t count; /* at least 1 */
    struct {
        struct bp_device_name parsed;
        char name[BP_DEVICE_NAME_TEXT]; /* as written */
    } devices[BP_MAX_DEVICES];
};

/* Names separated by commas, blanks beside them allowed. BP_ERR_USAGE: one is no name, one stands there
 * twice, or they are not of one kind and, where the name tells it, one architecture: results of different
 * devices cannot be compared. */
int bp_device_list_parse(const char *text, struct bp_device_list *list, struct bp_error *err)
    BP_MUST_CHECK;

#endif
