/* What an agent says first: see greeting.h. */
#include "greeting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/shown.h"

/* Of ASCII, whatever the locale. */
static bool is_printable(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* No range of ids begins like this, but words for people do. */
static bool is_text(const struct buf *in)
{
	for (size_t i = 0; i < 3 && i < buf_len(in); i++)
		if (!is_printable(buf_head(in)[i]) && !is_blank(buf_head(in)[i]))
			return false;
	return buf_len(in) > 0;
}

/* Two words and a ready frame; or, before 0.5, one word and the frame. */
static bool is_legacy(uint32_t first, uint32_t second)
{
	return second >= FRAME_LEN_MIN && second <= FRAME_LEN_MAX &&
	       (first == 0 || first >= second);
}

static int take_ready(const struct frame *frame, struct greeting *greeting,
		      struct msg_error *ret_refusal)
{
	struct msg_envelope envelope;
	struct msg_ready ready;

	if (msg_open(frame, &envelope) < 0)
		return -EPROTO;
	if (envelope.type == MSG_ERROR)
		return msg_decode(MSG_ERROR, envelope.payload, ret_refusal) < 0 ? -EPROTO
										: -ECONNREFUSED;
	if (envelope.type != MSG_READY || msg_decode(MSG_READY, envelope.payload, &ready) < 0)
		return -EPROTO;
	greeting->generation = !greeting->ids_end	     ? 1
			       : envelope.v > MSG_GENERATION ? MSG_GENERATION
							     : envelope.v;
	greeting->features = ready.features;
	if (!ready.agent_version.ptr)
		ready.agent_version = (struct msg_text){"unknown", strlen("unknown")};
	shown_put(greeting->version, sizeof(greeting->version), ready.agent_version.ptr,
		  ready.agent_version.len);
	return 0;
}

int greeting_take(struct buf *in, struct greeting *ret, struct msg_error *ret_refusal)
{
	struct greeting greeting;
	struct buf rest = *in;
	uint32_t first, second;
	struct frame frame;
	size_t missing;
	bool legacy;
	int r;

	if (buf_len(in) < 8)
		return 0;
	first = frame_u32(buf_head(in));
	second = frame_u32(buf_head(in) + 4);
	legacy = !is_text(in) && is_legacy(first, second);
	if (!legacy && (first >= second || second == first + 1))
		return -EPROTO;
	/* A look at the frame behind the words, which are consumed together with it. */
	rest.head += legacy ? 4 : 8;
	r = frame_next(&rest, &frame, &missing);
	if (r <= 0)
		return r;
	greeting.id = first ? first : 1;
	greeting.ids_end = legacy ? 0 : second;
	r = take_ready(&frame, &greeting, ret_refusal);
	if (r < 0)
		return r;
	*ret = greeting;
	buf_consume(in, (size_t)(frame.body - buf_head(in)) + frame.body_len);
	return 1;
}

bool greeting_quote(const struct buf *in, char *out, size_t len)
{
	const char *text = (const char *)buf_head(in), *end = text + buf_len(in);
	size_t n = 0, characters = 0;

	while (text < end && is_blank((unsigned char)*text))
		text++;
	if (text == end || !is_printable((unsigned char)*text))
		return false;
	/* A line of it, and no character's half. */
	while (text + n < end && n + 1 < len && text[n] && text[n] != '\n' && text[n] != '\r') {
		if (((unsigned char)text[n] & 0xc0) != 0x80 && ++characters > GREETING_QUOTE_MAX)
			break;
		n++;
	}
	shown_put(out, len, text, n);
	return true;
}
