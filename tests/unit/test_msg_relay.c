/*
 * What a relay makes of a request: windows are added, and all else that it understood is said again
 * and as it was, however it was written. What it did not understand is not passed on.
 */
#include "unit.h"

#define LONG_KEY "7828'0123456789012345678901234567890123456789'"

/* The request as the agent gets it, of a payload in hex. */
static struct msg_exec_request pass(struct buf *out, const char *hex, const struct msg_relayed *add)
{
	unit_held struct msg_bytes payload = unit_hex(hex);
	struct msg_exec_request request;
	struct msg_envelope envelope;
	struct frame frame;

	buf_init(out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(msg_put_request_with(out, 5, &request, add), 0);
	envelope = unit_open(out, &frame);
	assert_int_equal(frame.id, 5);
	assert_int_equal(frame.wire_len, buf_len(out));
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, envelope.payload, &request), 0);
	return request;
}

static void windows_are_added_to_a_request_without(void **state)
{
	const struct msg_relayed both = {.input = true, .output = 4096};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	request = pass(&out, "a2 63'cmd'62'sh' 63'tty'f5", &both);
	unit_assert_text(request.cmd, "sh");
	assert_true(request.tty);
	assert_true(request.stdin_window);
	assert_int_equal(request.output_window, 4096);
	buf_release(&out);
}

static void windows_that_say_nothing_are_replaced(void **state)
{
	const struct msg_relayed both = {.input = true, .output = 4096};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	/* The second key in pieces. */
	request = pass(&out, "bf 63'cmd'62'sh' 6c'stdin_window'f4 7f66'output'67'_window'ff 00 ff",
		       &both);
	unit_assert_text(request.cmd, "sh");
	assert_true(request.stdin_window);
	assert_int_equal(request.output_window, 4096);
	buf_release(&out);
}

static void keys_of_any_length_disturb_nothing(void **state)
{
	const struct msg_relayed output = {.output = 1};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	request = pass(&out, "a2" LONG_KEY "01 63'cmd'62'sh'", &output);
	unit_assert_text(request.cmd, "sh");
	assert_false(request.stdin_window);
	assert_int_equal(request.output_window, 1);
	buf_release(&out);
}

/* A key that was longer than the patching of old would read stayed, and then stood there twice. */
static void a_window_in_forty_pieces_is_still_that_window(void **state)
{
	const struct msg_relayed output = {.output = 4096};
	struct msg_exec_request request;
	char hex[512], empty[40 * 2 + 1];
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(empty) - 1; i += 2)
		memcpy(empty + i, "60", 2);
	empty[sizeof(empty) - 1] = '\0';
	snprintf(hex, sizeof(hex), "bf 63'cmd'62'sh' 7f%s66'output'67'_window'ff 07 ff", empty);
	request = pass(&out, hex, &output);
	unit_assert_text(request.cmd, "sh");
	assert_int_equal(request.output_window, 4096);
	buf_release(&out);
}

static void what_goes_out_is_written_one_way(void **state)
{
	static const char *const payloads[] = {
		"a4 63'cmd'62'sh' 64'args'82 61'a'61'b' 63'odd'01 64'rows'05",
		"bf 63'odd'7f62'no'60ff 64'args'9f 7f61'a'60ff c0 7801'b' ff"
		"43'cmd' 7f61's'61'h'ff 64'rows'f94500 ff 63'cmd'62'no'",
		"b90005 64'rows'c24105 63'cwd'f7 7f60 64'args'60ff 82 61'a'7f60 61'b'ff"
		"63'cmd'7802'sh' 6c'stdin_window'f4",
	};
	const struct msg_relayed input = {.input = true};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		struct msg_exec_request request = pass(&out, payloads[i], &input);

		unit_assert_text(request.cmd, "sh");
		unit_assert_bytes(unit_payload(&out, MSG_EXEC_REQUEST, 5),
				  "aa 63'cmd'62'sh' 64'args'82 61'a'61'b' 63'env'80 63'cwd'f6"
				  "64'user'f6 63'tty'f4 64'rows'05 64'cols'1850 67'rlimits'80"
				  "6c'stdin_window'f5");
		buf_release(&out);
	}
}

