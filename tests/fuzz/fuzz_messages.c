/*
 * The frames of a stream, their envelopes and payloads, as both sides read them. The first byte
 * says how the rest is meant: 0 as a stream of frames, else as the payload of that type.
 */
#include "fuzz.h"

#include "shared/wire/utf8.h"

static void check_text(struct msg_text text)
{
	if (text.ptr)
		CLAIM(utf8_valid(text.ptr, text.len));
}

static void check_request(struct msg_exec_request *request)
{
	struct msg_rlimit limit;
	struct msg_text text;
	size_t count = 0;

	check_text(request->cmd);
	check_text(request->cwd);
	check_text(request->user);
	check_text(request->on_disconnect);
	for (size_t args = request->args.count; msg_next_text(&request->args, &text); count++) {
		CLAIM(count < args);
		check_text(text);
	}
	while (msg_next_text(&request->env, &text))
		check_text(text);
	while (msg_next_rlimit(&request->rlimits, &limit) > 0)
		check_text(limit.resource);
}

static void decode(enum msg_type type, struct msg_bytes payload)
{
	union fuzz_any any;
	uint64_t sum = 0;

	if (msg_decode(type, payload, &any) < 0)
		return;
	switch (type) {
	case MSG_EXEC_REQUEST:
		check_request(&any.request);
		break;
	case MSG_READY:
		check_text(any.ready.agent_version);
		break;
	case MSG_EXEC_STDIN:
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		/* Every byte of it is ours to read. */
		for (size_t i = 0; i < any.data.data.len; i++)
			sum += any.data.data.ptr[i];
		CLAIM(sum <= any.data.data.len * 255);
		break;
	case MSG_EXEC_FAILED:
		check_text(any.failed.message);
		check_text(any.failed.stage);
		msg_failure_parse(any.failed.kind);
		break;
	case MSG_ERROR:
		check_text(any.error.kind);
		check_text(any.error.message);
		check_text(any.error.offending_type);
		break;
	default:
		break;
	}
}

static void walk(struct buf *queue)
{
	struct msg_envelope envelope;
	struct frame frame;
	size_t missing, len, head_len;

	for (;;) {
		head_len = msg_peek_data(queue, 1, MSG_EXEC_STDIN, &len);
		CLAIM(head_len <= buf_len(queue));
		if (frame_next(queue, &frame, &missing) <= 0)
			return;
		CLAIM(frame.wire_len <= buf_len(queue));
		if (msg_open(&frame, &envelope) == 0) {
			check_text(envelope.type_name);
			decode(envelope.type, envelope.payload);
		}
		buf_consume(queue, frame.wire_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf queue;
	uint8_t *copy;

	if (!len)
		return 0;
	if (data[0]) {
		copy = fuzz_copy(data + 1, len - 1);
		decode(data[0] % MSG_TYPE_COUNT, (struct msg_bytes){copy, len - 1});
		free(copy);
		return 0;
	}
	buf_init(&queue, FRAME_WIRE_MAX, NULL);
	CLAIM(buf_append(&queue, data + 1, len - 1) == 0);
	walk(&queue);
	buf_release(&queue);
	return 0;
}
