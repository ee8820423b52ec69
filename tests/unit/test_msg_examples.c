/*
 * The examples of the protocol's description (section 9), both ways: what we encode is, byte for
 * byte, what the reference encodes, and what the reference and cbor-x encode is understood.
 */
#include "unit.h"

#define READY                                                                                      \
	"000000460000000000a361760761746a636f72652e72656164796170582ca36c626f6f745f74696d655f6e73" \
	"016c696e69745f74696d655f6e73026d72656164795f74696d655f6e7303"
#define REQUEST_TRUE                                                                               \
	"000000620000000102a3617607617471636f72652e657865632e7265717565737461705841a963636d64692f" \
	"62696e2f7472756564617267738063656e768063637764f66475736572f663747479f464726f777318186463" \
	"6f6c73185067726c696d69747380"
#define REQUEST_ALL                                                                                \
	"000000940000000202a3617607617471636f72652e657865632e7265717565737461705873a963636d646273" \
	"68646172677382622d6362696463656e768163413d3163637764642f746d70647573657263313a3163747479" \
	"f564726f7773182864636f6c7319012c67726c696d69747381a3687265736f75726365666e6f66696c656473" \
	"6f667419040064686172641bffffffffffffffff"
#define STARTED \
	"000000280000000100a3617607617471636f72652e657865632e73746172746564617048a1637069641904d2"
#define STDIN_HI \
	"000000280000000100a361760761746f636f72652e657865632e737464696e61704aa164646174614368690a"
#define STDIN_EOF \
	"000000250000000100a361760761746f636f72652e657865632e737464696e617047a1646461746140"
#define STDOUT_HI                                                                                  \
	"000000290000000100a3617607617470636f72652e657865632e7374646f757461704aa16464617461436869" \
	"0a"
#define EXITED_0 \
	"000000260000000101a3617607617470636f72652e657865632e657869746564617047a164636f646500"
#define EXITED_MINUS_1 \
	"000000260000000101a3617607617470636f72652e657865632e657869746564617047a164636f646520"
#define FAILED                                                                                     \
	"000000500000000101a3617607617470636f72652e657865632e6661696c656461705830a5646b696e64656f" \
	"74686572656572726e6ff66a6572726e6f5f6e616d65f6676d6573736167656178657374616765f6"
#define RESIZE                                                                                     \
	"0000002e0000000100a3617607617470636f72652e657865632e726573697a6561704fa264726f7773183264" \
	"636f6c731884"
#define SIGNAL_15 \
	"000000280000000100a3617607617470636f72652e657865632e7369676e616c617049a1667369676e616c0f"
#define PING	 "000000190000000100a3617607617469636f72652e70696e67617041a0"
#define PONG	 "000000190000000101a3617607617469636f72652e706f6e67617041a0"
#define SHUTDOWN "0000001d0000000004a361760761746d636f72652e73687574646f776e617041f6"
#define DISCONNECTED                                                                               \
	"000000500000000000a36176076174781e636f72652e72656c61792e636c69656e742e646973636f6e6e6563" \
	"74656461705821a26869645f7374617274017069645f656e645f6578636c75736976651a01ffffff"
#define ERROR                                                                                      \
	"0000003a0000000701a361760761746a636f72652e6572726f7261705820a2646b696e646d696e76616c6964" \
	"5f666c616773676d65737361676563626164"
#define FS_REFUSAL                                                                                 \
	"0000003f0000000901a3617607617470636f72652e66732e726573706f6e73656170581fa3626f6bf4656572" \
	"726f726d6e6f7420737570706f727465646464617461f6"
#define TCP_REFUSAL                                                                                \
	"000000330000000901a361760761746f636f72652e7463702e6661696c6564617055a1656572726f726d6e6f" \
	"7420737570706f72746564"
#define TS_STDIN "b9000361760561746f636f72652e657865632e737464696e61704db900016464617461d840426869"
#define TS_STDIN_TAGGED_P \
	"b9000361760561746f636f72652e657865632e737464696e6170d8404db900016464617461d840426869"
#define TS_REQUEST "b9000663636d6462736864617267738063637764f76475736572f663747479f464726f77731818"

/* ---- what we encode ---- */

