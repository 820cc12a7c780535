/* Any bytes as the body of a message whose type the first byte names. What decodes must come out of its
 * encoding again as it was. */
#include <stdlib.h>
#include <string.h>

#include "evaluator/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes the one frame in `in` into a new struct; null when it is refused. */
static void *decode(struct bp_buffer *in, enum bp_message_type type)
{
    struct bp_error err;
    struct bp_frame frame;
    if (bp_frame_decode(in, &frame, &err) != 1)
        return NULL;
    void *message = malloc(bp_message_size(type));
    if (!message)
        abort();
    int result = bp_message_decode(&frame, message, &err);
    bp_frame_release(&frame, in);
    if (result == 0)
        return message;
    if (err.code != BP_ERR_PROTOCOL || !err.msg[0] || strchr(err.msg, '\n'))
        abort();
    free(message);
    return NULL;
}

static void compare_again(const void *message, enum bp_message_type type)
{
    struct bp_error err;
    struct bp_buffer wire;
    bp_buffer_init(&wire, 1 << 20);
    if (bp_message_encode(type, message, 7, 9, &wire, &err) < 0)
        abort();
    void *again = decode(&wire, type);
    if (!again || memcmp(message, again, bp_message_size(type)) != 0)
        abort();
    free(again);
    bp_buffer_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bp_error err;
    struct bp_buffer wire;
    if (size == 0)
        return 0;
    enum bp_message_type type = (enum bp_message_type)(data[0] % BP_MESSAGE_COUNT);
    bp_buffer_init(&wire, BP_FRAME_HEADER + BP_FRAME_MAX);
    if (bp_frame_encode(7, type, 9, data + 1, size - 1, &wire, &err) == 0) {
        void *message = decode(&wire, type);
        if (message)
            compare_again(message, type);
        free(message);
    }
    bp_buffer_free(&wire);
    return 0;
}
