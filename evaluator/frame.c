#include "evaluator/frame.h"

#include <string.h>

#include "base/weaken.h"

static void put_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint64_t get_be(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

int bp_frame_encode(uint32_t sequence, uint32_t type, uint64_t nonce, const void *body,
                    size_t body_size, struct bp_buffer *out, struct bp_error *err)
{
    msgpack_sbuffer head;
    msgpack_packer packer;
    msgpack_sbuffer_init(&head);
    msgpack_packer_init(&packer, &head, msgpack_sbuffer_write);
    int failed = msgpack_pack_array(&packer, 4) || msgpack_pack_uint32(&packer, sequence) ||
                 msgpack_pack_uint32(&packer, type) || msgpack_pack_uint64(&packer, nonce);
    size_t payload = head.size + body_size;
    uint8_t length[BP_FRAME_HEADER];
    int result = -1;
    if (failed)
        bp_fail(err, BP_ERR_MEMORY, "no memory for a frame");
    else if (payload > BP_FRAME_MAX)
        bp_fail(err, BP_ERR_LIMIT, "a frame of %zu bytes is over the limit of %u", payload,
                BP_FRAME_MAX);
    else {
        put_be32(length, (uint32_t)payload);
        result = bp_buffer_add(out, length, sizeof length, err);
        if (result == 0)
            result = bp_buffer_add(out, head.data, head.size, err);
        if (result == 0)
            result = bp_buffer_add(out, body, body_size, err);
    }
    msgpack_sbuffer_destroy(&head);
    return result;
}

/* How a msgpack head byte continues: `extra` bytes of big-endian count, then a body. */
enum scan_kind { SCAN_SCALAR, SCAN_BYTES, SCAN_ARRAY, SCAN_MAP };

struct scan_head {
    enum scan_kind kind;
    unsigned extra; /* bytes of the count that follows the head byte */
    uint64_t inline_count;
    unsigned prefix; /* bytes between count and body (the type byte of ext) */
};

static const struct scan_head scan_heads_c0[32] = {
    [0x00] = {SCAN_SCALAR, 0, 0, 0}, /* c0 nil */
    [0x01] = {SCAN_SCALAR, 9, 0, 0}, /* c1 never used: asks for more than can be */
    [0x02] = {SCAN_SCALAR, 0, 0, 0}, [0x03] = {SCAN_SCALAR, 0, 0, 0}, /* false, true */
    [0x04] = {SCAN_BYTES, 1, 0, 0},  [0x05] = {SCAN_BYTES, 2, 0, 0},  /* bin 8, 16 */
    [0x06] = {SCAN_BYTES, 4, 0, 0},                                   /* bin 32 */
    [0x07] = {SCAN_BYTES, 1, 0, 1},  [0x08] = {SCAN_BYTES, 2, 0, 1},  /* ext 8, 16 */
    [0x09] = {SCAN_BYTES, 4, 0, 1},                                   /* ext 32 */
    [0x0a] = {SCAN_BYTES, 0, 4, 0},  [0x0b] = {SCAN_BYTES, 0, 8, 0},  /* float 32, 64 */
    [0x0c] = {SCAN_BYTES, 0, 1, 0},  [0x0d] = {SCAN_BYTES, 0, 2, 0},  /* uint 8, 16 */
    [0x0e] = {SCAN_BYTES, 0, 4, 0},  [0x0f] = {SCAN_BYTES, 0, 8, 0},  /* uint 32, 64 */
    [0x10] = {SCAN_BYTES, 0, 1, 0},  [0x11] = {SCAN_BYTES, 0, 2, 0},  /* int 8, 16 */
    [0x12] = {SCAN_BYTES, 0, 4, 0},  [0x13] = {SCAN_BYTES, 0, 8, 0},  /* int 32, 64 */
    [0x14] = {SCAN_BYTES, 0, 1, 1},  [0x15] = {SCAN_BYTES, 0, 2, 1},  /* fixext 1, 2 */
    [0x16] = {SCAN_BYTES, 0, 4, 1},  [0x17] = {SCAN_BYTES, 0, 8, 1},  /* fixext 4, 8 */
    [0x18] = {SCAN_BYTES, 0, 16, 1},                                  /* fixext 16 */
    [0x19] = {SCAN_BYTES, 1, 0, 0},  [0x1a] = {SCAN_BYTES, 2, 0, 0},  /* str 8, 16 */
    [0x1b] = {SCAN_BYTES, 4, 0, 0},                                   /* str 32 */
    [0x1c] = {SCAN_ARRAY, 2, 0, 0},  [0x1d] = {SCAN_ARRAY, 4, 0, 0},  /* array 16, 32 */
    [0x1e] = {SCAN_MAP, 2, 0, 0},    [0x1f] = {SCAN_MAP, 4, 0, 0},    /* map 16, 32 */
};

static struct scan_head head_of(uint8_t byte)
{
    if (byte < 0x80 || byte >= 0xe0)
        return (struct scan_head){SCAN_SCALAR, 0, 0, 0};
    if (byte < 0x90)
        return (struct scan_head){SCAN_MAP, 0, byte & 0x0fu, 0};
    if (byte < 0xa0)
        return (struct scan_head){SCAN_ARRAY, 0, byte & 0x0fu, 0};
    if (byte < 0xc0)
        return (struct scan_head){SCAN_BYTES, 0, byte & 0x1fu, 0};
    return scan_heads_c0[byte - 0xc0];
}

int bp_frame_scan(const void *payload, size_t size, struct bp_error *err)
{
    const uint8_t *at = payload, *end = at + size;
    uint64_t left[BP_FRAME_DEPTH + 1] = {1}; /* objects still expected at each depth */
    unsigned depth = 0;

    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return at == end ? 0
                                 : bp_fail(err, BP_ERR_PROTOCOL, "%zu bytes after the message",
                                           (size_t)(end - at));
            depth--;
        }
        left[depth]--;
        if (at == end)
            return bp_fail(err, BP_ERR_PROTOCOL, "the message ends early");
        struct scan_head head = head_of(*at++);
        if (head.extra > (size_t)(end - at))
            return bp_fail(err, BP_ERR_PROTOCOL, "the message ends early or has an unused type");
        uint64_t count = head.extra ? get_be(at, head.extra) : head.inline_count;
        at += head.extra;
        uint64_t room = (uint64_t)(end - at);
        if (head.kind == SCAN_BYTES) {
            if (count + head.prefix > room)
                return bp_fail(err, BP_ERR_PROTOCOL, "a text or blob is longer than the message");
            at += count + head.prefix;
        } else if (head.kind != SCAN_SCALAR) {
            uint64_t objects = head.kind == SCAN_MAP ? 2 * count : count;
            if (objects > room) /* every object takes at least one byte */
                return bp_fail(err, BP_ERR_PROTOCOL, "a list is longer than the message");
            if (depth == BP_FRAME_DEPTH)
                return bp_fail(err, BP_ERR_PROTOCOL, "nested deeper than %d", BP_FRAME_DEPTH);
            left[++depth] = objects;
        }
    }
}