static void lists_keep_their_order_and_what_is_twice(void **state)
{
	static const char *const args[] = {"b", "a", "", "b", "o\xc3\xb6"};
	static const char *const env[] = {"A=1", "B", "A=2"};
	const struct msg_relayed both = {.input = true, .output = 4096};
	struct msg_exec_request request;
	struct msg_rlimit limit;
	struct msg_text text;
	struct buf out;

	(void)state;
	request = pass(&out,
		       "a4 63'cmd'60 64'args'9f 61'b' 7f61'a'ff 7fff 7801'b' 7f61'o'62 c3b6 ff ff"
		       "63'env'83 63'A=1' 61'B' 63'A=2'"
		       "67'rlimits'9f a3 64'hard'fa5f000000 7f64'soft'ff 00 48'resource'63'cpu'"
		       "bf 68'resource'7f62'no'64'file'ff 64'soft'1bffffffffffffffff"
		       "64'hard'c248ffffffffffffffff 63'odd'a0 ff ff",
		       &both);
	assert_int_equal(request.args.count, UNIT_COUNT(args));
	for (size_t i = 0; i < UNIT_COUNT(args); i++) {
		assert_int_equal(msg_next_text(&request.args, &text), 1);
		unit_assert_text(text, args[i]);
	}
	assert_int_equal(request.env.count, UNIT_COUNT(env));
	for (size_t i = 0; i < UNIT_COUNT(env); i++) {
		assert_int_equal(msg_next_text(&request.env, &text), 1);
		unit_assert_text(text, env[i]);
	}
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "cpu");
	assert_true(limit.soft == 0 && limit.hard == UINT64_C(1) << 63);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "nofile");
	assert_true(limit.soft == UINT64_MAX && limit.hard == UINT64_MAX);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
	buf_release(&out);
}

static void every_key_of_ours_is_said_again(void **state)
{
	const struct msg_relayed both = {.input = true, .output = 4096};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	request = pass(&out,
		       "b3 63'cmd'60 63'cwd'60 64'user'63'1:1' 63'tty'f5 64'rows'00 64'cols'190100"
		       "66'xpixel'00 66'ypixel'07 6a'timeout_ms'1b0000000100000000"
		       "6e'timeout_signal'20 6d'kill_after_ms'00 69'linger_ms'00"
		       "6d'on_disconnect'64'what' 6b'login_shell'f5 6d'output_window'00"
		       "6a'user_shell'f5 64'name'61'n' 67'hold_ms'1903e8 67'for_uid'00",
		       &both);
	unit_assert_text(request.cmd, "");
	unit_assert_text(request.cwd, "");
	unit_assert_text(request.user, "1:1");
	assert_true(request.tty && request.login_shell && request.has_linger);
	assert_true(request.user_shell);
	assert_int_equal(request.rows, 0);
	assert_int_equal(request.cols, 256);
	assert_int_equal(request.xpixel, 0);
	assert_int_equal(request.ypixel, 7);
	assert_true(request.timeout_ms == UINT64_C(1) << 32);
	assert_int_equal(request.timeout_signal, -1);
	assert_int_equal(request.kill_after_ms, 0);
	assert_int_equal(request.linger_ms, 0);
	unit_assert_text(request.on_disconnect, "what");
	unit_assert_text(request.name, "n");
	assert_int_equal(request.hold_ms, 1000);
	/* Which is not the client's to say. */
	assert_false(request.has_for_uid);
	assert_true(request.stdin_window);
	assert_int_equal(request.output_window, 4096);
	buf_release(&out);
}

/* However it was said, it is said once, and by the relay. */
static void whose_it_is_the_relay_says(void **state)
{
	static const char *const payloads[] = {
		"a1 63'cmd'62'sh'",
		"a2 63'cmd'62'sh' 67'for_uid'00",
		"bf 7f 64'for_' 63'uid' ff 00 63'cmd'62'sh' ff",
		"a2 63'cmd'62'sh' 47'for_uid'00",
		"b90002 63'cmd'62'sh' 7807'for_uid'fb0000000000000000",
		"a2 63'cmd'62'sh' 67'for_uid'c24100",
		"a2 63'cmd'62'sh' 67'for_uid'f6",
	};
	const struct msg_relayed named = {.has_for_uid = true, .for_uid = 1000}, unnamed = {0};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		request = pass(&out, payloads[i], &named);
		assert_true(request.has_for_uid && request.for_uid == 1000);
		unit_assert_bytes(unit_payload(&out, MSG_EXEC_REQUEST, 5),
				  "aa 63'cmd'62'sh' 64'args'80 63'env'80 63'cwd'f6 64'user'f6"
				  "63'tty'f4 64'rows'1818 64'cols'1850 67'rlimits'80"
				  "67'for_uid'1903e8");
		buf_release(&out);
		request = pass(&out, payloads[i], &unnamed);
		assert_false(request.has_for_uid);
		buf_release(&out);
	}
}

