/*
 * Envelopes: the frame's body with version, type and payload; the table of types; what is nested
 * too deep; and what is cut short anywhere.
 */
#include "unit.h"

static int open_body(struct msg_bytes body, struct msg_envelope *ret)
{
	const struct frame frame = {.id = 1, .body = body.ptr, .body_len = body.len};

	return msg_open(&frame, ret);
}

static void envelope_is_opened_in_any_form(void **state)
{
	static const char *const bodies[] = {
		"a3 61'v'07 61't'69'core.ping' 61'p'41a0",
		"a3 61'p'41a0 61't'69'core.ping' 61'v'07",
		"a3 41't'69'core.ping' 41'v'07 41'p'41a0",
		"bf 61'p'41a0 61'v'07 61't'69'core.ping' ff",
		"a5 61'v'07 61'x'82a0f6 61't'69'core.ping' 60 fb3ff8000000000000 61'p'41a0",
		"b90003 61'v'190007 61't'7809'core.ping' 61'p'5801a0",
		"d9d9f7 a3 61'v'c007 61't'c069'core.ping' 61'p'd84041a0",
		"a3 61'v'07 61't'7f64'core'60 65'.ping'ff 61'p'5f41a0ff",
		"a3 61'v'07 61't'69'core.ping' 61'p'8118a0",
		"a3 61'v'07 61't'69'core.ping' 61'p'9f18a0ff",
		"a3 61'v'07 61't'69'core.ping' 61'p'41a0 ff00 6161", /* what trails is not looked at
								      */
		"a3 61'v'fb401c000000000000 61't'69'core.ping' 61'p'41a0",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
		unit_held struct msg_bytes body = unit_hex(bodies[i]);
		struct msg_envelope envelope;

		if (open_body(body, &envelope) < 0)
			fail_msg("refused %s", bodies[i]);
		assert_int_equal(envelope.v, 7);
		assert_int_equal(envelope.type, MSG_PING);
		unit_assert_text(envelope.type_name, "core.ping");
		unit_assert_bytes(envelope.payload, "a0");
		assert_int_equal(msg_decode(MSG_PING, envelope.payload, NULL), 0);
	}
}

static void envelope_that_is_malformed_is_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"80",
		"ff",
		"f6",
		"60",
		"07",
		"a0",
		"c0",
		"a2 61't'69'core.ping' 61'p'41a0",
		"a2 61'v'07 61'p'41a0",
		"a3 61'v'20 61't'69'core.ping' 61'p'41a0",
		"a3 61'v'190100 61't'69'core.ping' 61'p'41a0",
		"a3 61'v'f6 61't'69'core.ping' 61'p'41a0",
		"a3 61'v'07 61't'49'core.ping' 61'p'41a0",
		"a3 61'v'07 61't'f6 61'p'41a0",
		"a3 61'v'07 61't'62c0af 61'p'41a0",
		"a4 61'v'07 61'v'07 61't'69'core.ping' 61'p'41a0",
		"a4 61'v'07 61't'69'core.ping' 61't'69'core.ping' 61'p'41a0",
		"a4 61'v'07 61't'69'core.ping' 61'p'41a0 61'p'41a0",
		"a4 61'v'07 61't'69'core.ping' 61'p'41a0 00 00",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
		unit_held struct msg_bytes body = unit_hex(bodies[i]);
		struct msg_envelope envelope;

		if (open_body(body, &envelope) != -EBADMSG)
			fail_msg("accepted %s", bodies[i]);
	}
}

/* The answer must name what it refuses, and its gate is the peer's version. */
static void refused_envelope_still_tells_its_type_and_version(void **state)
{
	static const char *const bodies[] = {
		"a2 61'v'05 61't'70'core.exec.exited'",
		"a3 61'v'05 61't'70'core.exec.exited' 61'p'f6",
		"a3 61'v'05 61't'70'core.exec.exited' 61'p'62'AB'",
		"a3 61'v'05 61't'70'core.exec.exited' 61'p'41",
		"a4 61'v'05 61't'70'core.exec.exited' 61'p'41a0 00",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
		unit_held struct msg_bytes body = unit_hex(bodies[i]);
		struct msg_envelope envelope;

		memset(&envelope, 0xee, sizeof(envelope));
		assert_int_equal(open_body(body, &envelope), -EBADMSG);
		assert_int_equal(envelope.v, 5);
		assert_int_equal(envelope.type, MSG_EXEC_EXITED);
		unit_assert_text(envelope.type_name, "core.exec.exited");
	}
}

