/*
 * The frames that were recorded from the reference agent 0.6.14 (tests/vectors): every frame it
 * sent is decoded, and so is every frame that was sent to it and is well-formed.
 */
#include "unit.h"

/* Beside this file's folder, unless $MSB_VECTORS names another copy. */
static FILE *open_vectors(void)
{
	const char *path = getenv("MSB_VECTORS");
	const char *slash = strrchr(__FILE__, '/');
	char beside[1024];
	FILE *file;

	snprintf(beside, sizeof(beside), "%.*s/../vectors/agent-0.6.14.tsv",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	file = fopen(path ? path : beside, "re");
	if (!file)
		fail_msg("cannot read %s: %s", path ? path : beside, strerror(errno));
	return file;
}

struct line {
	char *name, *direction, *hex, *told; /* told: what the recorder made of the frame */
};

/* The next line that holds a frame; EOF lines and comments hold none. */
static bool next_frame(FILE *file, char **text, size_t *cap, struct line *ret)
{
	while (getline(text, cap, file) >= 0) {
		char *at = *text;

		ret->name = strsep(&at, "\t");
		ret->direction = strsep(&at, "\t");
		ret->hex = strsep(&at, "\t");
		ret->told = at;
		if (ret->name[0] != '#' && ret->hex && strcmp(ret->direction, "EOF") != 0)
			return true;
	}
	return false;
}

static void check_failed(const struct msg_exec_failed *failed)
{
	assert_true(msg_failure_parse(failed->kind) >= 0);
	assert_true(failed->message.len > 5);
	if (!failed->num) {
		assert_null(failed->num_name.ptr);
		return;
	}
	assert_in_range(failed->num, 1, 133);
	assert_int_equal(failed->num_name.ptr[0], 'E');
	assert_non_null(failed->stage.ptr);
}

/* Decodes what came from the agent and checks that the values could be true. */
static void check_payload(enum msg_type type, struct msg_bytes payload)
{
	union {
		struct msg_ready ready;
		struct msg_exec_started started;
		struct msg_exec_exited exited;
		struct msg_exec_failed failed;
		struct msg_data data;
		struct msg_stdin_error stdin_error;
		struct msg_error error;
	} u;

	memset(&u, 0xee, sizeof(u));
	assert_int_equal(msg_decode(type, payload, &u), 0);
	switch (type) {
	case MSG_READY:
		assert_true(u.ready.boot_time_ns > 0 && u.ready.init_time_ns > 0);
		assert_true(u.ready.ready_time_ns >= u.ready.boot_time_ns);
		unit_assert_text(u.ready.agent_version, "0.6.14");
		assert_int_equal(u.ready.features, 0);
		break;
	case MSG_EXEC_STARTED:
		assert_in_range(u.started.pid, 2, 10000);
		break;
	case MSG_EXEC_EXITED:
		assert_true(u.exited.code >= -1 && u.exited.code <= 255);
		assert_int_equal(u.exited.signal, 0);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		assert_in_range(u.data.data.len, 1, 4096);
		break;
	case MSG_EXEC_STDIN_ERROR:
		assert_int_equal(u.stdin_error.num, EPIPE);
		unit_assert_text(u.stdin_error.name, "EPIPE");
		break;
	case MSG_EXEC_FAILED:
		check_failed(&u.failed);
		break;
	case MSG_ERROR:
		assert_true(u.error.message.len > 0);
		assert_true(u.error.offending_type.len > strlen("core."));
		break;
	default:
		break;
	}
}

/* {"id": 1, "flags": 2, ...: the number behind a key, as the recorder read it; -1 without. */
static long told_number(const char *told, const char *key)
{
	const char *at = strstr(told, key);

	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void check_frame(const struct line *line, const struct msg_envelope *envelope,
			const struct frame *frame)
{
	char type[80];

	if (line->told[0] != '{')
		return;
	assert_int_equal(frame->id, told_number(line->told, "\"id\": "));
	assert_int_equal(frame->flags, told_number(line->told, "\"flags\": "));
	assert_int_equal(envelope->v, told_number(line->told, "\"v\": "));
	snprintf(type, sizeof(type), "\"t\": \"%.*s\"", (int)envelope->type_name.len,
		 envelope->type_name.ptr);
	if (!strstr(line->told, type))
		fail_msg("%s: not %s", line->told, type);
}

static void every_frame_of_the_agent_is_decoded(void **state)
{
	size_t cap = 0, count = 0, seen[MSG_TYPE_COUNT] = {0};
	FILE *file = open_vectors();
	char *text = NULL;
	struct line line;

	(void)state;
	while (next_frame(file, &text, &cap, &line)) {
		unit_held struct msg_bytes bytes = unit_hex(line.hex);
		struct buf queue = unit_queue(bytes);
		struct msg_envelope envelope;
		struct frame frame;

		if (strcmp(line.direction, "g2h") != 0)
			continue;
		envelope = unit_open(&queue, &frame);
		assert_int_equal(frame.wire_len, bytes.len);
		assert_int_not_equal(envelope.type, MSG_UNKNOWN);
		assert_int_equal(envelope.v, 7);
		assert_int_equal(frame.flags, msg_flags(envelope.type));
		check_frame(&line, &envelope, &frame);
		check_payload(envelope.type, envelope.payload);
		seen[envelope.type]++;
		count++;
	}
	assert_int_equal(count, 130);
	assert_true(seen[MSG_READY] && seen[MSG_EXEC_STARTED] && seen[MSG_EXEC_EXITED] &&
		    seen[MSG_EXEC_FAILED] && seen[MSG_EXEC_STDOUT] && seen[MSG_EXEC_STDERR] &&
		    seen[MSG_EXEC_STDIN_ERROR] && seen[MSG_ERROR] && seen[MSG_PONG] &&
		    seen[MSG_TOUCHED] && seen[MSG_INIT_RESOLVED] && seen[MSG_TCP_FAILED]);
	free(text);
	fclose(file);
}

/* What the reference ran, we would run: its recorder sent requests, good ones and bad ones. */
static void requests_are_decoded_where_the_agent_understood_them(void **state)
{
	size_t cap = 0, good = 0, bad = 0;
	FILE *file = open_vectors();
	char *text = NULL;
	struct line line;

	(void)state;
	while (next_frame(file, &text, &cap, &line)) {
		unit_held struct msg_bytes bytes = unit_hex(line.hex);
		struct buf queue = unit_queue(bytes);
		struct msg_exec_request request;
		struct msg_envelope envelope;
		struct frame frame;
		size_t missing;

		if (frame_next(&queue, &frame, &missing) != 1 || msg_open(&frame, &envelope) < 0 ||
		    envelope.type != MSG_EXEC_REQUEST)
			continue;
		check_frame(&line, &envelope, &frame);
		/* All that it refused came without the one key that is required. */
		if (strstr(line.told, "'cmd'")) {
			assert_int_equal(msg_decode(envelope.type, envelope.payload, &request), 0);
			assert_non_null(request.cmd.ptr);
			good++;
		} else {
			assert_int_equal(msg_decode(envelope.type, envelope.payload, &request),
					 -EBADMSG);
			bad++;
		}
	}
	assert_int_equal(good, 54);
	assert_int_equal(bad, 3);
	free(text);
	fclose(file);
}

/* Each of these made the reference exit; ours must only say no. */
static void frames_that_were_fatal_to_the_agent_are_refused(void **state)
{
	size_t cap = 0, framing = 0, malformed = 0, unknown = 0;
	FILE *file = open_vectors();
	char *text = NULL;
	struct line line;

	(void)state;
	while (next_frame(file, &text, &cap, &line)) {
		unit_held struct msg_bytes bytes = unit_hex(line.hex);
		struct buf queue = unit_queue(bytes);
		struct msg_envelope envelope;
		struct frame frame;
		size_t missing;

		if (strncmp(line.name, "fatal/", 6) != 0)
			continue;
		if (frame_next(&queue, &frame, &missing) < 0)
			framing++;
		else if (msg_open(&frame, &envelope) < 0)
			malformed++;
		else if (envelope.type == MSG_UNKNOWN)
			unknown++;
	}
	assert_int_equal(framing, 2);
	assert_int_equal(malformed, 3);
	assert_int_equal(unknown, 1);
	free(text);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest vector_tests[] = {
		cmocka_unit_test(every_frame_of_the_agent_is_decoded),
		cmocka_unit_test(requests_are_decoded_where_the_agent_understood_them),
		cmocka_unit_test(frames_that_were_fatal_to_the_agent_are_refused),
	};

	return cmocka_run_group_tests(vector_tests, NULL, NULL);
}
