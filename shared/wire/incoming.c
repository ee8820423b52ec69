/* What is wrong with a client's frame: see incoming.h. */
#include "incoming.h"

#include <errno.h>
#include <stdio.h>

/* What opens a session or asks for one answer needs an id; 0 is for the agent as a whole. */
static bool needs_id(enum msg_type type)
{
	return type == MSG_PING || type == MSG_TOUCH || msg_flags(type) & FRAME_SESSION_START;
}

int incoming_fault(struct incoming *in, enum msg_refusal fault, const char *why)
{
	in->fault = fault;
	snprintf(in->why, sizeof(in->why), "%s", why);
	return -EBADMSG;
}

int incoming_open(struct incoming *in, const struct frame *frame)
{
	enum msg_type type;

	*in = (struct incoming){.frame = frame, .envelope.v = MSG_GENERATION};
	if (frame->flags & FRAME_BULK)
		return incoming_fault(in, MSG_REFUSAL_INVALID_FLAGS,
				      "bulk records are not supported");
	if (msg_open(frame, &in->envelope) < 0)
		return incoming_fault(in, MSG_REFUSAL_MALFORMED_MESSAGE,
				      "the message is not a map of v, t and p");
	type = in->envelope.type;
	if (type == MSG_UNKNOWN)
		return incoming_fault(in, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
				      "this agent does not know such a message");
	if (frame->flags != msg_flags(type)) {
		in->fault = MSG_REFUSAL_INVALID_FLAGS;
		snprintf(in->why, sizeof(in->why), "invalid flags for %s: got %u, expected %u",
			 msg_name(type), frame->flags, msg_flags(type));
		return -EBADMSG;
	}
	return frame->id == 0 && needs_id(type) ? -EPROTO : 0;
}

int incoming_decode(struct incoming *in, void *ret_struct)
{
	enum msg_type type = in->envelope.type;

	if (msg_decode(type, in->envelope.payload, ret_struct) == 0)
		return 0;
	in->fault = MSG_REFUSAL_INVALID_PAYLOAD;
	snprintf(in->why, sizeof(in->why), "the payload of %s does not decode", msg_name(type));
	return -EBADMSG;
}

int incoming_decode_stream(struct incoming *in, enum msg_stream *ret_stream)
{
	struct msg_output_close close;
	int stream;

	if (incoming_decode(in, &close) < 0)
		return -EBADMSG;
	stream = msg_stream_parse(close.stream);
	if (stream < 0)
		return incoming_fault(in, MSG_REFUSAL_INVALID_PAYLOAD, "no such output stream");
	*ret_stream = (enum msg_stream)stream;
	return 0;
}

int incoming_refuse(struct buf *out, const struct incoming *in, bool live)
{
	if (in->frame->id == 0)
		return 0;
	/* One that cannot decode core.error gets silence, unless it would wait for ever. */
	if (in->envelope.v < MSG_GENERATION_ERR)
		return live || in->envelope.type == MSG_EXEC_REQUEST ? -EPROTO : 0;
	/* Without room for it the connection is beyond help, and its queue says so. */
	msg_put_error(out, in->frame->id, in->fault, in->why, in->envelope.type_name);
	return 0;
}

int incoming_refuse_fs(struct buf *out, uint32_t id)
{
	/* Not core.error: the SDK takes that for the end of an empty file. */
	return msg_put_fs_refusal(out, id, "filesystem operations are not supported by this agent");
}

int incoming_refuse_tcp(struct buf *out, uint32_t id)
{
	return msg_put_tcp_refusal(out, id, "TCP forwarding is not supported by this agent");
}