static void version_of_a_peer_may_be_anything(void **state)
{
	(void)state;
	for (int v = 0; v < 256; v++) {
		struct msg_envelope envelope;
		char text[80];

		snprintf(text, sizeof(text), "a3 61'v'18%02x 61't'69'core.ping' 61'p'41a0", v);
		unit_held struct msg_bytes body = unit_hex(text);

		assert_int_equal(open_body(body, &envelope), 0);
		assert_int_equal(envelope.v, v);
	}
}

static void type_that_nobody_knows_is_unknown_but_named(void **state)
{
	static const char *const types[] = {
		"60",	    "69'core.nope'",  "68'core.pin'", "6a'core.pingx'", "69'Core.ping'",
		"64'core'", "6a'core.ping'00"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(types); i++) {
		struct msg_envelope envelope;
		char text[80];

		snprintf(text, sizeof(text), "a3 61'v'07 61't'%s 61'p'41a0", types[i]);
		unit_held struct msg_bytes body = unit_hex(text);

		assert_int_equal(open_body(body, &envelope), 0);
		assert_int_equal(envelope.type, MSG_UNKNOWN);
		assert_non_null(envelope.type_name.ptr);
		unit_assert_bytes(envelope.payload, "a0");
	}
}

struct type_row {
	enum msg_type type;
	const char *name;
	uint8_t flags;
};

/* The tables of sections 1, 3, 10 and 11, once more. */
static const struct type_row type_rows[] = {
	{MSG_READY, "core.ready", 0},
	{MSG_INIT_RESOLVED, "core.init.resolved", 0},
	{MSG_INIT_ACK, "core.init.ack", 0},
	{MSG_SHUTDOWN, "core.shutdown", 4},
	{MSG_RELAY_CLIENT_DISCONNECTED, "core.relay.client.disconnected", 0},
	{MSG_CLOCK_SYNC, "core.clock.sync", 0},
	{MSG_ERROR, "core.error", 1},
	{MSG_PING, "core.ping", 0},
	{MSG_PONG, "core.pong", 1},
	{MSG_TOUCH, "core.touch", 0},
	{MSG_TOUCHED, "core.touched", 1},
	{MSG_BOOTSTRAP, "core.bootstrap", 0},
	{MSG_EXEC_REQUEST, "core.exec.request", 2},
	{MSG_EXEC_STARTED, "core.exec.started", 0},
	{MSG_EXEC_STDIN, "core.exec.stdin", 0},
	{MSG_EXEC_STDIN_ERROR, "core.exec.stdin.error", 0},
	{MSG_EXEC_STDOUT, "core.exec.stdout", 0},
	{MSG_EXEC_STDERR, "core.exec.stderr", 0},
	{MSG_EXEC_EXITED, "core.exec.exited", 1},
	{MSG_EXEC_FAILED, "core.exec.failed", 1},
	{MSG_EXEC_RESIZE, "core.exec.resize", 0},
	{MSG_EXEC_SIGNAL, "core.exec.signal", 0},
	{MSG_EXEC_OUTPUT_CLOSE, "core.exec.output.close", 0},
	{MSG_EXEC_STDIN_CREDIT, "core.exec.stdin.credit", 0},
	{MSG_EXEC_OUTPUT_CREDIT, "core.exec.output.credit", 0},
	{MSG_FS_REQUEST, "core.fs.request", 2},
	{MSG_FS_DATA, "core.fs.data", 0},
	{MSG_FS_RESPONSE, "core.fs.response", 1},
	{MSG_TCP_CONNECT, "core.tcp.connect", 2},
	{MSG_TCP_DATA, "core.tcp.data", 0},
	{MSG_TCP_EOF, "core.tcp.eof", 0},
	{MSG_TCP_CLOSE, "core.tcp.close", 0},
	{MSG_TCP_FAILED, "core.tcp.failed", 1},
	{MSG_TRANSPORT_CREDIT, "core.workload.transport.credit", 0},
	{MSG_SESSION_LIST, "core.session.list", 2},
	{MSG_SESSION_ENTRY, "core.session.entry", 0},
	{MSG_SESSION_ATTACH, "core.session.attach", 2},
	{MSG_SESSION_INPUT, "core.session.input", 2},
	{MSG_SESSION_ATTACHED, "core.session.attached", 0},
	{MSG_SESSION_SKIPPED, "core.session.skipped", 0},
	{MSG_SESSION_DETACH, "core.session.detach", 0},
	{MSG_SESSION_REFUSED, "core.session.refused", 0},
	{MSG_SESSION_DETACHED, "core.session.detached", 1},
	{MSG_SESSION_SIGNAL, "core.session.signal", 2},
	{MSG_SESSION_REMOVE, "core.session.remove", 2},
	{MSG_SESSION_DONE, "core.session.done", 1},
};

