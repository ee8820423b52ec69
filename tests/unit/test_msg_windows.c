/* Windows added to the payload of a request, however it is written. */
#include "unit.h"

/* Adds them to the payload and decodes what comes of it. */
static int add(const char *hex, struct msg_relayed windows, struct msg_exec_request *ret,
	       struct buf *out)
{
	unit_held struct msg_bytes payload = unit_hex(hex);
	struct msg_exec_request request;
	struct msg_envelope envelope;
	struct frame frame;
	size_t missing;
	int r;

	buf_init(out, 65536, NULL);
	r = msg_decode(MSG_EXEC_REQUEST, payload, &request);
	if (r == 0)
		r = msg_put_request_with(out, 7, &request, &windows);
	if (r < 0) {
		assert_int_equal(buf_len(out), 0);
		return r;
	}
	assert_int_equal(frame_next(out, &frame, &missing), 1);
	assert_int_equal(frame.id, 7);
	assert_int_equal(frame.flags, FRAME_SESSION_START);
	assert_int_equal(msg_open(&frame, &envelope), 0);
	return msg_decode(MSG_EXEC_REQUEST, envelope.payload, ret);
}

static void keys_are_added_to_maps_of_every_kind(void **state)
{
	static const char *const payloads[] = {
		"a1 63'cmd' 61'x'",
		"b90001 63'cmd' 61'x'",
		"bf 63'cmd' 61'x' ff",
		"bf 7f 61'c' 62'md' ff 7f 61'x' 60 ff ff",
		"a1 43'cmd' 61'x'",
		"c1 a1 63'cmd' 61'x'",
		"a1 63'cmd' 61'x' 00 ff",
		"a3 63'cmd' 61'x' 6d'output_window' f6 6c'stdin_window' f4",
		"a3 6d'output_window' 00 63'cmd' 61'x' 6c'stdin_window' f7",
		"a2 63'cmd' 61'x' 7f 67'output_' 66'window' ff f6",
		"a3 63'cmd' 61'x' 61'q' 82 a1 61'a' f6 9f 01 ff 62'zz' fb0000000000000000",
	};
	struct msg_relayed both = {.input = true, .output = 262144};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		struct msg_exec_request request;
		struct buf out;

		assert_int_equal(add(payloads[i], both, &request, &out), 0);
		assert_true(request.stdin_window);
		assert_int_equal(request.output_window, 262144);
		assert_int_equal(request.cmd.len, 1);
		buf_release(&out);
	}
}

static void what_the_client_asked_for_stays(void **state)
{
	struct msg_relayed input = {.input = true}, output = {.output = 5}, none = {.output = 0};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	assert_int_equal(add("a2 63'cmd' 61'x' 6d'output_window' 18 4d", input, &request, &out), 0);
	assert_int_equal(request.output_window, 77);
	assert_true(request.stdin_window);
	buf_release(&out);
	assert_int_equal(add("a2 63'cmd' 61'x' 6c'stdin_window' f5", output, &request, &out), 0);
	assert_int_equal(request.output_window, 5);
	assert_true(request.stdin_window);
	buf_release(&out);
	assert_int_equal(add("a1 63'cmd' 61'x'", none, &request, &out), 0);
	assert_false(request.stdin_window);
	buf_release(&out);
}

static void what_is_no_whole_map_is_refused(void **state)
{
	static const char *const payloads[] = {
		"",
		"80",
		"f6",
		"a1",
		"a1 63'cmd'",
		"bf 63'cmd' 61'x'",
		"a2 63'cmd' 61'x'",
		"bf 63'cmd' ff",
		"bbffffffffffffffff",
	};
	struct msg_relayed both = {.input = true, .output = 1};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		unit_held struct msg_bytes payload = unit_hex(payloads[i]);
		struct msg_exec_request request;
		struct buf out;

		assert_int_equal(add(payloads[i], both, &request, &out), -EBADMSG);
		assert_int_equal(msg_check(payload), -EBADMSG);
		buf_release(&out);
	}
}

static void a_bootstrap_decodes_to_what_was_put(void **state)
{
	char *env[] = {(char *)"A=1", (char *)"B=x=y"};
	struct msg_rlimit limit = {{"nofile", 6}, 7, 8}, got_limit;
	struct msg_bootstrap bootstrap = {.user = {"nobody", 6}}, got;
	struct msg_pair pair;
	struct msg_envelope envelope;
	struct frame frame;
	struct buf out;
	size_t missing;

	(void)state;
	bootstrap.default_env = (struct msg_list){.strv = env, .count = 2};
	bootstrap.rlimits = (struct msg_list){.count = 1, .limits = &limit};
	buf_init(&out, 65536, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_BOOTSTRAP, &bootstrap), 0);
	assert_int_equal(frame_next(&out, &frame, &missing), 1);
	assert_int_equal(msg_open(&frame, &envelope), 0);
	assert_int_equal(envelope.type, MSG_BOOTSTRAP);
	assert_int_equal(msg_decode(MSG_BOOTSTRAP, envelope.payload, &got), 0);
	assert_memory_equal(got.user.ptr, "nobody", 6);
	assert_null(got.default_cwd.ptr);
	assert_int_equal(msg_next_pair(&got.default_env, &pair), 1);
	assert_memory_equal(pair.key.ptr, "A", 1);
	assert_int_equal(msg_next_pair(&got.default_env, &pair), 1);
	assert_int_equal(pair.value.len, 3);
	assert_int_equal(msg_next_rlimit(&got.rlimits, &got_limit), 1);
	assert_int_equal(got_limit.hard, 8);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_added_to_maps_of_every_kind),
		cmocka_unit_test(what_the_client_asked_for_stays),
		cmocka_unit_test(what_is_no_whole_map_is_refused),
		cmocka_unit_test(a_bootstrap_decodes_to_what_was_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
