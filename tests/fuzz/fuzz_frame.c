/* Any bytes as what a child writes to its pipe: the frames, in pieces of any size. */
#include <stdlib.h>
#include <string.h>

#include "evaluator/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes every whole frame; -1 when the stream can never become one. */
static int take_frames(struct bp_buffer *in)
{
    struct bp_error err;
    struct bp_frame frame;
    int got;
    while ((got = bp_frame_decode(in, &frame, &err)) == 1) {
        size_t before = in->size;
        if (frame.body.type != MSGPACK_OBJECT_MAP || frame.wire_bytes > before)
            abort();
        bp_frame_release(&frame, in);
        if (in->size != before - frame.wire_bytes)
            abort();
    }
    if (got < 0 && (err.code != BP_ERR_PROTOCOL || !err.msg[0] || strchr(err.msg, '\n')))
        abort(); /* a refusal is the child's fault, told in one line */
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bp_error err;
    struct bp_buffer in;
    if (size == 0)
        return 0;
    size_t piece = 1 + data[0]; /* how the pipe cuts it */
    bp_buffer_init(&in, 2 * (BP_FRAME_HEADER + BP_FRAME_MAX));
    for (size_t at = 1; at < size; at += piece) {
        size_t left = size - at;
        if (bp_buffer_add(&in, data + at, left < piece ? left : piece, &err) < 0 ||
            take_frames(&in) < 0)
            break;
    }
    bp_buffer_free(&in);
    return 0;
}
