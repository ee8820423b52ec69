/*
 * The frames of a stream, their envelopes and payloads, as both sides read them. The first byte
 * says how the rest is meant: 0 as a stream of frames, else as the payload of that type.
 */
#include "fuzz.h"

#include "shared/utf8.h"

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
	check_text(request->name);
	for (size_t args = request->args.count; msg_next_text(&request->args, &text); count++) {
		CLAIM(count < args);
		check_text(text);
	}
	while (msg_next_text(&request->env, &text))
		check_text(text);
	while (msg_next_rlimit(&request->rlimits, &limit) > 0)
		check_text(limit.resource);
}

static void check_bytes(struct msg_bytes bytes)
{
	uint64_t sum = 0;

	/* Every byte of it is ours to read. */
	for (size_t i = 0; i < bytes.len; i++)
		sum += bytes.ptr[i];
	CLAIM(sum <= bytes.len * 255);
}

static void check_entry(struct msg_session_entry *entry)
{
	struct msg_text text;

	check_text(entry->session);
	check_text(entry->name);
	check_text(entry->user);
	for (size_t words = entry->command.count; msg_next_text(&entry->command, &text); words--) {
		CLAIM(words);
		check_text(text);
	}
}

/* What a session's message says, said again, is understood again. */
static void say_again(enum msg_type type, const union fuzz_any *any)
{
	struct msg_envelope envelope;
	union fuzz_any again;
	struct frame frame;
	size_t missing;
	struct buf out;

	buf_init(&out, FRAME_WIRE_MAX, NULL);
	CLAIM(msg_put(&out, 1, type, any) == 0);
	CLAIM(frame_next(&out, &frame, &missing) == 1);
	CLAIM(msg_open(&frame, &envelope) == 0 && envelope.type == type);
	CLAIM(msg_decode(type, envelope.payload, &again) == 0);
	buf_release(&out);
}

static bool check_session(enum msg_type type, union fuzz_any *any)
{
	if (type < MSG_SESSION_LIST || type > MSG_SESSION_DONE)
		return false;
	say_again(type, any);
	if (type == MSG_SESSION_ENTRY) {
		check_entry(&any->entry);
	} else if (type == MSG_SESSION_ATTACH || type == MSG_SESSION_INPUT) {
		check_text(any->attach.session);
		msg_is_session_name(any->attach.session);
		check_text(any->attach.mode);
	} else if (type == MSG_SESSION_ATTACHED) {
		check_text(any->attached.name);
		check_bytes(any->attached.restore);
	} else if (type == MSG_SESSION_DETACH) {
		check_bytes(any->detach.restore);
	} else if (type == MSG_SESSION_DETACHED) {
		check_text(any->detached.why);
		check_text(any->detached.name);
	}
	return true;
}

static void decode(enum msg_type type, struct msg_bytes payload)
{
	union fuzz_any any;

	if (msg_decode(type, payload, &any) < 0 || check_session(type, &any))
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
		check_bytes(any.data.data);
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
