/*
 * The many ways to write a byte string, a text, a list or a map, and what is none of them. Strings
 * in pieces are put together in place: what stands around them must not suffer.
 */
#include "unit.h"

static void bytes_may_come_in_many_forms(void **state)
{
	static const char *const abc[] = {
		"43'abc'",
		"5803'abc'",
		"590003'abc'",
		"5a00000003'abc'",
		"5b0000000000000003'abc'",
		"d84043'abc'",
		"c0 d840 43'abc'",
		"5f 43'abc' ff",
		"5f 41'a' 40 42'bc' ff",
		"5f 41'a' 5801'b' 590001'c' ff",
		"d840 5f 43'abc' ff",
		"83 1861 1862 1863",
		"9803 1861 1862 1863",
		"9f 1861 190062 1b0000000000000063 ff",
		"83 c01861 c24162 fa42c60000",
	};
	static const char *const nothing[] = {"40", "5800", "5fff",  "5f40ff",
					      "80", "9fff", "d84040"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(abc) + UNIT_COUNT(nothing); i++) {
		const char *data = i < UNIT_COUNT(abc) ? abc[i] : nothing[i - UNIT_COUNT(abc)];
		struct msg_data message;
		char payload[128];

		/* A key follows, so that pieces put together in place do not reach into it. */
		snprintf(payload, sizeof(payload), "a3 61'?'00 64'data'%s 63'end'9f6161ff", data);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		if (msg_decode(MSG_EXEC_STDIN, bytes, &message) < 0)
			fail_msg("refused %s", payload);
		unit_assert_bytes(message.data, i < UNIT_COUNT(abc) ? "'abc'" : "");
	}
}

static void what_is_no_bytes_is_refused(void **state)
{
	static const char *const values[] = {
		"62'AB'",
		"7f62'AB'ff",
		"00",
		"f5",
		"f6",
		"a0",
		"ff",
		/* arrays of what is no byte */
		"8120",
		"81190100",
		"8161'a'",
		"8180",
		"81f6",
		"81f93800",
		"9f",
		"9f01",
		"9f01f6ff",
		/* pieces of another kind, nested or open */
		"5f",
		"5f41'a'",
		"5f61'a'ff",
		"5f5f41'a'ffff",
		"5f00ff",
		"5f80ff",
		"5ff6ff",
		/* a tag before a piece or before the end */
		"5fc141'a'ff",
		"5fd84041'a'ff",
		"5f41'a'c1ff",
		"9f00d840ff",
		"42'a'",
		"58",
		"5b7fffffffffffffff'a'",
		"5bffffffffffffffff'a'",
		"8201",
		"9bffffffffffffffff01",
		"9b7fffffffffffffff",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(values); i++) {
		struct msg_data message;
		char payload[128];

		snprintf(payload, sizeof(payload), "a1 64'data' %s", values[i]);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		if (msg_decode(MSG_EXEC_STDIN, bytes, &message) != -EBADMSG)
			fail_msg("accepted %s", payload);
	}
}

static void texts_may_come_in_many_forms(void **state)
{
	static const char *const texts[] = {
		"64'a'c3a9'b'",
		"7804'a'c3a9'b'",
		"7b0000000000000004'a'c3a9'b'",
		"c0 64'a'c3a9'b'",
		"7f 64'a'c3a9'b' ff",
		"7f 61'a' 60 62c3a9 61'b' ff",
		"d81e 7f 7801'a' 63c3a9'b' ff",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct msg_exec_request request;
		struct msg_text text;
		char payload[200];

		snprintf(payload, sizeof(payload),
			 "a4 64'args'83 61'1' %s 61'3' 63'cwd'%s"
			 "63'cmd'%s 64'user'61'u'",
			 texts[i], texts[i], texts[i]);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		if (msg_decode(MSG_EXEC_REQUEST, bytes, &request) < 0)
			fail_msg("refused %s", payload);
		unit_assert_text(request.cmd, "a\xc3\xa9"
					      "b");
		unit_assert_text(request.cwd, "a\xc3\xa9"
					      "b");
		unit_assert_text(request.user, "u");
		assert_int_equal(request.args.count, 3);
		/* Who looks before leaves it as it is, for who comes then. */
		struct msg_list before = request.args;
		uint8_t room[16];

		assert_int_equal(msg_peek_text(&before, room, sizeof(room), &text), 1);
		unit_assert_text(text, "1");
		assert_int_equal(msg_peek_text(&before, room, sizeof(room), &text), 1);
		unit_assert_text(text, "a\xc3\xa9"
				       "b");
		assert_int_equal(msg_peek_text(&before, room, sizeof(room), &text), 1);
		unit_assert_text(text, "3");
		assert_int_equal(msg_peek_text(&before, room, sizeof(room), &text), 0);
		assert_int_equal(msg_next_text(&request.args, &text), 1);
		unit_assert_text(text, "1");
		assert_int_equal(msg_next_text(&request.args, &text), 1);
		unit_assert_text(text, "a\xc3\xa9"
				       "b");
		assert_int_equal(msg_next_text(&request.args, &text), 1);
		unit_assert_text(text, "3");
		assert_int_equal(msg_next_text(&request.args, &text), 0);
	}
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	static const char *const texts[] = {
		"61ff",	    "6180",	    "62c0af",	   "63eda080",	   "61c3",
		"7f61ffff", "7f61c361a9ff", "64f4908080",  "7f41'a'ff",	   "7f7f61'a'ffff",
		"7f00ff",   "7f",	    "7fc161'a'ff", "7f61'a'd840ff"};
	static const char *const places[] = {
		"a1 63'cmd'%s",
		"a2 63'cmd'60 63'cwd'%s",
		"a2 63'cmd'60 64'user'%s",
		"a2 63'cmd'60 64'args'82 60 %s",
		"a2 63'cmd'60 63'env'9f %s ff",
		"a2 63'cmd'60 6d'on_disconnect'%s",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts) * UNIT_COUNT(places); i++) {
		struct msg_exec_request request;
		char payload[128];

		snprintf(payload, sizeof(payload), places[i % UNIT_COUNT(places)],
			 texts[i / UNIT_COUNT(places)]);
		unit_held struct msg_bytes bytes = unit_hex(payload);

		if (msg_decode(MSG_EXEC_REQUEST, bytes, &request) != -EBADMSG)
			fail_msg("accepted %s", payload);
	}
}

