/*
 * Encoding beyond the protocol's examples: optional keys, shortest heads, what is cut, what is
 * refused, and that a refusal leaves the queue as it was. Whatever is encoded must decode.
 */
#include "unit.h"

#include "shared/utf8.h"

static void started_uses_the_shortest_head(void **state)
{
	static const struct {
		uint32_t pid;
		const char *payload;
	} rows[] = {
		{0, "a1 63'pid'00"},
		{23, "a1 63'pid'17"},
		{24, "a1 63'pid'1818"},
		{255, "a1 63'pid'18ff"},
		{256, "a1 63'pid'190100"},
		{65535, "a1 63'pid'19ffff"},
		{65536, "a1 63'pid'1a00010000"},
		{UINT32_MAX, "a1 63'pid'1affffffff"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		const struct msg_exec_started started = {.pid = rows[i].pid};
		struct buf out;

		buf_init(&out, 4096, NULL);
		assert_int_equal(msg_put(&out, UINT32_MAX, MSG_EXEC_STARTED, &started), 0);
		unit_assert_bytes(unit_payload(&out, MSG_EXEC_STARTED, UINT32_MAX),
				  rows[i].payload);
		buf_release(&out);
	}
}

static void started_says_the_window_of_stdin_only_to_who_asked(void **state)
{
	static const struct msg_exec_started started = {.pid = 7, .stdin_window = 524288};
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 3, MSG_EXEC_STARTED, &started), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_STARTED, 3),
			  "a2 63'pid'07 6c'stdin_window'1a00080000");
	buf_release(&out);
}

static void small_messages_of_a_client_are_short(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_touched(&out, 3, UINT64_C(1) << 32), 0);
	unit_assert_bytes(unit_payload(&out, MSG_TOUCHED, 3),
			  "a1 6c'activity_seq'1b0000000100000000");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put_exec_signal(&out, 3, -25), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_SIGNAL, 3), "a1 66'signal'3818");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(
		msg_put(&out, 3, MSG_EXEC_RESIZE, &(struct msg_exec_resize){.cols = 65535}), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_RESIZE, 3), "a2 64'rows'00 64'cols'19ffff");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(
		msg_put(&out, 3, MSG_EXEC_RESIZE, &(struct msg_exec_resize){1, 2, 0, 65535}), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_RESIZE, 3),
			  "a4 64'rows'01 64'cols'02 66'xpixel'00 66'ypixel'19ffff");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put_output_close(&out, 3, MSG_STREAM_STDERR), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_OUTPUT_CLOSE, 3), "a1 66'stream'66'stderr'");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put_credit(&out, 3, MSG_EXEC_OUTPUT_CREDIT, 65536), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_OUTPUT_CREDIT, 3),
			  "a1 68'consumed'1a00010000");
	buf_release(&out);
}

static void exited_has_its_optional_keys_only_when_they_say_something(void **state)
{
	static const struct {
		struct msg_exec_exited exited;
		const char *payload;
	} rows[] = {
		{{.code = 255}, "a1 64'code'18ff"},
		{{.code = -1, .signal = 9}, "a2 64'code'20 66'signal'09"},
		{{.code = -1, .signal = 11, .core_dumped = true},
		 "a3 64'code'20 66'signal'0b 6b'core_dumped'f5"},
		{{.code = 3, .timed_out = true}, "a2 64'code'03 69'timed_out'f5"},
		{{.has_usage = true, .usage = {1, 256, 65536, UINT64_MAX}},
		 "a2 64'code'00 65'usage'a4 67'user_us'01 66'sys_us'190100 67'wall_us'1a00010000"
		 "6b'max_rss_kib'1bffffffffffffffff"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct buf out;

		buf_init(&out, 4096, NULL);
		assert_int_equal(msg_put(&out, 8, MSG_EXEC_EXITED, &rows[i].exited), 0);
		unit_assert_bytes(unit_payload(&out, MSG_EXEC_EXITED, 8), rows[i].payload);
		buf_release(&out);
	}
}

/* Texts that have no business to be so long: refused, not overrun. */
static void text_without_room_is_refused(void **state)
{
	char text[5000];
	const struct msg_ready ready = {.agent_version = {text, sizeof(text)}};
	const struct msg_rlimit limit = {{text, sizeof(text)}, 1, 1};
	const struct msg_exec_request request = {.rlimits = {.count = 1, .limits = &limit}};
	struct buf out;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&out, 100000, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), -EMSGSIZE);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_REQUEST, &request), -EMSGSIZE);
	assert_int_equal(buf_len(&out), 0);
	assert_null(out.data);
	assert_int_equal(buf_append(&out, "abc", 3), 0);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), -EMSGSIZE);
	assert_int_equal(buf_len(&out), 3);
	assert_memory_equal(buf_head(&out), "abc", 3);
	buf_release(&out);
}

