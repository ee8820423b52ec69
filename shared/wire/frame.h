/*
 * The frames of the wire: a big-endian length, a correlation id, a byte of flags, a body.
 * Pure: no system call, no memory.
 */
#ifndef MSB_FRAME_H
#define MSB_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"

#define FRAME_PREFIX_LEN 4	 /* the length itself */
#define FRAME_HEADER_LEN 9	 /* the length, the id, the flags */
#define FRAME_LEN_MIN	 5	 /* what the length counts: id, flags and body */
#define FRAME_LEN_MAX	 4194304 /* the same, at most */
#define FRAME_WIRE_MAX	 (FRAME_PREFIX_LEN + FRAME_LEN_MAX)

/*
 * What may stand behind each frame with an id but 0 on a stream that has no beginnings and ends, such as a serial
 * port: who finds something else there has a frame before it that somebody broke off, and that another one's first
 * words have filled. To who has not asked for it, it is a frame that is too short.
 */
#define FRAME_MARK_LEN 8

#define FRAME_TERMINAL	    0x01 /* the last frame of its id */
#define FRAME_SESSION_START 0x02
#define FRAME_SHUTDOWN	    0x04
#define FRAME_BULK	    0x08 /* the body is no CBOR; generation 8, not ours */

struct frame {
	uint32_t id;
	uint8_t flags;
	uint8_t *body; /* inside the queue, until it changes */
	size_t body_len;
	size_t wire_len; /* what to consume when done with it, */
	size_t mark_len; /* and behind that */
};

uint32_t frame_u32(const uint8_t *at);
void frame_put_u32(uint8_t *at, uint32_t value);
void frame_put_header(uint8_t *at, uint32_t id, uint8_t flags, size_t body_len);

/*
 * Looks at the head of the queue. Returns 1 and the frame when it is whole; 0 when bytes are
 * missing, with *ret_missing of them at least; -EMSGSIZE or -EBADMSG when the length is over
 * or under what the wire allows: framing is lost and the connection is of no more use.
 */
int frame_next(const struct buf *queue, struct frame *ret_frame, size_t *ret_missing);

/*
 * The same where frames have that mark behind them; 0: none has. -EILSEQ: another one is there, or something else.
 */
int frame_next_marked(const struct buf *queue, uint32_t mark, struct frame *ret_frame,
		      size_t *ret_missing);

void frame_put_mark(uint8_t at[FRAME_MARK_LEN], uint32_t mark);

/* Whether the queue begins with any mark: 1, 0, or -EAGAIN if it may but is not all there. */
int frame_is_mark(const struct buf *queue);

#endif
