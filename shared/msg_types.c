/* What the wire calls things: types with their flags, and the closed sets of words. */
#include "msg_types.h"

#include <errno.h>
#include <string.h>

struct type_row {
	const char *name;
	uint8_t flags; /* exactly these, or the frame is refused */
};

static const struct type_row types[MSG_TYPE_COUNT] = {
	[MSG_UNKNOWN] = {"", 0},
	[MSG_READY] = {"core.ready", 0},
	[MSG_INIT_RESOLVED] = {"core.init.resolved", 0},
	[MSG_INIT_ACK] = {"core.init.ack", 0},
	[MSG_SHUTDOWN] = {"core.shutdown", FRAME_SHUTDOWN},
	[MSG_RELAY_CLIENT_DISCONNECTED] = {"core.relay.client.disconnected", 0},
	[MSG_CLOCK_SYNC] = {"core.clock.sync", 0},
	[MSG_ERROR] = {"core.error", FRAME_TERMINAL},
	[MSG_PING] = {"core.ping", 0},
	[MSG_PONG] = {"core.pong", FRAME_TERMINAL},
	[MSG_TOUCH] = {"core.touch", 0},
	[MSG_TOUCHED] = {"core.touched", FRAME_TERMINAL},
	[MSG_BOOTSTRAP] = {"core.bootstrap", 0},
	[MSG_EXEC_REQUEST] = {"core.exec.request", FRAME_SESSION_START},
	[MSG_EXEC_STARTED] = {"core.exec.started", 0},
	[MSG_EXEC_STDIN] = {"core.exec.stdin", 0},
	[MSG_EXEC_STDIN_ERROR] = {"core.exec.stdin.error", 0},
	[MSG_EXEC_STDOUT] = {"core.exec.stdout", 0},
	[MSG_EXEC_STDERR] = {"core.exec.stderr", 0},
	[MSG_EXEC_EXITED] = {"core.exec.exited", FRAME_TERMINAL},
	[MSG_EXEC_FAILED] = {"core.exec.failed", FRAME_TERMINAL},
	[MSG_EXEC_RESIZE] = {"core.exec.resize", 0},
	[MSG_EXEC_SIGNAL] = {"core.exec.signal", 0},
	[MSG_EXEC_OUTPUT_CLOSE] = {"core.exec.output.close", 0},
	[MSG_EXEC_STDIN_CREDIT] = {"core.exec.stdin.credit", 0},
	[MSG_EXEC_OUTPUT_CREDIT] = {"core.exec.output.credit", 0},
	[MSG_FS_REQUEST] = {"core.fs.request", FRAME_SESSION_START},
	[MSG_FS_DATA] = {"core.fs.data", 0},
	[MSG_FS_RESPONSE] = {"core.fs.response", FRAME_TERMINAL},
	[MSG_TCP_CONNECT] = {"core.tcp.connect", FRAME_SESSION_START},
	[MSG_TCP_DATA] = {"core.tcp.data", 0},
	[MSG_TCP_EOF] = {"core.tcp.eof", 0},
	[MSG_TCP_CLOSE] = {"core.tcp.close", 0},
	[MSG_TCP_FAILED] = {"core.tcp.failed", FRAME_TERMINAL},
	[MSG_TRANSPORT_CREDIT] = {"core.workload.transport.credit", 0},
};

const char *const msg_failure_names[] = {
	[MSG_FAILURE_NOT_FOUND] = "not_found",
	[MSG_FAILURE_PERMISSION_DENIED] = "permission_denied",
	[MSG_FAILURE_NOT_EXECUTABLE] = "not_executable",
	[MSG_FAILURE_BAD_CWD] = "bad_cwd",
	[MSG_FAILURE_BAD_ARGS] = "bad_args",
	[MSG_FAILURE_RESOURCE_LIMIT] = "resource_limit",
	[MSG_FAILURE_USER_SETUP_FAILED] = "user_setup_failed",
	[MSG_FAILURE_OUT_OF_MEMORY] = "out_of_memory",
	[MSG_FAILURE_PTY_SETUP_FAILED] = "pty_setup_failed",
	[MSG_FAILURE_OTHER] = "other",
};

const char *const msg_refusal_names[] = {
	[MSG_REFUSAL_MALFORMED_MESSAGE] = "malformed_message",
	[MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE] = "unsupported_message_type",
	[MSG_REFUSAL_UNSUPPORTED_PROTOCOL_GENERATION] = "unsupported_protocol_generation",
	[MSG_REFUSAL_INVALID_FLAGS] = "invalid_flags",
	[MSG_REFUSAL_INVALID_PAYLOAD] = "invalid_payload",
	[MSG_REFUSAL_INVALID_SESSION] = "invalid_session",
};

const char *const msg_on_disconnect_names[] = {
	[MSG_DISCONNECT_KILL] = "kill",
	[MSG_DISCONNECT_HANGUP] = "hangup",
	[MSG_DISCONNECT_KEEP] = "keep",
};

const char *const msg_stream_names[] = {
	[MSG_STREAM_STDOUT] = "stdout",
	[MSG_STREAM_STDERR] = "stderr",
};

const char *const msg_feature_names[] = {
	"timeout",	"linger",	"on_disconnect", "login_shell", "usage",
	"output_close", "stdin_window", "output_window", "pixels",
};

int msg_name_index(const char *const *names, size_t count, struct msg_text text)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == text.len && memcmp(names[i], text.ptr, text.len) == 0)
			return (int)i;
	return -EINVAL;
}

enum msg_type msg_type_of(struct msg_text name)
{
	for (int i = MSG_UNKNOWN + 1; i < MSG_TYPE_COUNT; i++)
		if (strlen(types[i].name) == name.len &&
		    memcmp(types[i].name, name.ptr, name.len) == 0)
			return (enum msg_type)i;
	return MSG_UNKNOWN;
}

uint8_t msg_flags(enum msg_type type)
{
	return types[type].flags;
}

const char *msg_name(enum msg_type type)
{
	return types[type].name;
}

int msg_failure_parse(struct msg_text text)
{
	return msg_name_index(msg_failure_names, MSG_FAILURE_OTHER + 1, text);
}

int msg_on_disconnect_parse(struct msg_text text)
{
	return msg_name_index(msg_on_disconnect_names, MSG_DISCONNECT_KEEP + 1, text);
}

int msg_stream_parse(struct msg_text text)
{
	return msg_name_index(msg_stream_names, MSG_STREAM_STDERR + 1, text);
}
