/* Encoding the largest of all messages: its optional keys, its size, and the limit of that. */
#include "unit.h"

static void request_has_our_keys_only_when_they_say_something(void **state)
{
	const struct msg_rlimit limits[] = {{{"cpu", 3}, 1, 2}, {{"as", 2}, 3, 256}};
	const struct msg_exec_request request = {
		.timeout_ms = 1,
		.timeout_signal = 2,
		.kill_after_ms = 0,
		.has_linger = true,
		.linger_ms = 0,
		.on_disconnect = {"keep", 4},
		.login_shell = true,
		.rlimits = {.count = 2, .limits = limits},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_EXEC_REQUEST, &request), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_REQUEST, 8),
			  "af 63'cmd'60 64'args'80 63'env'80 63'cwd'f6 64'user'f6 63'tty'f4"
			  "64'rows'00 64'cols'00 67'rlimits'82"
			  "a3 68'resource'63'cpu' 64'soft'01 64'hard'02"
			  "a3 68'resource'62'as' 64'soft'03 64'hard'190100 6a'timeout_ms'01"
			  "6e'timeout_signal'02 6d'kill_after_ms'00 69'linger_ms'00"
			  "6d'on_disconnect'64'keep' 6b'login_shell'f5");
	buf_release(&out);
}

static void request_has_the_windows_pixels_when_they_are_known(void **state)
{
	const struct msg_exec_request request = {.rows = 1, .cols = 2, .xpixel = 3, .ypixel = 256};
	struct buf out;

	(void)state;
	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_EXEC_REQUEST, &request), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_REQUEST, 8),
			  "ab 63'cmd'60 64'args'80 63'env'80 63'cwd'f6 64'user'f6 63'tty'f4"
			  "64'rows'01 64'cols'02 67'rlimits'80 66'xpixel'03 66'ypixel'190100");
	buf_release(&out);
}

/* It becomes that, and that is understood as *ret_again. */
static void assert_becomes(const struct msg_exec_request *request, const char *hex,
			   struct msg_exec_request *ret_again)
{
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put(&out, 8, MSG_EXEC_REQUEST, request), 0);
	unit_assert_bytes(unit_payload(&out, MSG_EXEC_REQUEST, 8), hex);
	assert_int_equal(
		msg_decode(MSG_EXEC_REQUEST, unit_payload(&out, MSG_EXEC_REQUEST, 8), ret_again),
		0);
	buf_release(&out);
}

static void request_for_one_pipe_says_so_and_is_understood(void **state)
{
	const struct msg_exec_request request = {.rows = 1, .cols = 2, .merge_output = true};
	struct msg_exec_request again;

	(void)state;
	assert_becomes(&request,
		       "aa 63'cmd'60 64'args'80 63'env'80 63'cwd'f6 64'user'f6 63'tty'f4"
		       "64'rows'01 64'cols'02 67'rlimits'80 6c'merge_output'f5",
		       &again);
	assert_true(again.merge_output);
}

static void request_with_limits_says_them_and_is_understood(void **state)
{
	const struct msg_exec_request request = {.rows = 1,
						 .cols = 2,
						 .cgroup = true,
						 .memory_max = 256,
						 .cpu_millis = 500,
						 .pids_max = 7};
	struct msg_exec_request again;

	(void)state;
	assert_becomes(&request,
		       "ad 63'cmd'60 64'args'80 63'env'80 63'cwd'f6 64'user'f6 63'tty'f4"
		       "64'rows'01 64'cols'02 67'rlimits'80 66'cgroup'f5 6a'memory_max'190100"
		       "6a'cpu_millis'1901f4 68'pids_max'07",
		       &again);
	assert_true(again.cgroup);
	assert_int_equal(again.memory_max, 256);
	assert_int_equal(again.cpu_millis, 500);
	assert_int_equal(again.pids_max, 7);
}

/* A request with one argument of that length: its frame's length, or an error. */
static int put_long_request(struct buf *out, size_t len)
{
	char *arg = malloc(len + 1), *args[] = {arg};
	const struct msg_exec_request request = {.cmd = {"x", 1},
						 .args = {.count = 1, .strv = args}};
	int r;

	assert_non_null(arg);
	memset(arg, 'a', len);
	arg[len] = '\0';
	r = msg_put(out, 1, MSG_EXEC_REQUEST, &request);
	free(arg);
	return r;
}

