/* What is wrong with a client's frame: see incoming.h. */
#include "incoming.h"

#include <errno.h>
#include <stdio.h>

/* What opens a session or asks for one answer needs an id; 0 is for the agent as a whole. */
static bool needs_id(enum msg_type type)
{
	return type == MSG_PING || type == MSG_TOUCH || type == MSG_EXEC_REQUEST ||
	       type == MSG_FS_REQUEST || type == MSG_TCP_CONNECT;
}

static int find_fault(struct incoming_fault *fault, enum msg_refusal kind, const char *message)
{
	fault->kind = kind;
	snprintf(fault->message, sizeof(fault->message), "%s", message);
	return -EBADMSG;
}

int incoming_open(struct incoming *incoming, const struct frame *frame,
		  struct incoming_fault *ret_fault)
{
	uint8_t expected;

	*incoming = (struct incoming){.frame = frame, .envelope.v = MSG_GENERATION};
	if (frame->flags & FRAME_BULK)
		return find_fault(ret_fault, MSG_REFUSAL_INVALID_FLAGS,
				  "bulk records are not supported");
	if (msg_open(frame, &incoming->envelope) < 0)
		return find_fault(ret_fault, MSG_REFUSAL_MALFORMED_MESSAGE,
				  "the message is not a map of v, t and p");
	if (incoming->envelope.type == MSG_UNKNOWN)
		return find_fault(ret_fault, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
				  "this agent does not know such a message");
	expected = msg_flags(incoming->envelope.type);
	if (frame->flags != expected) {
		ret_fault->kind = MSG_REFUSAL_INVALID_FLAGS;
		snprintf(ret_fault->message, sizeof(ret_fault->message),
			 "invalid flags for %s: got %u, expected %u",
			 msg_name(incoming->envelope.type), frame->flags, expected);
		return -EBADMSG;
	}
	return frame->id == 0 && needs_id(incoming->envelope.type) ? -EPROTO : 0;
}

int incoming_decode(const struct incoming *incoming, void *ret_struct,
		    struct incoming_fault *ret_fault)
{
	if (msg_decode(incoming->envelope.type, incoming->envelope.payload, ret_struct) == 0)
		return 0;
	ret_fault->kind = MSG_REFUSAL_INVALID_PAYLOAD;
	snprintf(ret_fault->message, sizeof(ret_fault->message),
		 "the payload of %s does not decode", msg_name(incoming->envelope.type));
	return -EBADMSG;
}

int incoming_decode_stream(const struct incoming *incoming, enum msg_stream *ret_stream,
			   struct incoming_fault *ret_fault)
{
	struct msg_output_close close;
	int stream;

	if (incoming_decode(incoming, &close, ret_fault) < 0)
		return -EBADMSG;
	stream = msg_stream_parse(close.stream);
	if (stream < 0)
		return find_fault(ret_fault, MSG_REFUSAL_INVALID_PAYLOAD, "no such output stream");
	*ret_stream = (enum msg_stream)stream;
	return 0;
}

int incoming_refuse(struct buf *out, const struct incoming *incoming,
		    const struct incoming_fault *fault, bool live)
{
	if (incoming->frame->id == 0)
		return 0;
	/* One that cannot decode core.error gets silence, unless it would wait for ever. */
	if (incoming->envelope.v < MSG_GENERATION_ERR)
		return live || incoming->envelope.type == MSG_EXEC_REQUEST ? -EPROTO : 0;
	/* Without room for it the connection is beyond help, and its queue says so. */
	msg_put_error(out, incoming->frame->id, fault->kind, fault->message,
		      incoming->envelope.type_name);
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