static void types_have_their_names_and_flags(void **state)
{
	struct buf out;

	(void)state;
	assert_int_equal(UNIT_COUNT(type_rows), MSG_TYPE_COUNT - 1);
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	for (size_t i = 0; i < UNIT_COUNT(type_rows); i++) {
		const struct type_row *row = &type_rows[i];
		struct msg_envelope envelope;
		struct frame frame;

		assert_string_equal(msg_name(row->type), row->name);
		assert_int_equal(msg_flags(row->type), row->flags);
		assert_int_equal(msg_put_empty(&out, 9, row->type), 0);
		envelope = unit_open(&out, &frame);
		assert_int_equal(envelope.type, row->type);
		assert_int_equal(envelope.v, MSG_GENERATION);
		assert_int_equal(frame.flags, row->flags);
		unit_assert_bytes(envelope.payload, "a0");
		buf_consume(&out, frame.wire_len);
	}
	assert_null(out.data);
}

static void words_of_closed_sets_are_parsed(void **state)
{
	static const char *const failures[] = {
		"not_found",	     "permission_denied",
		"not_executable",    "bad_cwd",
		"bad_args",	     "resource_limit",
		"user_setup_failed", "out_of_memory",
		"pty_setup_failed",  "other",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(failures); i++)
		assert_int_equal(
			msg_failure_parse((struct msg_text){failures[i], strlen(failures[i])}), i);
	assert_int_equal(msg_failure_parse((struct msg_text){"others", 6}), -EINVAL);
	assert_int_equal(msg_failure_parse((struct msg_text){"othe", 4}), -EINVAL);
	assert_int_equal(msg_failure_parse((struct msg_text){"", 0}), -EINVAL);
	assert_int_equal(msg_on_disconnect_parse((struct msg_text){"kill", 4}),
			 MSG_DISCONNECT_KILL);
	assert_int_equal(msg_on_disconnect_parse((struct msg_text){"hangup", 6}),
			 MSG_DISCONNECT_HANGUP);
	assert_int_equal(msg_on_disconnect_parse((struct msg_text){"keep", 4}),
			 MSG_DISCONNECT_KEEP);
	assert_int_equal(msg_on_disconnect_parse((struct msg_text){"Kill", 4}), -EINVAL);
	assert_int_equal(msg_stream_parse((struct msg_text){"stdout", 6}), MSG_STREAM_STDOUT);
	assert_int_equal(msg_stream_parse((struct msg_text){"stderr", 6}), MSG_STREAM_STDERR);
	assert_int_equal(msg_stream_parse((struct msg_text){"stdin", 5}), -EINVAL);
	assert_int_equal(msg_stream_parse((struct msg_text){"timeout", 7}), -EINVAL);
	assert_int_equal(msg_attach_parse((struct msg_text){"take", 4}), MSG_ATTACH_TAKE);
	assert_int_equal(msg_attach_parse((struct msg_text){"wait", 4}), MSG_ATTACH_WAIT);
	assert_int_equal(msg_attach_parse((struct msg_text){"waits", 5}), -EINVAL);
	assert_int_equal(msg_detached_parse((struct msg_text){"asked", 5}), MSG_DETACHED_ASKED);
	assert_int_equal(msg_detached_parse((struct msg_text){"done", 4}), MSG_DETACHED_DONE);
	assert_int_equal(msg_detached_parse((struct msg_text){"", 0}), -EINVAL);
}