static void ready_lists_each_feature_by_its_name(void **state)
{
	static const char *const names[] = {
		"timeout",	"linger",	"on_disconnect", "login_shell", "usage",
		"output_close", "stdin_window", "output_window", "pixels",	"sessions",
		"merge_output", "user_shell",	"cgroup"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		const struct msg_ready ready = {.agent_version = {"x", 1}, .features = 1u << i};
		struct msg_bytes payload;
		struct msg_ready again;
		struct buf out;

		buf_init(&out, 4096, NULL);
		assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), 0);
		payload = unit_payload(&out, MSG_READY, 0);
		assert_non_null(memmem(payload.ptr, payload.len, names[i], strlen(names[i])));
		assert_int_equal(msg_decode(MSG_READY, payload, &again), 0);
		assert_int_equal(again.features, ready.features);
		unit_assert_text(again.agent_version, "x");
		buf_release(&out);
	}
}

static void failed_tells_the_errno_with_its_name(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(
		msg_put_exec_failed(&out, 8, MSG_FAILURE_NOT_FOUND, ENOENT, "no", "execve"), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_FAILED, 8),
			  "a5 64'kind'69'not_found' 65'errno'02 6a'errno_name'66'ENOENT'"
			  "67'message'62'no' 65'stage'66'execve'");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put_exec_failed(&out, 8, MSG_FAILURE_OTHER, 4000, "", NULL), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_FAILED, 8),
			  "a5 64'kind'65'other' 65'errno'190fa0 6a'errno_name'f6 67'message'60"
			  "65'stage'f6");
	buf_consume(&out, buf_len(&out));
	assert_int_equal(msg_put_stdin_error(&out, 8, EPIPE), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_STDIN_ERROR, 8),
			  "a3 65'errno'1820 6a'errno_name'65'EPIPE' 67'message'6b'Broken pipe'");
	buf_release(&out);
}

static void error_names_the_offending_type_if_it_can(void **state)
{
	char name[257];
	struct buf out;

	(void)state;
	memset(name, 'x', sizeof(name));
	buf_init(&out, 8192, NULL);
	assert_int_equal(msg_put_error(&out, 8, MSG_REFUSAL_INVALID_PAYLOAD, "no",
				       (struct msg_text){"core.x", 6}),
			 0);
	unit_assert_bytes(unit_payload(&out, MSG_ERROR, 8),
			  "a3 64'kind'6f'invalid_payload' 67'message'62'no'"
			  "6e'offending_type'66'core.x'");
	for (size_t len = 256; len <= 257; len++) {
		struct msg_error error;

		buf_consume(&out, buf_len(&out));
		assert_int_equal(msg_put_error(&out, 8, MSG_REFUSAL_MALFORMED_MESSAGE, "no",
					       (struct msg_text){name, len}),
				 0);
		assert_int_equal(msg_decode(MSG_ERROR, unit_payload(&out, MSG_ERROR, 8), &error),
				 0);
		unit_assert_text(error.kind, "malformed_message");
		assert_int_equal(error.offending_type.len, len == 256 ? 256 : 0);
	}
	buf_release(&out);
}

/* Every word of the two closed sets: a client cannot decode another. */
static void kinds_are_the_references_words(void **state)
{
	static const char *const refusals[] = {
		"malformed_message", "unsupported_message_type", "unsupported_protocol_generation",
		"invalid_flags",     "invalid_payload",		 "invalid_session"};
	struct msg_exec_failed failed;
	struct msg_error error;
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	for (int kind = 0; kind <= MSG_FAILURE_OTHER; kind++) {
		assert_int_equal(msg_put_exec_failed(&out, 8, (enum msg_failure)kind, 0, "x", NULL),
				 0);
		assert_int_equal(msg_decode(MSG_EXEC_FAILED, unit_payload(&out, MSG_EXEC_FAILED, 8),
					    &failed),
				 0);
		assert_int_equal(msg_failure_parse(failed.kind), kind);
		buf_consume(&out, buf_len(&out));
	}
	for (size_t kind = 0; kind < UNIT_COUNT(refusals); kind++) {
		assert_int_equal(msg_put_error(&out, 8, (enum msg_refusal)kind, "x",
					       (struct msg_text){NULL, 0}),
				 0);
		assert_int_equal(msg_decode(MSG_ERROR, unit_payload(&out, MSG_ERROR, 8), &error),
				 0);
		unit_assert_text(error.kind, refusals[kind]);
		buf_consume(&out, buf_len(&out));
	}
}

