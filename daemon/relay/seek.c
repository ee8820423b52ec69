/* Looking for a greeting: see seek.h. */
#include "seek.h"

#include <stdbool.h>
#include <string.h>

#define CBOR_MAP 5

int seek_open(const uint8_t *wire, size_t len, uint8_t copy[SEEK_FRAME_MAX],
	      struct msg_envelope *ret)
{
	struct frame frame = {.body = copy, .body_len = len - FRAME_HEADER_LEN};

	memcpy(copy, wire + FRAME_HEADER_LEN, frame.body_len);
	return msg_open(&frame, ret);
}

enum seek_found seek_look(const uint8_t *wire, size_t len)
{
	uint8_t copy[SEEK_FRAME_MAX];
	struct msg_envelope envelope;
	struct msg_ready ready;
	bool is_pong;

	if (len <= FRAME_HEADER_LEN || len > sizeof(copy))
		return SEEK_NOTHING;
	is_pong = frame_u32(wire + 4) == SEEK_PONG_ID && wire[8] == FRAME_TERMINAL;
	if (!is_pong && (frame_u32(wire + 4) || wire[8]))
		return SEEK_NOTHING;
	if (seek_open(wire, len, copy, &envelope) < 0)
		return SEEK_NOTHING;
	if (is_pong)
		return envelope.type == MSG_PONG ? SEEK_PONG : SEEK_NOTHING;
	if (envelope.type == MSG_INIT_RESOLVED)
		return msg_check(envelope.payload) == 0 ? SEEK_RESOLVED : SEEK_NOTHING;
	if (envelope.type != MSG_READY || msg_decode(MSG_READY, envelope.payload, &ready) < 0)
		return SEEK_NOTHING;
	return SEEK_READY;
}

uint8_t seek_generation(const uint8_t *wire)
{
	size_t len = FRAME_PREFIX_LEN + (size_t)frame_u32(wire);
	uint8_t copy[SEEK_FRAME_MAX];
	struct msg_envelope envelope;

	return len <= sizeof(copy) && seek_open(wire, len, copy, &envelope) == 0 ? envelope.v : 0;
}

/* Whether bytes, as far as they go, have that id and those flags behind some length. */
static bool has_head(const uint8_t *data, size_t len, uint32_t id, uint8_t flags)
{
	uint8_t head[FRAME_HEADER_LEN - FRAME_PREFIX_LEN];

	if (len <= FRAME_PREFIX_LEN)
		return true;
	frame_put_u32(head, id);
	head[4] = flags;
	len -= FRAME_PREFIX_LEN;
	return memcmp(data + FRAME_PREFIX_LEN, head, len < sizeof(head) ? len : sizeof(head)) == 0;
}

/* Whether bytes can be the beginning of a greeting, as far as they go; its length if known. */
static bool may_begin(const uint8_t *data, size_t len, size_t *ret_len)
{
	*ret_len = 0;
	/* The length's upper half is zero; then come the id and the flags, and a map begins. */
	for (size_t i = 0; i < len && i < 2; i++)
		if (data[i])
			return false;
	if (!has_head(data, len, 0, 0) && !has_head(data, len, SEEK_PONG_ID, FRAME_TERMINAL))
		return false;
	if (len > FRAME_HEADER_LEN && data[FRAME_HEADER_LEN] >> 5 != CBOR_MAP)
		return false;
	if (len < FRAME_PREFIX_LEN)
		return true;
	*ret_len = FRAME_PREFIX_LEN + (size_t)frame_u32(data);
	return *ret_len > FRAME_HEADER_LEN && *ret_len <= SEEK_FRAME_MAX;
}

enum seek_found seek_greeting(const uint8_t *data, size_t len, size_t *ret_at, size_t *ret_len)
{
	size_t keep = len;

	for (size_t at = 0; at < len; at++) {
		enum seek_found found;
		size_t frame_len;

		if (data[at] || !may_begin(data + at, len - at, &frame_len))
			continue;
		if (!frame_len || frame_len > len - at) {
			/* It could be one. What follows can still be, if this turns out not to. */
			if (keep == len)
				keep = at;
			continue;
		}
		found = seek_look(data + at, frame_len);
		if (found != SEEK_NOTHING) {
			*ret_at = at;
			*ret_len = frame_len;
			return found;
		}
	}
	*ret_at = keep;
	return SEEK_NOTHING;
}