static void agents_frames_are_encoded_as_the_reference_does(void **state)
{
	static const struct msg_exec_exited ended = {.code = 0}, killed = {.code = -1};
	static const struct msg_exec_started started = {.pid = 1234};
	static const struct msg_text no_type = {NULL, 0};
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_STARTED, &started), 0);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_EXITED, &ended), 0);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_EXITED, &killed), 0);
	assert_int_equal(msg_put_exec_failed(&out, 1, MSG_FAILURE_OTHER, 0, "x", NULL), 0);
	assert_int_equal(msg_put_empty(&out, 1, MSG_PONG), 0);
	assert_int_equal(msg_put_error(&out, 7, MSG_REFUSAL_INVALID_FLAGS, "bad", no_type), 0);
	assert_int_equal(msg_put_fs_refusal(&out, 9, "not supported"), 0);
	assert_int_equal(msg_put_tcp_refusal(&out, 9, "not supported"), 0);
	unit_assert_queued(
		&out, STARTED EXITED_0 EXITED_MINUS_1 FAILED PONG ERROR FS_REFUSAL TCP_REFUSAL);
	buf_release(&out);
}

static void clients_frames_are_encoded_as_the_reference_does(void **state)
{
	static const struct msg_exec_request request = {
		.cmd = {"/bin/true", 9}, .rows = 24, .cols = 80};
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_REQUEST, &request), 0);
	assert_int_equal(msg_put(&out, 1, MSG_EXEC_RESIZE,
				 &(struct msg_exec_resize){.rows = 50, .cols = 132}),
			 0);
	assert_int_equal(msg_put_exec_signal(&out, 1, 15), 0);
	assert_int_equal(msg_put_empty(&out, 1, MSG_PING), 0);
	unit_assert_queued(&out, REQUEST_TRUE RESIZE SIGNAL_15 PING);
	buf_release(&out);
}

static void full_request_is_encoded_as_the_reference_does(void **state)
{
	char *args[] = {(char *)"-c", (char *)"id"}, *env[] = {(char *)"A=1"};
	const struct msg_rlimit limit = {{"nofile", 6}, 1024, UINT64_MAX};
	const struct msg_exec_request request = {
		.cmd = {"sh", 2},
		.args = {.count = 2, .strv = args},
		.env = {.count = 1, .strv = env},
		.cwd = {"/tmp", 4},
		.user = {"1:1", 3},
		.tty = true,
		.rows = 40,
		.cols = 300,
		.rlimits = {.count = 1, .limits = &limit},
	};
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 2, MSG_EXEC_REQUEST, &request), 0);
	unit_assert_queued(&out, REQUEST_ALL);
	buf_release(&out);
}

static void put_data(struct buf *out, enum msg_type type, const char *data)
{
	uint8_t *space;

	assert_int_equal(msg_data_begin(out, 65536, &space), 0);
	memcpy(space, data, strlen(data));
	msg_data_end(out, 1, type, strlen(data));
}

static void data_frames_are_encoded_as_the_reference_does(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	put_data(&out, MSG_EXEC_STDIN, "hi\n");
	put_data(&out, MSG_EXEC_STDIN, "");
	put_data(&out, MSG_EXEC_STDOUT, "hi\n");
	unit_assert_queued(&out, STDIN_HI STDIN_EOF STDOUT_HI);
	buf_release(&out);
}

/* Our ready says more than the reference's: it must still say the same in the same places. */
static void ready_adds_keys_and_changes_none(void **state)
{
	static const struct msg_ready ready = {
		.boot_time_ns = 1,
		.init_time_ns = 2,
		.ready_time_ns = 3,
		.agent_version = {"msb-execd/1.2.3", 15},
		.features = MSG_FEATURE_LINGER | MSG_FEATURE_OUTPUT_CLOSE,
	};
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&out, 0, MSG_READY, &ready), 0);
	unit_assert_queued(&out, "00000087 00000000 00 a3 61'v'07 61't'6a'core.ready' 61'p'586d"
				 "a5 6c'boot_time_ns'01 6c'init_time_ns'02 6d'ready_time_ns'03"
				 "6d'agent_version'6f'msb-execd/1.2.3'"
				 "6d'exec_features'82 66'linger' 6c'output_close'");
	buf_release(&out);
}

/* ---- what we decode ---- */

/* Opens a frame of the reference and decodes its payload into ret_struct. */
static void decode(struct msg_bytes bytes, enum msg_type type, void *ret_struct)
{
	struct buf queue = unit_queue(bytes);
	struct msg_envelope envelope;
	struct frame frame;

	envelope = unit_open(&queue, &frame);
	assert_int_equal(frame.wire_len, bytes.len);
	assert_int_equal(frame.flags, msg_flags(type));
	assert_int_equal(envelope.v, 7);
	assert_int_equal(envelope.type, type);
	unit_assert_text(envelope.type_name, msg_name(type));
	assert_int_equal(msg_decode(type, envelope.payload, ret_struct), 0);
}