static void what_was_not_given_is_the_same_as_before(void **state)
{
	const struct msg_relayed input = {.input = true};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	request = pass(&out, "a3 63'cmd'61'x' 64'user'f6 69'linger_ms'f7", &input);
	assert_null(request.cwd.ptr);
	assert_null(request.user.ptr);
	assert_null(request.on_disconnect.ptr);
	assert_false(request.tty || request.has_linger || request.login_shell);
	assert_int_equal(request.rows, 24);
	assert_int_equal(request.cols, 80);
	assert_int_equal(request.timeout_ms, 0);
	assert_int_equal(request.timeout_signal, 15);
	assert_int_equal(request.kill_after_ms, 5000);
	assert_int_equal(request.output_window, 0);
	buf_release(&out);
}

static void a_limit_that_is_none_is_not_passed_on(void **state)
{
	static const char *const limits[] = {
		"a0",
		"a3 68'resource'63'cpu' 64'soft'01 64'hard'f6",
		"a4 68'resource'63'cpu' 64'soft'01 64'hard'02 64'soft'01",
	};
	const struct msg_relayed input = {.input = true};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(limits); i++) {
		struct msg_exec_request request;
		char hex[256];
		struct buf out;

		snprintf(hex, sizeof(hex), "a2 63'cmd'61'x' 67'rlimits'81 %s", limits[i]);
		unit_held struct msg_bytes payload = unit_hex(hex);

		buf_init(&out, FRAME_WIRE_MAX, NULL);
		assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
		assert_int_equal(msg_put_request_with(&out, 5, &request, &input), -EBADMSG);
		assert_int_equal(buf_len(&out), 0);
		buf_release(&out);
	}
}

/* Limits that get longer do so within the room that was made for them. */
static void many_limits_in_short_floats_have_room(void **state)
{
	enum { COUNT = 1000 };
	const struct msg_relayed both = {.input = true, .output = 4096};
	struct msg_exec_request request;
	char *hex = malloc(64 + COUNT * 80), *end;
	struct msg_rlimit limit;
	struct buf out;

	(void)state;
	assert_non_null(hex);
	end = hex + sprintf(hex, "a2 63'cmd'61'x' 67'rlimits'9903e8");
	for (int i = 0; i < COUNT; i++)
		end += sprintf(end, "a3 68'resource'60 64'soft'fa5f000000 64'hard'fa5f000000");
	request = pass(&out, hex, &both);
	assert_int_equal(request.rlimits.count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
		assert_true(limit.hard == UINT64_C(1) << 63);
	}
	free(hex);
	buf_release(&out);
}

static void a_payload_is_passed_on_to_its_end_and_no_further(void **state)
{
	static const char *const payloads[][2] = {
		{"a0", ""},
		{"b90001 63'cmd' d840 40", "a0"},
		{"bf 7f61'a'60ff 5f41'a'ff 41ff 01 5fff 02 ff", "ff"},
		{"c1 a1 63'cmd' 83 f6 fb3ff8000000000000 9f a0 ff", "00"},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		char hex[256];
		struct buf out;

		snprintf(hex, sizeof(hex), "%s%s", payloads[i][0], payloads[i][1]);
		unit_held struct msg_bytes payload = unit_hex(hex);
		unit_held struct msg_bytes before = unit_copy(payload.ptr, payload.len);

		buf_init(&out, FRAME_WIRE_MAX, NULL);
		assert_int_equal(msg_put_payload(&out, 5, MSG_FS_DATA, payload), 0);
		assert_memory_equal(payload.ptr, before.ptr, payload.len);
		unit_assert_bytes(unit_payload(&out, MSG_FS_DATA, 5), payloads[i][0]);
		buf_release(&out);
	}
}

