/* frame.h: how messages travel on a pipe.
 *
 *   u32 length (big endian) | payload: msgpack array [sequence, type, nonce, body map]
 *
 * length counts the payload and is at most BP_FRAME_MAX. The payload is scanned for counts and
 * depth against the bytes present before msgpack-c sees it, because msgpack-c trusts a declared
 * count and reserves gigabytes for five bytes. Each direction counts its own sequence from 0; a
 * child echoes the nonce of the request it answers (0 before the first), which it cannot guess. */
#ifndef BP_EVALUATOR_FRAME_H
#define BP_EVALUATOR_FRAME_H

#include <msgpack.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define BP_FRAME_HEADER 4
#define BP_FRAME_MAX (256u << 10) /* bytes of payload; unpacked up to 24 times that */
#define BP_FRAME_DEPTH 8          /* nested arrays and maps */

struct bp_frame {
    uint32_t sequence;
    uint32_t type;
    uint64_t nonce;
    msgpack_object body;      /* a map; points into storage and into the buffer it came from */
    msgpack_unpacked storage; /* owned: release with bp_frame_release */
    size_t wire_bytes;
};

/* Appends one encoded frame to out; body is an already packed msgpack map. */
int bp_frame_encode(uint32_t sequence, uint32_t type, uint64_t nonce, const void *body,
                    size_t body_size, struct bp_buffer *out, struct bp_error *err) BP_MUST_CHECK;

/* Reads the first frame of in: 1 and *frame filled, 0 when more bytes are needed, -1
 * (BP_ERR_PROTOCOL) when the bytes can never become a frame. A frame that was returned borrows the
 * bytes of in until bp_frame_release, which frees it and consumes them. */
int bp_frame_decode(struct bp_buffer *in, struct bp_frame *frame, struct bp_error *err)
    BP_MUST_CHECK;
void bp_frame_release(struct bp_frame *frame, struct bp_buffer *in);

/* The scan alone: 0 when size bytes hold exactly one object whose every count and length fits in
 * the bytes that follow it and whose depth is at most BP_FRAME_DEPTH. */
int bp_frame_scan(const void *payload, size_t size, struct bp_error *err) BP_MUST_CHECK;

#endif