/* A limit is passed over first and read later: nothing may be put together on the first pass. */
static void texts_in_pieces_are_whole_inside_limits(void **state)
{
	unit_held struct msg_bytes payload =
		unit_hex("a2 63'cmd'60 67'rlimits'82"
			 "a4 61'?'5f 42'ab' 42'cd' ff 68'resource'7f 63'nof' 63'ile' ff 64'soft'01 "
			 "64'hard'02"
			 "a4 7f 64'reso' 64'urce' ff 7f 61'c' 62'pu' ff 61'?'7f 62'ab' 62'cd' ff"
			 "64'soft'03 64'hard'04");
	struct msg_exec_request request;
	struct msg_rlimit limit;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "nofile");
	assert_true(limit.soft == 1 && limit.hard == 2);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "cpu");
	assert_true(limit.soft == 3 && limit.hard == 4);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
}

static void maps_and_lists_may_be_open_ended(void **state)
{
	unit_held struct msg_bytes payload =
		unit_hex("bf 63'cmd'61'x' 64'args'9f 61'a' 61'b' ff 63'env'9fff 67'rlimits'9f"
			 "bf 68'resource'63'cpu' 64'soft'01 64'hard'02 ff ff 63'tty'f5 ff");
	struct msg_exec_request request;
	struct msg_rlimit limit;
	struct msg_text text;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
	assert_int_equal(request.args.count, 2);
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	unit_assert_text(text, "b");
	assert_int_equal(msg_next_text(&request.args, &text), 0);
	assert_int_equal(request.env.count, 0);
	assert_int_equal(msg_next_text(&request.env, &text), 0);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "cpu");
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
	assert_true(request.tty);
}

static void break_in_the_wrong_place_is_refused(void **state)
{
	static const char *const payloads[] = {
		"a1 ff 0f",
		"a1 66'signal' ff",
		"bf 66'signal' ff",
		"bf 66'signal' 0f",
		"bf 66'signal' 0f 61'x' ff",
		"bf 66'signal' 0f 61'x' 81 ff ff",
		"bf 66'signal' 0f c1ff",
		"bf 66'signal' 0f d840ff",
		"bf 66'signal' 0f 61'x' a1 61'y' ff ff",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(payloads); i++) {
		unit_held struct msg_bytes bytes = unit_hex(payloads[i]);
		struct msg_exec_signal signal;

		if (msg_decode(MSG_EXEC_SIGNAL, bytes, &signal) != -EBADMSG)
			fail_msg("accepted %s", payloads[i]);
	}
}

int main(void)
{
	const struct CMUnitTest msg_string_tests[] = {
		cmocka_unit_test(bytes_may_come_in_many_forms),
		cmocka_unit_test(what_is_no_bytes_is_refused),
		cmocka_unit_test(texts_may_come_in_many_forms),
		cmocka_unit_test(text_that_is_not_utf8_is_refused),
		cmocka_unit_test(texts_in_pieces_are_whole_inside_limits),
		cmocka_unit_test(maps_and_lists_may_be_open_ended),
		cmocka_unit_test(break_in_the_wrong_place_is_refused),
	};

	return cmocka_run_group_tests(msg_string_tests, NULL, NULL);
}