static void request_over_the_wires_limit_is_refused(void **state)
{
	struct msg_exec_request request;
	struct msg_text text;
	struct buf out;

	(void)state;
	buf_init(&out, 2 * FRAME_WIRE_MAX, NULL);
	assert_int_equal(buf_append(&out, "abc", 3), 0);
	for (size_t len = FRAME_LEN_MAX - 80; len < FRAME_LEN_MAX + 80; len += 10)
		assert_int_equal(put_long_request(&out, len), -EMSGSIZE);
	assert_int_equal(buf_len(&out), 3);
	buf_consume(&out, 3);
	assert_int_equal(put_long_request(&out, FRAME_LEN_MAX - 1000), 0);
	assert_int_equal(
		msg_decode(MSG_EXEC_REQUEST, unit_payload(&out, MSG_EXEC_REQUEST, 1), &request), 0);
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	assert_int_equal(text.len, FRAME_LEN_MAX - 1000);
	buf_release(&out);
}

/* With a thousand variables, of which the first has so many bytes: its frame's length, or an error. */
static int put_wide_request(struct buf *out, char *first, size_t len)
{
	static char entry[] = "KEY=value";
	char *entries[1000];
	const struct msg_exec_request request = {.cmd = {"x", 1},
						 .env = {.count = 1000, .strv = entries}};
	int r;

	for (int i = 0; i < 1000; i++)
		entries[i] = i ? entry : first;
	memset(first, 'a', len);
	first[len] = '\0';
	buf_consume(out, buf_len(out));
	r = msg_put(out, 1, MSG_EXEC_REQUEST, &request);
	return r < 0 ? r : (int)frame_u32(buf_head(out));
}

static void request_may_fill_the_frame(void **state)
{
	size_t len = FRAME_LEN_MAX - 20000;
	char *first = malloc(FRAME_LEN_MAX + 1);
	struct buf out;
	int r;

	(void)state;
	assert_non_null(first);
	buf_init(&out, 2 * FRAME_WIRE_MAX, NULL);
	r = put_wide_request(&out, first, len);
	assert_in_range(r, 1, FRAME_LEN_MAX);
	len += FRAME_LEN_MAX - (size_t)r;
	assert_int_equal(put_wide_request(&out, first, len), FRAME_LEN_MAX);
	assert_int_equal(put_wide_request(&out, first, len + 1), -EMSGSIZE);
	/* In a queue that holds one such frame and little more, too. */
	buf_release(&out);
	buf_init(&out, FRAME_WIRE_MAX + 256, NULL);
	assert_int_equal(put_wide_request(&out, first, len), FRAME_LEN_MAX);
	buf_release(&out);
	free(first);
}

static void request_with_many_entries_survives_the_way(void **state)
{
	enum { COUNT = 30000 };
	char **entries = malloc(COUNT * sizeof(char *));
	struct msg_exec_request request = {.cmd = {"x", 1}}, again;
	struct msg_text text;
	struct buf out;

	(void)state;
	assert_non_null(entries);
	for (int i = 0; i < COUNT; i++)
		assert_true(asprintf(&entries[i], "KEY%d=%*s", i, i % 300, "") > 0);
	request.env = (struct msg_list){.count = COUNT, .strv = entries};
	buf_init(&out, 2 * FRAME_WIRE_MAX, NULL);
	/* Cut in two: the whole is over the limit. */
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_REQUEST, &request), -EMSGSIZE);
	assert_int_equal(buf_len(&out), 0);
	request.env.count = COUNT / 2;
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_REQUEST, &request), 0);
	assert_int_equal(
		msg_decode(MSG_EXEC_REQUEST, unit_payload(&out, MSG_EXEC_REQUEST, 1), &again), 0);
	for (int i = 0; i < COUNT / 2; i++) {
		assert_int_equal(msg_next_text(&again.env, &text), 1);
		unit_assert_text(text, entries[i]);
	}
	assert_int_equal(msg_next_text(&again.env, &text), 0);
	for (int i = 0; i < COUNT; i++)
		free(entries[i]);
	free(entries);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest msg_encode_request_tests[] = {
		cmocka_unit_test(request_has_our_keys_only_when_they_say_something),
		cmocka_unit_test(request_has_the_windows_pixels_when_they_are_known),
		cmocka_unit_test(request_for_one_pipe_says_so_and_is_understood),
		cmocka_unit_test(request_with_limits_says_them_and_is_understood),
		cmocka_unit_test(request_over_the_wires_limit_is_refused),
		cmocka_unit_test(request_may_fill_the_frame),
		cmocka_unit_test(request_with_many_entries_survives_the_way),
	};

	return cmocka_run_group_tests(msg_encode_request_tests, NULL, NULL);
}
