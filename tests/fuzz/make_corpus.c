/* Writes a first corpus for the targets frame and message: one well-formed message of each type, all
 * zeros and empty lists.
 *
 * usage: make_corpus FRAME_FOLDER MESSAGE_FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "evaluator/messages.h"

static int fail(const struct bp_error *err)
{
    fprintf(stderr, "make_corpus: %s\n", err->msg);
    return 1;
}

/* A target's input: one byte for the target, then the bytes it is about. */
static int write_input(const char *folder, enum bp_message_type type, char first, const char *data,
                       size_t size, struct bp_error *err)
{
    char path[4096];
    char *input = malloc(size + 1);
    if (!input)
        return bp_fail(err, BP_ERR_MEMORY, "no memory");
    input[0] = first;
    memcpy(input + 1, data, size);
    snprintf(path, sizeof path, "%s/%s", folder, bp_message_name(type));
    int result = bp_io_write_file_atomic(path, input, size + 1, err);
    free(input);
    return result;
}

/* Where the body begins behind [UINT32_MAX, a small type, UINT64_MAX. */
#define BODY_OFFSET (BP_FRAME_HEADER + 1 + 5 + 1 + 9)

static int write_both(const char *frames, const char *messages, enum bp_message_type type,
                      const struct bp_buffer *wire, struct bp_error *err)
{
    if (write_input(frames, type, (char)0x7f, wire->data, wire->size, err) < 0)
        return -1;
    return write_input(messages, type, (char)type, wire->data + BODY_OFFSET,
                       wire->size - BODY_OFFSET, err);
}

int main(int argc, char **argv)
{
    struct bp_error err;
    if (argc != 3) {
        fprintf(stderr, "usage: make_corpus FRAME_FOLDER MESSAGE_FOLDER\n");
        return 2;
    }
    for (int type = 0; type < BP_MESSAGE_COUNT; type++) {
        struct bp_buffer wire;
        void *message = calloc(1, bp_message_size((enum bp_message_type)type));
        bp_buffer_init(&wire, 1 << 20);
        if (!message ||
            bp_message_encode((enum bp_message_type)type, message, UINT32_MAX, UINT64_MAX, &wire,
                              &err) < 0 ||
            write_both(argv[1], argv[2], (enum bp_message_type)type, &wire, &err) < 0)
            return fail(&err);
        free(message);
        bp_buffer_free(&wire);
    }
    return 0;
}
