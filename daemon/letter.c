/* What is wrong with a client's frame: see letter.h. */
#include "letter.h"

#include <errno.h>
#include <stdio.h>

/* What opens a session or asks for one answer needs an id; 0 is for the agent as a whole. */
static bool needs_id(enum msg_type type)
{
	return type == MSG_PING || type == MSG_TOUCH || type == MSG_EXEC_REQUEST ||
	       type == MSG_FS_REQUEST || type == MSG_TCP_CONNECT;
}

static int find_fault(struct letter_fault *fault, enum msg_refusal kind, const char *message)
{
	fault->kind = kind;
	snprintf(fault->message, sizeof(fault->message), "%s", message);
	return -EBADMSG;
}

int letter_open(struct letter *letter, const struct frame *frame, struct letter_fault *ret_fault)
{
	uint8_t expected;

	*letter = (struct letter){.frame = frame, .envelope.v = MSG_GENERATION};
	if (frame->flags & FRAME_BULK)
		return find_fault(ret_fault, MSG_REFUSAL_INVALID_FLAGS,
				  "bulk records are not supported");
	if (msg_open(frame, &letter->envelope) < 0)
		return find_fault(ret_fault, MSG_REFUSAL_MALFORMED_MESSAGE,
				  "the message is not a map of v, t and p");
	if (letter->envelope.type == MSG_UNKNOWN)
		return find_fault(ret_fault, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
				  "this agent does not know such a message");
	expected = msg_flags(letter->envelope.type);
	if (frame->flags != expected) {
		ret_fault->kind = MSG_REFUSAL_INVALID_FLAGS;
		snprintf(ret_fault->message, sizeof(ret_fault->message),
			 "invalid flags for %s: got %u, expected %u",
			 msg_name(letter->envelope.type), frame->flags, expected);
		return -EBADMSG;
	}
	return frame->id == 0 && needs_id(letter->envelope.type) ? -EPROTO : 0;
}

int letter_decode(const struct letter *letter, void *ret_struct, struct letter_fault *ret_fault)
{
	if (msg_decode(letter->envelope.type, letter->envelope.payload, ret_struct) == 0)
		return 0;
	ret_fault->kind = MSG_REFUSAL_INVALID_PAYLOAD;
	snprintf(ret_fault->message, sizeof(ret_fault->message),
		 "the payload of %s does not decode", msg_name(letter->envelope.type));
	return -EBADMSG;
}

int letter_decode_stream(const struct letter *letter, enum msg_stream *ret_stream,
			 struct letter_fault *ret_fault)
{
	struct msg_output_close close;
	int stream;

	if (letter_decode(letter, &close, ret_fault) < 0)
		return -EBADMSG;
	stream = msg_stream_parse(close.stream);
	if (stream < 0)
		return find_fault(ret_fault, MSG_REFUSAL_INVALID_PAYLOAD, "no such output stream");
	*ret_stream = (enum msg_stream)stream;
	return 0;
}

int letter_refuse(struct buf *out, const struct letter *letter, const struct letter_fault *fault,
		  bool live)
{
	if (letter->frame->id == 0)
		return 0;
	/* One that cannot decode core.error gets silence, unless it would wait for ever. */
	if (letter->envelope.v < MSG_GENERATION_ERR)
		return live || letter->envelope.type == MSG_EXEC_REQUEST ? -EPROTO : 0;
	/* Without room for it the connection is beyond help, and its queue says so. */
	msg_put_error(out, letter->frame->id, fault->kind, fault->message,
		      letter->envelope.type_name);
	return 0;
}

int letter_refuse_fs(struct buf *out, uint32_t id)
{
	/* Not core.error: the SDK takes that for the end of an empty file. */
	return msg_put_fs_refusal(out, id, "filesystem operations are not supported by this agent");
}

int letter_refuse_tcp(struct buf *out, uint32_t id)
{
	return msg_put_tcp_refusal(out, id, "TCP forwarding is not supported by this agent");
}
