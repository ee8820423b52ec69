/*
 * What msb-relayd does with bytes on their way: windows added to a request whose CBOR it does not
 * otherwise change, and the search for a greeting in a stream that may begin anywhere. The first
 * byte says which.
 */
#include "fuzz.h"

#include "../../daemon/relay_seek.h"

/* A request that decodes must still do so, say the same, and have the windows. */
static void add_windows(const uint8_t *data, size_t len, const struct msg_windows *add)
{
	uint8_t *asked = fuzz_copy(data, len), *passed = fuzz_copy(data, len);
	struct msg_exec_request before, after;
	struct msg_envelope envelope;
	struct frame frame;
	struct buf out;
	size_t missing;
	int r, valid;

	msg_check((struct msg_bytes){passed, len});
	CLAIM(memcmp(passed, data, len) == 0);
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	r = msg_put_request_with(&out, 5, (struct msg_bytes){passed, len}, add);
	CLAIM(memcmp(passed, data, len) == 0);
	valid = msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){asked, len}, &before);
	CLAIM(r == 0 || valid < 0);
	if (r == 0) {
		CLAIM(frame_next(&out, &frame, &missing) > 0 && frame.id == 5);
		CLAIM(frame.wire_len == buf_len(&out));
		CLAIM(msg_open(&frame, &envelope) == 0 && envelope.type == MSG_EXEC_REQUEST);
		r = msg_decode(MSG_EXEC_REQUEST, envelope.payload, &after);
	} else {
		CLAIM(buf_len(&out) == 0);
	}
	if (valid == 0) {
		CLAIM(r == 0 && after.cmd.len == before.cmd.len);
		CLAIM(!after.cmd.len || memcmp(after.cmd.ptr, before.cmd.ptr, after.cmd.len) == 0);
		CLAIM(after.args.count == before.args.count && after.tty == before.tty);
		CLAIM(after.stdin_window == (add->input || before.stdin_window));
		CLAIM(after.output_window == (add->output ? add->output : before.output_window));
	}
	buf_release(&out);
	free(asked);
	free(passed);
}

static void seek(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	size_t at = 0, found_len = 0;
	enum seek_found found = seek_greeting(copy, len, &at, &found_len);

	CLAIM(memcmp(copy, data, len) == 0);
	CLAIM(at <= len);
	if (found != SEEK_NOTHING) {
		CLAIM(found_len <= SEEK_FRAME_MAX && found_len <= len - at);
		CLAIM(seek_look(copy + at, found_len) == found);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct msg_windows add;

	if (!len)
		return 0;
	add = (struct msg_windows){.input = data[0] & 2, .output = data[0] & 4 ? 4096 : 0};
	if (data[0] & 1)
		seek(data + 1, len - 1);
	else
		add_windows(data + 1, len - 1, &add);
	return 0;
}
