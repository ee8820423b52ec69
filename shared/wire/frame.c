/* The frames of the wire: see frame.h. */
#include "frame.h"

#include <errno.h>
#include <string.h>

#define MARK_HEAD (FRAME_MARK_LEN - FRAME_PREFIX_LEN) /* a length that is none: what follows it */

uint32_t frame_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void frame_put_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

void frame_put_header(uint8_t *at, uint32_t id, uint8_t flags, size_t body_len)
{
	frame_put_u32(at, (uint32_t)(FRAME_LEN_MIN + body_len));
	frame_put_u32(at + 4, id);
	at[8] = flags;
}

int frame_next(const struct buf *queue, struct frame *ret_frame, size_t *ret_missing)
{
	size_t have = buf_len(queue);
	uint8_t *at = buf_head(queue);
	uint32_t len;

	if (have < FRAME_PREFIX_LEN) {
		*ret_missing = FRAME_PREFIX_LEN - have;
		return 0;
	}
	len = frame_u32(at);
	if (len > FRAME_LEN_MAX)
		return -EMSGSIZE;
	if (len < FRAME_LEN_MIN)
		return -EBADMSG;
	if (have < FRAME_PREFIX_LEN + (size_t)len) {
		*ret_missing = FRAME_PREFIX_LEN + (size_t)len - have;
		return 0;
	}
	*ret_frame = (struct frame){
		.id = frame_u32(at + 4),
		.flags = at[8],
		.body = at + FRAME_HEADER_LEN,
		.body_len = len - FRAME_LEN_MIN,
		.wire_len = FRAME_PREFIX_LEN + (size_t)len,
	};
	return 1;
}

void frame_put_mark(uint8_t at[FRAME_MARK_LEN], uint32_t mark)
{
	frame_put_u32(at, MARK_HEAD);
	frame_put_u32(at + FRAME_PREFIX_LEN, mark);
}

int frame_is_mark(const struct buf *queue)
{
	size_t have = buf_len(queue);

	if (have < FRAME_PREFIX_LEN || frame_u32(buf_head(queue)) != MARK_HEAD)
		return 0;
	return have < FRAME_MARK_LEN ? -EAGAIN : 1;
}

int frame_next_marked(const struct buf *queue, uint32_t mark, struct frame *ret_frame,
		      size_t *ret_missing)
{
	uint8_t want[FRAME_MARK_LEN];
	size_t have, behind;
	struct frame frame;
	int r = frame_next(queue, &frame, ret_missing);

	if (r <= 0)
		return r;
	if (mark && frame.id) {
		behind = buf_len(queue) - frame.wire_len;
		have = behind < sizeof(want) ? behind : sizeof(want);
		frame_put_mark(want, mark);
		if (memcmp(buf_head(queue) + frame.wire_len, want, have) != 0)
			return -EILSEQ;
		if (have < sizeof(want)) {
			*ret_missing = sizeof(want) - have;
			return 0;
		}
		frame.mark_len = sizeof(want);
	}
	*ret_frame = frame;
	return 1;
}