static void ready_is_decoded(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(READY);
	struct msg_ready ready;

	(void)state;
	decode(bytes, MSG_READY, &ready);
	assert_int_equal(ready.boot_time_ns, 1);
	assert_int_equal(ready.init_time_ns, 2);
	assert_int_equal(ready.ready_time_ns, 3);
	assert_null(ready.agent_version.ptr);
	assert_int_equal(ready.features, 0);
}

static void request_with_nulls_is_decoded(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(REQUEST_TRUE);
	struct msg_exec_request request;

	(void)state;
	decode(bytes, MSG_EXEC_REQUEST, &request);
	unit_assert_text(request.cmd, "/bin/true");
	assert_int_equal(request.args.count, 0);
	assert_int_equal(request.env.count, 0);
	assert_null(request.cwd.ptr);
	assert_null(request.user.ptr);
	assert_false(request.tty);
	assert_int_equal(request.rows, 24);
	assert_int_equal(request.cols, 80);
	assert_int_equal(request.rlimits.count, 0);
	assert_int_equal(request.timeout_ms, 0);
	assert_int_equal(request.timeout_signal, 15);
	assert_int_equal(request.kill_after_ms, 5000);
	assert_false(request.has_linger);
	assert_null(request.on_disconnect.ptr);
	assert_false(request.login_shell);
}

static void full_request_is_decoded(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(REQUEST_ALL);
	struct msg_exec_request request;
	struct msg_rlimit limit;
	struct msg_text text;

	(void)state;
	decode(bytes, MSG_EXEC_REQUEST, &request);
	unit_assert_text(request.cmd, "sh");
	assert_int_equal(request.args.count, 2);
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	unit_assert_text(text, "-c");
	assert_int_equal(msg_next_text(&request.args, &text), 1);
	unit_assert_text(text, "id");
	assert_int_equal(msg_next_text(&request.args, &text), 0);
	assert_int_equal(msg_next_text(&request.env, &text), 1);
	unit_assert_text(text, "A=1");
	assert_int_equal(msg_next_text(&request.env, &text), 0);
	unit_assert_text(request.cwd, "/tmp");
	unit_assert_text(request.user, "1:1");
	assert_true(request.tty);
	assert_int_equal(request.rows, 40);
	assert_int_equal(request.cols, 300);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 1);
	unit_assert_text(limit.resource, "nofile");
	assert_int_equal(limit.soft, 1024);
	assert_true(limit.hard == UINT64_MAX);
	assert_int_equal(msg_next_rlimit(&request.rlimits, &limit), 0);
}

static void course_of_a_session_is_decoded(void **state)
{
	unit_held struct msg_bytes started = unit_hex(STARTED), in = unit_hex(STDIN_HI);
	unit_held struct msg_bytes eof = unit_hex(STDIN_EOF), out = unit_hex(STDOUT_HI);
	unit_held struct msg_bytes ended = unit_hex(EXITED_0), killed = unit_hex(EXITED_MINUS_1);
	struct msg_exec_started start;
	struct msg_exec_exited end;
	struct msg_data data;

	(void)state;
	decode(started, MSG_EXEC_STARTED, &start);
	assert_int_equal(start.pid, 1234);
	decode(in, MSG_EXEC_STDIN, &data);
	unit_assert_bytes(data.data, "'hi'0a");
	decode(eof, MSG_EXEC_STDIN, &data);
	unit_assert_bytes(data.data, "");
	decode(out, MSG_EXEC_STDOUT, &data);
	unit_assert_bytes(data.data, "'hi'0a");
	decode(ended, MSG_EXEC_EXITED, &end);
	assert_int_equal(end.code, 0);
	assert_int_equal(end.signal, 0);
	assert_false(end.core_dumped || end.timed_out || end.has_usage);
	decode(killed, MSG_EXEC_EXITED, &end);
	assert_int_equal(end.code, -1);
}

static void failures_and_refusals_are_decoded(void **state)
{
	unit_held struct msg_bytes no = unit_hex(FAILED), refused = unit_hex(ERROR);
	unit_held struct msg_bytes fs = unit_hex(FS_REFUSAL), tcp = unit_hex(TCP_REFUSAL);
	struct msg_exec_failed failed;
	struct msg_error error;

	(void)state;
	decode(no, MSG_EXEC_FAILED, &failed);
	unit_assert_text(failed.kind, "other");
	assert_int_equal(msg_failure_parse(failed.kind), MSG_FAILURE_OTHER);
	assert_int_equal(failed.num, 0);
	assert_null(failed.num_name.ptr);
	unit_assert_text(failed.message, "x");
	assert_null(failed.stage.ptr);
	decode(refused, MSG_ERROR, &error);
	unit_assert_text(error.kind, "invalid_flags");
	unit_assert_text(error.message, "bad");
	assert_null(error.offending_type.ptr);
	decode(fs, MSG_FS_RESPONSE, NULL);
	decode(tcp, MSG_TCP_FAILED, NULL);
}