/* Whoever skips the whole must not find it deeper than who decoded it, part by part. */
static void what_decodes_can_be_passed_on(void **state)
{
	static const char *const begins[] = {"a2 63'cmd'60 63'odd'",
					     "a2 63'cmd'60 67'rlimits'81 a1 60"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(begins); i++) {
		bool decoded = true;

		for (int depth = 250; depth < 260; depth++) {
			char hex[1024];
			size_t len = (size_t)sprintf(hex, "%s", begins[i]);
			struct msg_exec_request request;
			struct buf out;

			for (int at = 0; at < depth; at++)
				len += (size_t)sprintf(hex + len, "81");
			sprintf(hex + len, "00");
			unit_held struct msg_bytes payload = unit_hex(hex);
			unit_held struct msg_bytes copy = unit_copy(payload.ptr, payload.len);

			buf_init(&out, FRAME_WIRE_MAX, NULL);
			decoded = msg_decode(MSG_EXEC_REQUEST, copy, &request) == 0;
			assert_true(decoded || depth > 250);
			assert_int_equal(msg_put_payload(&out, 5, MSG_EXEC_REQUEST, payload),
					 decoded ? 0 : -EBADMSG);
			buf_release(&out);
		}
		assert_false(decoded);
	}
}

static void credit_is_as_large_as_it_was_given(void **state)
{
	struct msg_credit credit;
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put_credit(&out, 5, MSG_EXEC_OUTPUT_CREDIT, UINT64_MAX), 0);
	assert_int_equal(msg_decode(MSG_EXEC_OUTPUT_CREDIT,
				    unit_payload(&out, MSG_EXEC_OUTPUT_CREDIT, 5), &credit),
			 0);
	assert_true(credit.consumed == UINT64_MAX);
	buf_release(&out);
}

/* No agent takes them; one that is old dies of them. */
static void keys_that_are_none_are_refused(void **state)
{
	static const char *const keys[] = {"00",	"f6",	     "8163'cmd'", "831863186d1864",
					   "7f41'a'ff", "5f61'a'ff", "a0",	  "61ff"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(keys); i++) {
		struct msg_exec_request request;
		struct buf out;
		char hex[64];

		snprintf(hex, sizeof(hex), "a2 63'cmd'60 %s 60", keys[i]);
		unit_held struct msg_bytes payload = unit_hex(hex);

		buf_init(&out, FRAME_WIRE_MAX, NULL);
		assert_int_equal(msg_check(payload), -EBADMSG);
		assert_int_equal(msg_put_payload(&out, 5, MSG_FS_REQUEST, payload), -EBADMSG);
		assert_int_equal(buf_len(&out), 0);
		if (msg_decode(MSG_EXEC_REQUEST, payload, &request) != -EBADMSG)
			fail_msg("accepted %s", hex);
		buf_release(&out);
	}
}

static void what_is_no_map_is_refused(void **state)
{
	unit_held struct msg_bytes payload = unit_hex("82 01 02"),
				   cut = unit_hex("a2 63'cmd'62'sh'");
	const struct msg_bytes nothing = {0};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put_payload(&out, 5, MSG_EXEC_REQUEST, payload), -EBADMSG);
	assert_int_equal(msg_put_payload(&out, 5, MSG_EXEC_REQUEST, cut), -EBADMSG);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), -EBADMSG);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, cut, &request), -EBADMSG);
	/* Nor is nothing, which may be at NULL. */
	assert_int_equal(msg_put_payload(&out, 5, MSG_EXEC_REQUEST, nothing), -EBADMSG);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, nothing, &request), -EBADMSG);
	assert_int_equal(buf_len(&out), 0);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest relay_tests[] = {
		cmocka_unit_test(windows_are_added_to_a_request_without),
		cmocka_unit_test(windows_that_say_nothing_are_replaced),
		cmocka_unit_test(keys_of_any_length_disturb_nothing),
		cmocka_unit_test(a_window_in_forty_pieces_is_still_that_window),
		cmocka_unit_test(what_goes_out_is_written_one_way),
		cmocka_unit_test(lists_keep_their_order_and_what_is_twice),
		cmocka_unit_test(every_key_of_ours_is_said_again),
		cmocka_unit_test(whose_it_is_the_relay_says),
		cmocka_unit_test(what_was_not_given_is_the_same_as_before),
		cmocka_unit_test(a_limit_that_is_none_is_not_passed_on),
		cmocka_unit_test(many_limits_in_short_floats_have_room),
		cmocka_unit_test(a_payload_is_passed_on_to_its_end_and_no_further),
		cmocka_unit_test(what_decodes_can_be_passed_on),
		cmocka_unit_test(credit_is_as_large_as_it_was_given),
		cmocka_unit_test(keys_that_are_none_are_refused),
		cmocka_unit_test(what_is_no_map_is_refused),
	};

	return cmocka_run_group_tests(relay_tests, NULL, NULL);
}