/* A text of count bytes before a character of two, so that a cut may fall into it. */
static char *long_text(size_t count)
{
	char *text = malloc(count + 2000);

	assert_non_null(text);
	memset(text, 'x', count);
	for (size_t i = count; i < count + 1998; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[count + 1998] = '\0';
	return text;
}

static void message_that_is_too_long_is_cut_between_characters(void **state)
{
	(void)state;
	for (size_t count = 1000; count < 1040; count++) {
		char *text = long_text(count);
		struct msg_exec_failed failed;
		struct buf out;

		buf_init(&out, 8192, NULL);
		assert_int_equal(msg_put_exec_failed(&out, 8, MSG_FAILURE_OTHER, 5, text, "x"), 0);
		assert_int_equal(msg_decode(MSG_EXEC_FAILED, unit_payload(&out, MSG_EXEC_FAILED, 8),
					    &failed),
				 0);
		/* Half a character is left out or replaced. */
		assert_in_range(failed.message.len, 1023, 1024);
		assert_memory_equal(failed.message.ptr, text, 1023);
		assert_true(utf8_valid(failed.message.ptr, failed.message.len));
		unit_assert_text(failed.stage, "x");
		buf_release(&out);
		free(text);
	}
}

static void queue_that_is_full_stays_as_it_was(void **state)
{
	static const struct msg_exec_exited exited = {.code = 0};
	uint8_t *space = NULL;
	struct buf out;

	(void)state;
	buf_init(&out, 64, NULL);
	assert_int_equal(buf_append(&out, "abc", 3), 0);
	assert_int_equal(msg_put_empty(&out, 1, MSG_PING), -ENOBUFS);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_EXITED, &exited), -ENOBUFS);
	assert_int_equal(msg_data_begin(&out, 64, &space), -ENOBUFS);
	assert_null(space);
	assert_int_equal(buf_len(&out), 3);
	assert_memory_equal(buf_head(&out), "abc", 3);
	buf_release(&out);
}

static void data_is_put_whole_as_it_is_in_place(void **state)
{
	const struct msg_data data = {{(uint8_t *)(char[]){"hi"}, 2}};
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 3, MSG_EXEC_STDIN, &data), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_STDIN, 3), "a1 64'data'42'hi'");
	buf_release(&out);
}

static void data_of_any_length_survives_the_way(void **state)
{
	static const size_t lengths[] = {0,   1,   22,	23,    24,    25,    200,     231,    232,
					 255, 256, 257, 65500, 65535, 65536, 1000000, 4194240};

	(void)state;
	for (size_t i = 0; i < 2 * UNIT_COUNT(lengths); i++) {
		size_t len = lengths[i / 2], before = i % 2 ? 3 : 0;
		struct msg_data data;
		uint8_t *space;
		struct buf out;

		buf_init(&out, 2 * FRAME_WIRE_MAX, NULL);
		assert_int_equal(buf_append(&out, "abc", before), 0);
		assert_int_equal(msg_data_begin(&out, len + 10, &space), 0);
		for (size_t k = 0; k < len + 10; k++)
			space[k] = (uint8_t)(k * 7 + (k >> 8));
		msg_data_end(&out, 8, MSG_EXEC_STDERR, len);
		assert_memory_equal(buf_head(&out), "abc", before);
		out.head += before;
		assert_int_equal(
			msg_decode(MSG_EXEC_STDERR, unit_payload(&out, MSG_EXEC_STDERR, 8), &data),
			0);
		assert_int_equal(data.data.len, len);
		for (size_t k = 0; k < len; k++)
			if (data.data.ptr[k] != (uint8_t)(k * 7 + (k >> 8)))
				fail_msg("byte %zu of %zu", k, len);
		/* Into an empty queue, the bytes are not moved. */
		if (!before)
			assert_ptr_equal(data.data.ptr, space);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest msg_encode_tests[] = {
		cmocka_unit_test(started_uses_the_shortest_head),
		cmocka_unit_test(started_says_the_window_of_stdin_only_to_who_asked),
		cmocka_unit_test(small_messages_of_a_client_are_short),
		cmocka_unit_test(exited_has_its_optional_keys_only_when_they_say_something),
		cmocka_unit_test(text_without_room_is_refused),
		cmocka_unit_test(ready_lists_each_feature_by_its_name),
		cmocka_unit_test(failed_tells_the_errno_with_its_name),
		cmocka_unit_test(error_names_the_offending_type_if_it_can),
		cmocka_unit_test(kinds_are_the_references_words),
		cmocka_unit_test(message_that_is_too_long_is_cut_between_characters),
		cmocka_unit_test(queue_that_is_full_stays_as_it_was),
		cmocka_unit_test(data_is_put_whole_as_it_is_in_place),
		cmocka_unit_test(data_of_any_length_survives_the_way),
	};

	return cmocka_run_group_tests(msg_encode_tests, NULL, NULL);
}
