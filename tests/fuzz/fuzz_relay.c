/*
 * What msb-relayd does with bytes on their way: a request encoded anew with what is added, a payload passed
 * on byte for byte, and the search for a greeting in a stream that may begin anywhere. The first byte
 * says which.
 */
#include "fuzz.h"

#include "daemon/relay/seek.h"

static bool same_text(struct msg_text a, struct msg_text b)
{
	return !a.ptr == !b.ptr && a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void same_texts(struct msg_list *a, struct msg_list *b)
{
	struct msg_text one, other;

	CLAIM(a->count == b->count);
	while (a->count) {
		CLAIM(msg_next_text(a, &one) == 1 && msg_next_text(b, &other) == 1);
		CLAIM(same_text(one, other));
	}
}

static void same_limits(struct msg_list *a, struct msg_list *b)
{
	struct msg_rlimit one, other;

	CLAIM(a->count == b->count);
	while (a->count) {
		CLAIM(msg_next_rlimit(a, &one) == 1 && msg_next_rlimit(b, &other) == 1);
		CLAIM(same_text(one.resource, other.resource));
		CLAIM(one.soft == other.soft && one.hard == other.hard);
	}
}

/* All but what a relay adds. */
static void same_request(struct msg_exec_request *a, struct msg_exec_request *b)
{
	CLAIM(same_text(a->cmd, b->cmd) && same_text(a->cwd, b->cwd) &&
	      same_text(a->user, b->user));
	CLAIM(a->tty == b->tty && a->rows == b->rows && a->cols == b->cols);
	CLAIM(a->xpixel == b->xpixel && a->ypixel == b->ypixel);
	CLAIM(a->timeout_ms == b->timeout_ms);
	if (a->timeout_ms)
		CLAIM(a->timeout_signal == b->timeout_signal &&
		      a->kill_after_ms == b->kill_after_ms);
	CLAIM(a->has_linger == b->has_linger && a->linger_ms == b->linger_ms);
	CLAIM(same_text(a->on_disconnect, b->on_disconnect) && a->login_shell == b->login_shell);
	CLAIM(a->merge_output == b->merge_output);
	CLAIM(a->cgroup == b->cgroup && a->memory_max == b->memory_max &&
	      a->cpu_millis == b->cpu_millis && a->pids_max == b->pids_max);
	CLAIM(a->user_shell == b->user_shell);
	CLAIM(same_text(a->name, b->name) && a->hold_ms == b->hold_ms);
	same_texts(&a->args, &b->args);
	same_texts(&a->env, &b->env);
	same_limits(&a->rlimits, &b->rlimits);
}

/* The payload of the only frame, which is ours. */
static struct msg_bytes payload_of(const struct buf *out)
{
	struct msg_envelope envelope;
	struct frame frame;
	size_t missing;

	CLAIM(frame_next(out, &frame, &missing) > 0 && frame.id == 5);
	CLAIM(frame.wire_len == buf_len(out));
	CLAIM(msg_open(&frame, &envelope) == 0 && envelope.type == MSG_EXEC_REQUEST);
	return envelope.payload;
}

static bool has_bad_limit(struct msg_list limits)
{
	struct msg_rlimit limit;
	int more;

	while ((more = msg_next_rlimit(&limits, &limit)) > 0)
		;
	return more < 0;
}

/* A request that decodes is passed on with what is added, and says the same. */
static void say_anew(const uint8_t *data, size_t len, const struct msg_relayed *add)
{
	uint8_t *asked = fuzz_copy(data, len), *kept = fuzz_copy(data, len),
		*spoilt = fuzz_copy(data, len);
	struct msg_exec_request request, before, after;
	struct buf out;
	int r;

	buf_init(&out, FRAME_WIRE_MAX, NULL);
	if (msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){asked, len}, &request) == 0) {
		msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){kept, len}, &before);
		msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){spoilt, len}, &after);
		r = msg_put_request_with(&out, 5, &request, add);
		CLAIM(r == (has_bad_limit(after.rlimits) ? -EBADMSG : 0));
		CLAIM(r == 0 || buf_len(&out) == 0);
		if (r == 0) {
			CLAIM(msg_decode(MSG_EXEC_REQUEST, payload_of(&out), &after) == 0);
			CLAIM(after.stdin_window == (add->input || before.stdin_window));
			CLAIM(after.output_window ==
			      (add->output ? add->output : before.output_window));
			CLAIM(after.has_for_uid == add->has_for_uid);
			CLAIM(!add->has_for_uid || after.for_uid == add->for_uid);
			same_request(&before, &after);
		}
	}
	buf_release(&out);
	free(asked);
	free(kept);
	free(spoilt);
}

/* What decodes can be passed on, and is what the payload begins with. */
static void pass_on(const uint8_t *data, size_t len)
{
	uint8_t *asked = fuzz_copy(data, len), *passed = fuzz_copy(data, len);
	struct msg_exec_request before, after;
	struct msg_bytes payload = {passed, len};
	struct buf out;
	int r, valid;

	buf_init(&out, FRAME_WIRE_MAX, NULL);
	valid = msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){asked, len}, &before);
	r = msg_put_payload(&out, 5, MSG_EXEC_REQUEST, payload);
	CLAIM(r == msg_check(payload) && (r == 0 || valid < 0));
	CLAIM(memcmp(passed, data, len) == 0);
	if (r == 0) {
		payload = payload_of(&out);
		CLAIM(payload.len <= len && memcmp(payload.ptr, data, payload.len) == 0);
		CLAIM(msg_decode(MSG_EXEC_REQUEST, payload, &after) == valid);
	}
	if (valid == 0 && !has_bad_limit(before.rlimits)) {
		/* It was walked above. */
		msg_decode(MSG_EXEC_REQUEST, (struct msg_bytes){passed, len}, &before);
		CLAIM(after.stdin_window == before.stdin_window &&
		      after.output_window == before.output_window);
		CLAIM(after.has_for_uid == before.has_for_uid && after.for_uid == before.for_uid);
		same_request(&before, &after);
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
	struct msg_relayed add;

	if (!len)
		return 0;
	add = (struct msg_relayed){.input = data[0] & 2,
				   .output = data[0] & 4 ? 4096 : 0,
				   .has_for_uid = data[0] & 16,
				   .for_uid = 1000};
	if (data[0] & 1)
		seek(data + 1, len - 1);
	else if (data[0] & 8)
		pass_on(data + 1, len - 1);
	else
		say_anew(data + 1, len - 1, &add);
	return 0;
}
