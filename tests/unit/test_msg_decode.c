/*
 * Decoding by the rules of the protocol's section 2: keys, what is required, what may be null,
 * what is refused. How single values may be written is test_msg_decode_values.c's.
 */
#include "unit.h"

static int decode(enum msg_type type, const char *hex, void *ret_struct)
{
	unit_held struct msg_bytes payload = unit_hex(hex);

	return msg_decode(type, payload, ret_struct);
}

struct row {
	enum msg_type type;
	const char *payload;
};

static void assert_all_refused(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		union {
			struct msg_exec_request request;
			struct msg_exec_failed failed;
			struct msg_exec_exited exited;
			struct msg_ready ready;
		} any;

		if (decode(rows[i].type, rows[i].payload, &any) != -EBADMSG)
			fail_msg("accepted %s: %s", msg_name(rows[i].type), rows[i].payload);
	}
}

static void payload_that_is_no_map_is_refused(void **state)
{
	static const struct row rows[] = {
		{MSG_EXEC_SIGNAL, ""},
		{MSG_EXEC_SIGNAL, "80"},
		{MSG_EXEC_SIGNAL, "66'signal'"},
		{MSG_EXEC_SIGNAL, "0f"},
		{MSG_EXEC_SIGNAL, "f6"},
		{MSG_EXEC_SIGNAL, "ff"},
		{MSG_EXEC_SIGNAL, "82 66'signal' 0f"},
		{MSG_PING, "f6"},
		{MSG_PING, ""},
		{MSG_EXEC_REQUEST, "60"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
}

static void missing_required_key_is_refused(void **state)
{
	static const struct row rows[] = {
		{MSG_READY, "a2 6c'init_time_ns'02 6d'ready_time_ns'03"},
		{MSG_READY, "a2 6c'boot_time_ns'01 6d'ready_time_ns'03"},
		{MSG_READY, "a2 6c'boot_time_ns'01 6c'init_time_ns'02"},
		{MSG_EXEC_REQUEST, "a0"},
		{MSG_EXEC_REQUEST, "a2 64'args'80 63'env'80"},
		{MSG_EXEC_STARTED, "a0"},
		{MSG_EXEC_STDIN, "a0"},
		{MSG_EXEC_STDOUT, "a0"},
		{MSG_EXEC_STDERR, "a1 63'dat'40"},
		{MSG_EXEC_STDIN_ERROR, "a2 65'errno'20 6a'errno_name'f6"},
		{MSG_EXEC_EXITED, "a1 66'signal'0f"},
		{MSG_EXEC_EXITED,
		 "a2 64'code'00 65'usage'a3 67'user_us'01 66'sys_us'02 67'wall_us'03"},
		{MSG_EXEC_FAILED, "a4 65'errno'f6 6a'errno_name'f6 67'message'61'x' 65'stage'f6"},
		{MSG_EXEC_FAILED, "a4 64'kind'65'other' 65'errno'f6 6a'errno_name'f6 65'stage'f6"},
		{MSG_EXEC_RESIZE, "a1 64'rows'01"},
		{MSG_EXEC_RESIZE, "a1 64'cols'01"},
		{MSG_EXEC_SIGNAL, "a0"},
		{MSG_EXEC_OUTPUT_CLOSE, "a0"},
		{MSG_ERROR, "a1 64'kind'61'x'"},
		{MSG_ERROR, "a1 67'message'61'x'"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
}

static void duplicate_of_a_known_key_is_refused(void **state)
{
	static const struct row rows[] = {
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 63'cmd'61'x'"},
		{MSG_EXEC_REQUEST, "a3 63'cmd'61'x' 64'args'80 64'args'80"},
		{MSG_EXEC_REQUEST, "a3 63'cmd'61'x' 63'cwd'f6 63'cwd'f6"},
		{MSG_EXEC_REQUEST, "a3 63'cmd'61'x' 63'cwd'f6 63'cwd'61'/'"},
		{MSG_EXEC_REQUEST, "a3 6b'login_shell'f4 63'cmd'61'x' 6b'login_shell'f4"},
		/* In another dress: a byte string, a longer head, in pieces, in an open map. */
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 43'cmd'61'x'"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 7803'cmd'61'x'"},
		{MSG_EXEC_REQUEST, "bf 63'cmd'61'x' 63'cmd'61'x' ff"},
		{MSG_EXEC_SIGNAL, "a2 66'signal'0f 66'signal'0f"},
		{MSG_EXEC_EXITED, "a2 64'code'00 64'code'00"},
		{MSG_EXEC_EXITED, "a2 64'code'00 65'usage'a5 67'user_us'01 66'sys_us'02"
				  "67'wall_us'03 6b'max_rss_kib'04 67'user_us'01"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
}

static void key_that_is_no_text_is_refused(void **state)
{
	static const struct row rows[] = {
		{MSG_EXEC_SIGNAL, "a2 00 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 66'signal'0f 1863 00"},
		{MSG_EXEC_SIGNAL, "a2 20 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 f5 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 f6 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 f93c00 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 a0 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 61ff 00 66'signal'0f"},
		{MSG_EXEC_SIGNAL, "a2 c201 00 66'signal'0f"},
		{MSG_PING, "a1 00 00"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
}

static void null_where_a_value_must_be_is_refused(void **state)
{
	static const char *const keys[] = {"64'args'", "63'env'",  "63'tty'",
					   "64'rows'", "64'cols'", "67'rlimits'"};
	char payload[64];
	struct row row = {MSG_EXEC_REQUEST, payload};
	static const struct row rows[] = {
		{MSG_EXEC_REQUEST, "a1 63'cmd'f6"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'81f6"},
		{MSG_EXEC_STDIN, "a1 64'data'f6"},
		{MSG_EXEC_EXITED, "a1 64'code'f6"},
		{MSG_EXEC_STARTED, "a1 63'pid'f7"},
		{MSG_EXEC_FAILED, "a2 64'kind'f6 67'message'61'x'"},
		{MSG_EXEC_FAILED, "a2 64'kind'61'x' 67'message'f6"},
		{MSG_EXEC_SIGNAL, "a1 66'signal'f6"},
		{MSG_EXEC_RESIZE, "a2 64'rows'f6 64'cols'01"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
	for (size_t i = 0; i < UNIT_COUNT(keys); i++) {
		snprintf(payload, sizeof(payload), "a2 63'cmd'61'x' %s f6", keys[i]);
		assert_all_refused(&row, 1);
		snprintf(payload, sizeof(payload), "a2 63'cmd'61'x' %s f7", keys[i]);
		assert_all_refused(&row, 1);
	}
}

static void value_of_another_kind_is_refused(void **state)
{
	static const struct row rows[] = {
		{MSG_EXEC_REQUEST, "a1 63'cmd'41'x'"},
		{MSG_EXEC_REQUEST, "a1 63'cmd'01"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 63'tty'01"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 63'tty'64'true'"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'61'x'"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'a0"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'8101"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'8141'x'"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'args'8180"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 67'rlimits'8101"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 67'rlimits'8180"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 67'rlimits'a0"},
		{MSG_EXEC_REQUEST, "a2 63'cmd'61'x' 64'rows'62'24'"},
		{MSG_EXEC_STDIN, "a1 64'data'62'AB'"},
		{MSG_EXEC_STDIN, "a1 64'data'00"},
		{MSG_EXEC_EXITED, "a2 64'code'00 65'usage'80"},
		{MSG_READY, "a4 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
			    "6d'exec_features'66'linger'"},
		{MSG_READY, "a4 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
			    "6d'exec_features'8101"},
	};

	(void)state;
	assert_all_refused(rows, UNIT_COUNT(rows));
}

static void null_stands_for_an_absent_option(void **state)
{
	struct msg_exec_request request;
	struct msg_exec_failed failed;
	struct msg_exec_exited exited;
	struct msg_ready ready;

	(void)state;
	assert_int_equal(decode(MSG_EXEC_REQUEST,
				"a9 63'cmd'61'x' 63'cwd'f6 64'user'f7 6a'timeout_ms'f6"
				"6e'timeout_signal'f6 6d'kill_after_ms'f6 69'linger_ms'f6"
				"6d'on_disconnect'f6 6b'login_shell'f6",
				&request),
			 0);
	assert_null(request.cwd.ptr);
	assert_null(request.user.ptr);
	assert_int_equal(request.timeout_ms, 0);
	assert_int_equal(request.timeout_signal, 15);
	assert_int_equal(request.kill_after_ms, 5000);
	assert_false(request.has_linger);
	assert_null(request.on_disconnect.ptr);
	assert_false(request.login_shell);
	assert_int_equal(decode(MSG_EXEC_FAILED,
				"a5 64'kind'61'k' 65'errno'f7 6a'errno_name'f7 67'message'60"
				"65'stage'f7",
				&failed),
			 0);
	assert_int_equal(failed.num, 0);
	assert_null(failed.num_name.ptr);
	assert_null(failed.stage.ptr);
	assert_non_null(failed.message.ptr);
	assert_int_equal(failed.message.len, 0);
	assert_int_equal(decode(MSG_EXEC_EXITED,
				"a5 64'code'20 66'signal'f6 6b'core_dumped'f6 69'timed_out'f6"
				"65'usage'f6",
				&exited),
			 0);
	assert_int_equal(exited.code, -1);
	assert_false(exited.signal || exited.core_dumped || exited.timed_out || exited.has_usage);
	assert_int_equal(decode(MSG_READY,
				"a5 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
				"6d'agent_version'f6 6d'exec_features'f6",
				&ready),
			 0);
	assert_null(ready.agent_version.ptr);
	assert_int_equal(ready.features, 0);
}

static void only_cmd_is_required_of_a_request(void **state)
{
	unit_held struct msg_bytes payload = unit_hex("a1 63'cmd'60");
	struct msg_exec_request request;
	struct msg_text text;
	struct msg_rlimit limit;

	(void)state;
	memset(&request, 0xee, sizeof(request));
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	unit_assert_text(request.cmd, "");
	assert_int_equal(request.rows, 24);
	assert_int_equal(request.cols, 80);
	assert_false(request.tty);
	assert_int_equal(msg_next_text(&request.args, &text), 0);
	assert_int_equal(msg_next_text(&request.env, &text), 0);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
}

static void keys_come_in_any_order_and_unknown_ones_are_passed_over(void **state)
{
	unit_held struct msg_bytes payload = unit_hex(
		"ad 64'cols'18ff 61'?'a2 01 82 02 03 61'x' a0 64'rows'19ffff 62'cm'f93c00 63'tty'f5"
		"64'cmdx'c0 5f 41'a' ff 64'user'61'u' 63'Cmd'9f ff 63'cwd'61'/' 60 f7"
		"64'args'81 61'a' 63'cmd'61'x' 41'?' 3bffffffffffffffff");
	struct msg_exec_request request;
	struct msg_text text;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	unit_assert_text(request.cmd, "x");
	unit_assert_text(request.cwd, "/");
	unit_assert_text(request.user, "u");
	assert_true(request.tty);
	assert_int_equal(request.rows, 65535);
	assert_int_equal(request.cols, 255);
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	unit_assert_text(text, "a");
}

static void unknown_keys_are_passed_over_inside_other_maps_too(void **state)
{
	unit_held struct msg_bytes payload =
		unit_hex("a2 63'cmd'61'x' 67'rlimits'82"
			 "a4 64'hard'02 63'new'82a0f6 64'soft'01 68'resource'66'nofile'"
			 "bf 64'soft'03 68'resource'63'cpu' 64'hard'04 64'more'bfff ff");
	struct msg_exec_request request;
	struct msg_exec_exited exited;
	struct msg_rlimit limit;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(request.rlimits.count, 2);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "nofile");
	assert_true(limit.soft == 1 && limit.hard == 2);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "cpu");
	assert_true(limit.soft == 3 && limit.hard == 4);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
	assert_int_equal(decode(MSG_EXEC_EXITED,
				"a2 64'code'00 65'usage'a5 67'wall_us'03 63'new'f6 67'user_us'01"
				"6b'max_rss_kib'04 66'sys_us'02",
				&exited),
			 0);
	assert_true(exited.has_usage);
	assert_true(exited.usage.user_us == 1 && exited.usage.sys_us == 2);
	assert_true(exited.usage.wall_us == 3 && exited.usage.max_rss_kib == 4);
}

static void limit_that_is_malformed_is_refused_when_it_is_read(void **state)
{
	static const char *const limits[] = {
		"a0",
		"a2 64'soft'01 64'hard'02",
		"a2 68'resource'63'cpu' 64'hard'02",
		"a2 68'resource'63'cpu' 64'soft'02",
		"a3 68'resource'63'cpu' 64'soft'01 64'hard'f6",
		"a3 68'resource'63'cpu' 64'soft'20 64'hard'02",
		"a4 68'resource'63'cpu' 64'soft'01 64'hard'02 64'soft'01",
		"a4 68'resource'63'cpu' 64'soft'01 64'hard'02 00 00",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(limits); i++) {
		struct msg_exec_request request;
		struct msg_rlimit limit;
		char payload[160];

		snprintf(payload, sizeof(payload), "a2 63'cmd'61'x' 67'rlimits'81 %s", limits[i]);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		assert_int_equal(msg_decode(MSG_EXEC_REQUEST, bytes, &request), 0);
		assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), -EBADMSG);
	}
}

static void keys_may_be_byte_strings(void **state)
{
	struct msg_exec_resize resize;

	(void)state;
	assert_int_equal(decode(MSG_EXEC_RESIZE, "a2 44'rows'01 5804'cols'02", &resize), 0);
	assert_int_equal(resize.rows, 1);
	assert_int_equal(resize.cols, 2);
}

static void pixels_are_decoded_where_they_are_given(void **state)
{
	unit_held struct msg_bytes payload = unit_hex("a3 63'cmd'60 66'xpixel'19ffff 66'ypixel'07");
	struct msg_exec_request request;
	struct msg_exec_resize resize;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(request.xpixel, 65535);
	assert_int_equal(request.ypixel, 7);
	assert_int_equal(decode(MSG_EXEC_RESIZE,
				"a4 64'rows'01 64'cols'02 66'xpixel'f6 66'ypixel'04", &resize),
			 0);
	assert_int_equal(resize.xpixel, 0);
	assert_int_equal(resize.ypixel, 4);
	assert_int_equal(
		decode(MSG_EXEC_RESIZE, "a3 64'rows'01 64'cols'02 66'xpixel'1a00010000", &resize),
		-EBADMSG);
}

static void our_own_keys_are_decoded(void **state)
{
	unit_held struct msg_bytes payload = unit_hex(
		"a9 63'cmd'60 6a'timeout_ms'1a000186a0 6e'timeout_signal'02 6d'kill_after_ms'00"
		"69'linger_ms'00 6d'on_disconnect'66'hangup' 6b'login_shell'f5"
		"6c'stdin_window'f5 6d'output_window'1a00200000");
	unit_held struct msg_bytes close = unit_hex("a1 66'stream'66'stderr'");
	struct msg_exec_request request;
	struct msg_output_close closed;
	struct msg_exec_started started;
	struct msg_exec_exited exited;
	struct msg_credit credit;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(request.timeout_ms, 100000);
	assert_int_equal(request.timeout_signal, 2);
	assert_int_equal(request.kill_after_ms, 0);
	assert_true(request.has_linger);
	assert_int_equal(request.linger_ms, 0);
	assert_int_equal(msg_on_disconnect_parse(request.on_disconnect), MSG_DISCONNECT_HANGUP);
	assert_true(request.login_shell);
	assert_true(request.stdin_window);
	assert_int_equal(request.output_window, 2 * 1024 * 1024);
	assert_int_equal(
		decode(MSG_EXEC_STARTED, "a2 63'pid'07 6c'stdin_window'1a00080000", &started), 0);
	assert_int_equal(started.stdin_window, 512 * 1024);
	assert_int_equal(
		decode(MSG_EXEC_STDIN_CREDIT, "a1 68'consumed'1b0000000100000000", &credit), 0);
	assert_int_equal(credit.consumed, UINT64_C(1) << 32);
	assert_int_equal(decode(MSG_EXEC_OUTPUT_CREDIT, "a1 68'consumed'20", &credit), -EBADMSG);
	assert_int_equal(decode(MSG_EXEC_OUTPUT_CREDIT, "a0", &credit), -EBADMSG);
	assert_int_equal(msg_decode(MSG_EXEC_OUTPUT_CLOSE, close, &closed), 0);
	assert_int_equal(msg_stream_parse(closed.stream), MSG_STREAM_STDERR);
	assert_int_equal(decode(MSG_EXEC_EXITED,
				"a4 64'code'20 66'signal'0b 6b'core_dumped'f5 69'timed_out'f5",
				&exited),
			 0);
	assert_int_equal(exited.signal, 11);
	assert_true(exited.core_dumped && exited.timed_out && !exited.has_usage);
}

static void features_that_are_not_known_are_passed_over(void **state)
{
	struct msg_ready ready;

	(void)state;
	assert_int_equal(decode(MSG_READY,
				"a4 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
				"6d'exec_features'86 67'timeout' 66'pixel?' 65'usage' 60"
				"67'timeout' 66'linge?'",
				&ready),
			 0);
	assert_int_equal(ready.features, MSG_FEATURE_TIMEOUT | MSG_FEATURE_USAGE);
	assert_int_equal(decode(MSG_READY,
				"a4 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
				"6d'exec_features'9f 67'timeout' 66'linger' 6d'on_disconnect'"
				"6b'login_shell' 65'usage' 6c'output_close' ff",
				&ready),
			 0);
	assert_int_equal(ready.features, 0x3f);
}

int main(void)
{
	const struct CMUnitTest msg_decode_tests[] = {
		cmocka_unit_test(payload_that_is_no_map_is_refused),
		cmocka_unit_test(missing_required_key_is_refused),
		cmocka_unit_test(duplicate_of_a_known_key_is_refused),
		cmocka_unit_test(key_that_is_no_text_is_refused),
		cmocka_unit_test(null_where_a_value_must_be_is_refused),
		cmocka_unit_test(value_of_another_kind_is_refused),
		cmocka_unit_test(null_stands_for_an_absent_option),
		cmocka_unit_test(only_cmd_is_required_of_a_request),
		cmocka_unit_test(keys_come_in_any_order_and_unknown_ones_are_passed_over),
		cmocka_unit_test(unknown_keys_are_passed_over_inside_other_maps_too),
		cmocka_unit_test(limit_that_is_malformed_is_refused_when_it_is_read),
		cmocka_unit_test(keys_may_be_byte_strings),
		cmocka_unit_test(pixels_are_decoded_where_they_are_given),
		cmocka_unit_test(our_own_keys_are_decoded),
		cmocka_unit_test(features_that_are_not_known_are_passed_over),
	};

	return cmocka_run_group_tests(msg_decode_tests, NULL, NULL);
}