static void small_messages_are_decoded(void **state)
{
	unit_held struct msg_bytes size = unit_hex(RESIZE), number = unit_hex(SIGNAL_15);
	unit_held struct msg_bytes ping = unit_hex(PING), pong = unit_hex(PONG);
	unit_held struct msg_bytes gone = unit_hex(DISCONNECTED);
	struct msg_exec_resize resize;
	struct msg_exec_signal signal;
	struct msg_id_range range;

	(void)state;
	decode(size, MSG_EXEC_RESIZE, &resize);
	assert_int_equal(resize.rows, 50);
	assert_int_equal(resize.cols, 132);
	decode(number, MSG_EXEC_SIGNAL, &signal);
	assert_int_equal(signal.signal, 15);
	decode(ping, MSG_PING, NULL);
	decode(pong, MSG_PONG, NULL);
	decode(gone, MSG_RELAY_CLIENT_DISCONNECTED, &range);
	assert_int_equal(range.start, 1);
	assert_int_equal(range.end, 33554431);
}

/* Its payload is a bare null, which nobody decodes. */
static void shutdown_is_opened(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(SHUTDOWN);
	struct buf queue = unit_queue(bytes);
	struct frame frame;
	struct msg_envelope envelope = unit_open(&queue, &frame);

	(void)state;
	assert_int_equal(envelope.type, MSG_SHUTDOWN);
	assert_int_equal(frame.flags, FRAME_SHUTDOWN);
	unit_assert_bytes(envelope.payload, "f6");
}

/* ---- what the TypeScript client encodes ---- */

static void typescript_stdin_is_decoded(const char *body)
{
	unit_held struct msg_bytes bytes = unit_hex(body);
	const struct frame frame = {.id = 1, .body = bytes.ptr, .body_len = bytes.len};
	struct msg_envelope envelope;
	struct msg_data data;

	assert_int_equal(msg_open(&frame, &envelope), 0);
	assert_int_equal(envelope.v, 5);
	assert_int_equal(envelope.type, MSG_EXEC_STDIN);
	assert_int_equal(msg_decode(MSG_EXEC_STDIN, envelope.payload, &data), 0);
	unit_assert_bytes(data.data, "'hi'");
}

static void typescript_data_may_be_tagged(void **state)
{
	(void)state;
	typescript_stdin_is_decoded(TS_STDIN);
	typescript_stdin_is_decoded(TS_STDIN_TAGGED_P);
}

static void typescript_undefined_is_null(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex(TS_REQUEST);
	struct msg_exec_request request;

	(void)state;
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, bytes, &request), 0);
	unit_assert_text(request.cmd, "sh");
	assert_int_equal(request.args.count, 0);
	assert_null(request.cwd.ptr);
	assert_null(request.user.ptr);
	assert_false(request.tty);
	assert_int_equal(request.rows, 24);
	assert_int_equal(request.cols, 80);
}

static void typescript_empty_payload_is_decoded(void **state)
{
	unit_held struct msg_bytes bytes = unit_hex("b90000");

	(void)state;
	assert_int_equal(msg_decode(MSG_PING, bytes, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest msg_example_tests[] = {
		cmocka_unit_test(agents_frames_are_encoded_as_the_reference_does),
		cmocka_unit_test(clients_frames_are_encoded_as_the_reference_does),
		cmocka_unit_test(full_request_is_encoded_as_the_reference_does),
		cmocka_unit_test(data_frames_are_encoded_as_the_reference_does),
		cmocka_unit_test(ready_adds_keys_and_changes_none),
		cmocka_unit_test(ready_is_decoded),
		cmocka_unit_test(request_with_nulls_is_decoded),
		cmocka_unit_test(full_request_is_decoded),
		cmocka_unit_test(course_of_a_session_is_decoded),
		cmocka_unit_test(failures_and_refusals_are_decoded),
		cmocka_unit_test(small_messages_are_decoded),
		cmocka_unit_test(shutdown_is_opened),
		cmocka_unit_test(typescript_data_may_be_tagged),
		cmocka_unit_test(typescript_undefined_is_null),
		cmocka_unit_test(typescript_empty_payload_is_decoded),
	};

	return cmocka_run_group_tests(msg_example_tests, NULL, NULL);
}