static int parse_payload(const char *payload, size_t size, struct bp_frame *frame,
                         struct bp_error *err)
{
    if (!bp_weakened(BP_DEFENCE_prescan) && bp_frame_scan(payload, size, err) < 0)
        return -1;
    msgpack_unpacked_init(&frame->storage);
    size_t offset = 0;
    if (msgpack_unpack_next(&frame->storage, payload, size, &offset) != MSGPACK_UNPACK_SUCCESS) {
        msgpack_unpacked_destroy(&frame->storage);
        return bp_fail(err, BP_ERR_PROTOCOL, "not msgpack");
    }
    const msgpack_object *root = &frame->storage.data;
    const msgpack_object *item = root->via.array.ptr;
    if (root->type != MSGPACK_OBJECT_ARRAY || root->via.array.size != 4 ||
        item[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || item[0].via.u64 > UINT32_MAX ||
        item[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER || item[1].via.u64 > UINT32_MAX ||
        item[2].type != MSGPACK_OBJECT_POSITIVE_INTEGER || item[3].type != MSGPACK_OBJECT_MAP) {
        msgpack_unpacked_destroy(&frame->storage);
        return bp_fail(err, BP_ERR_PROTOCOL, "not [sequence, type, nonce, body]");
    }
    frame->sequence = (uint32_t)item[0].via.u64;
    frame->type = (uint32_t)item[1].via.u64;
    frame->nonce = item[2].via.u64;
    frame->body = item[3];
    return 1;
}

int bp_frame_decode(struct bp_buffer *in, struct bp_frame *frame, struct bp_error *err)
{
    if (in->size < BP_FRAME_HEADER)
        return 0;
    uint64_t length = get_be((const uint8_t *)in->data, BP_FRAME_HEADER);
    if (length > BP_FRAME_MAX && !bp_weakened(BP_DEFENCE_frame_limit))
        return bp_fail(err, BP_ERR_PROTOCOL, "a frame of %llu bytes is over the limit of %u",
                       (unsigned long long)length, BP_FRAME_MAX);
    if (in->size - BP_FRAME_HEADER < length)
        return 0;
    int result = parse_payload(in->data + BP_FRAME_HEADER, length, frame, err);
    if (result == 1)
        frame->wire_bytes = BP_FRAME_HEADER + length;
    return result;
}

void bp_frame_release(struct bp_frame *frame, struct bp_buffer *in)
{
    msgpack_unpacked_destroy(&frame->storage);
    bp_buffer_consume(in, frame->wire_bytes);
}
