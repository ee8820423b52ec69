/* Looking for a greeting: see relay_seek.h. */
#include "relay_seek.h"

#include <string.h>

#define CBOR_MAP 5

enum seek_found seek_look(const uint8_t *wire, size_t len)
{
	uint8_t copy[SEEK_FRAME_MAX];
	struct frame frame = {.body = copy, .body_len = len - FRAME_HEADER_LEN};
	struct msg_envelope envelope;
	struct msg_ready ready;

	if (len <= FRAME_HEADER_LEN || len > sizeof(copy) || frame_u32(wire + 4) || wire[8])
		return SEEK_NOTHING;
	/* On a copy: decoding what is no message after all must not change what it really is. */
	memcpy(copy, wire + FRAME_HEADER_LEN, frame.body_len);
	if (msg_open(&frame, &envelope) < 0)
		return SEEK_NOTHING;
	if (envelope.type == MSG_INIT_RESOLVED)
		return msg_check(envelope.payload) == 0 ? SEEK_RESOLVED : SEEK_NOTHING;
	if (envelope.type != MSG_READY || msg_decode(MSG_READY, envelope.payload, &ready) < 0)
		return SEEK_NOTHING;
	return SEEK_READY;
}

/* Whether bytes can be the beginning of a greeting, as far as they go; its length if known. */
static bool may_begin(const uint8_t *data, size_t len, size_t *ret_len)
{
	*ret_len = 0;
	/* The length's upper half, the id and the flags are zero; then a map begins. */
	for (size_t i = 0; i < len && i < FRAME_HEADER_LEN; i++)
		if (data[i] && i != 2 && i != 3)
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
