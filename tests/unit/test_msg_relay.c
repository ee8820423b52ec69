/* What a relay adds to a request that it passes on, and that it changes nothing else. */
#include "unit.h"

#define LONG_KEY "7828'0123456789012345678901234567890123456789'"

/* The request as the agent gets it, of a payload in hex. */
static struct msg_exec_request pass(struct buf *out, const char *hex, const struct msg_windows *add)
{
	unit_held struct msg_bytes payload = unit_hex(hex);
	unit_held struct msg_bytes before = unit_copy(payload.ptr, payload.len);
	struct msg_exec_request request;
	struct msg_envelope envelope;
	struct frame frame;

	buf_init(out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put_request_with(out, 5, payload, add), 0);
	assert_memory_equal(payload.ptr, before.ptr, payload.len);
	envelope = unit_open(out, &frame);
	assert_int_equal(frame.id, 5);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, envelope.payload, &request), 0);
	return request;
}

static void windows_are_added_to_a_request_without(void **state)
{
	const struct msg_windows both = {.input = true, .output = 4096};
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
	const struct msg_windows both = {.input = true, .output = 4096};
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

static void keys_of_any_length_are_passed_on(void **state)
{
	const struct msg_windows output = {.output = 1};
	struct msg_exec_request request;
	struct buf out;

	(void)state;
	request = pass(&out, "a2" LONG_KEY "01 63'cmd'62'sh'", &output);
	unit_assert_text(request.cmd, "sh");
	assert_false(request.stdin_window);
	assert_int_equal(request.output_window, 1);
	buf_release(&out);
}

static void what_is_no_map_is_refused(void **state)
{
	unit_held struct msg_bytes payload = unit_hex("82 01 02"),
				   cut = unit_hex("a2 63'cmd'62'sh'");
	const struct msg_windows both = {.input = true, .output = 4096};
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put_request_with(&out, 5, payload, &both), -EBADMSG);
	assert_int_equal(msg_put_request_with(&out, 5, cut, &both), -EBADMSG);
	assert_int_equal(buf_len(&out), 0);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest relay_tests[] = {
		cmocka_unit_test(windows_are_added_to_a_request_without),
		cmocka_unit_test(windows_that_say_nothing_are_replaced),
		cmocka_unit_test(keys_of_any_length_are_passed_on),
		cmocka_unit_test(what_is_no_map_is_refused),
	};

	return cmocka_run_group_tests(relay_tests, NULL, NULL);
}