static void name_of_a_session_is_a_word_and_no_id(void **state)
{
	static const char *const good[] = {"a",
					   "build",
					   "Build-2.x_y",
					   "0",
					   "0123456789ab0",
					   "0123456789aB",
					   "0123456789a-",
					   "01234567890"};
	static const char *const bad[] = {"",	 ".a",		 "-a",		"_a",
					  "a b", "a/b",		 "a:b",		"\xc3\xa4",
					  "a\n", "0123456789ab", "ffffffffffff"};
	char longest[MSG_SESSION_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(good); i++)
		if (!msg_is_session_name((struct msg_text){good[i], strlen(good[i])}))
			fail_msg("refused %s", good[i]);
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		if (msg_is_session_name((struct msg_text){bad[i], strlen(bad[i])}))
			fail_msg("took %s", bad[i]);
	assert_false(msg_is_session_name((struct msg_text){"a\0b", 3}));
	memset(longest, 'a', sizeof(longest));
	assert_true(msg_is_session_name((struct msg_text){longest, sizeof(longest) - 1}));
	assert_false(msg_is_session_name((struct msg_text){longest, sizeof(longest)}));
}

/* ---- depth ---- */

/* {"signal": 15, "x": value}, where value opens count times what open says, and closes it. */
static int decode_nested(const char *open, const char *inner, const char *close, size_t count)
{
	unit_held struct msg_bytes head = unit_hex("a2 66'signal'0f 61'x'"), core = unit_hex(inner);
	unit_held struct msg_bytes opened = unit_hex(open), closed = unit_hex(close), payload;
	struct msg_exec_signal signal;
	uint8_t *at;

	payload.len = head.len + core.len + count * (opened.len + closed.len);
	at = payload.ptr = malloc(payload.len);
	assert_non_null(at);
	at = mempcpy(at, head.ptr, head.len);
	for (size_t i = 0; i < count; i++)
		at = mempcpy(at, opened.ptr, opened.len);
	at = mempcpy(at, core.ptr, core.len);
	for (size_t i = 0; i < count; i++)
		at = mempcpy(at, closed.ptr, closed.len);
	return msg_decode(MSG_EXEC_SIGNAL, payload, &signal);
}

static void unknown_value_may_be_nested_256_deep(void **state)
{
	(void)state;
	assert_int_equal(decode_nested("81", "00", "", 256), 0);
	assert_int_equal(decode_nested("81", "00", "", 257), -EBADMSG);
	assert_int_equal(decode_nested("9f", "00", "ff", 256), 0);
	assert_int_equal(decode_nested("9f", "00", "ff", 257), -EBADMSG);
	assert_int_equal(decode_nested("a16161", "00", "", 256), 0);
	assert_int_equal(decode_nested("a16161", "00", "", 257), -EBADMSG);
	assert_int_equal(decode_nested("bf6161", "80", "ff", 255), 0);
	assert_int_equal(decode_nested("bf6161", "80", "ff", 256), -EBADMSG);
	/* As a map's key. */
	assert_int_equal(decode_nested("a1", "80", "00", 255), 0);
	assert_int_equal(decode_nested("a1", "80", "00", 256), -EBADMSG);
}

/* A peer's frame has 4 MiB: no depth of it may eat the stack, no count the time. */
static void depth_and_counts_that_are_absurd_are_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_nested("81", "00", "", 4000000), -EBADMSG);
	assert_int_equal(decode_nested("9f", "00", "ff", 2000000), -EBADMSG);
	assert_int_equal(decode_nested("bf6161", "00", "ff", 1000000), -EBADMSG);
	assert_int_equal(decode_nested("5f", "00", "ff", 2000000), -EBADMSG);
	assert_int_equal(decode_nested("c1", "00", "", 4000000), 0);
	assert_int_equal(decode_nested("", "9bffffffffffffffff", "", 1), -EBADMSG);
	assert_int_equal(decode_nested("", "bbffffffffffffffff", "", 1), -EBADMSG);
	assert_int_equal(decode_nested("", "bb8000000000000000", "", 1), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest msg_open_tests[] = {
		cmocka_unit_test(envelope_is_opened_in_any_form),
		cmocka_unit_test(envelope_that_is_malformed_is_refused),
		cmocka_unit_test(refused_envelope_still_tells_its_type_and_version),
		cmocka_unit_test(version_of_a_peer_may_be_anything),
		cmocka_unit_test(type_that_nobody_knows_is_unknown_but_named),
		cmocka_unit_test(types_have_their_names_and_flags),
		cmocka_unit_test(words_of_closed_sets_are_parsed),
		cmocka_unit_test(name_of_a_session_is_a_word_and_no_id),
		cmocka_unit_test(unknown_value_may_be_nested_256_deep),
		cmocka_unit_test(depth_and_counts_that_are_absurd_are_refused),
	};

	return cmocka_run_group_tests(msg_open_tests, NULL, NULL);
}
