/*
 * One table a message says which keys it has, of what kind, where in the struct each value is, and
 * when it is sent; one row a type, its name, its flags and that table. Then the closed sets of words.
 */
#include "msg_tables.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shared/base.h"

#define REQUIRED FIELD_REQUIRED
#define NULLABLE FIELD_NULLABLE
#define OR_NULL	 (FIELD_NULLABLE | FIELD_NULL)
#define OMITTED	 (FIELD_NULLABLE | FIELD_OMITTED)

#define AT(type, member) (uint16_t) offsetof(struct msg_##type, member)
#define LEN(type, from, to)                                                                 \
	(uint16_t)(offsetof(struct msg_##type, to) + sizeof(((struct msg_##type *)0)->to) - \
		   offsetof(struct msg_##type, from))

/* By the member's own type, so that no row writes more than there is room for. */
/* clang-format off */
#define KIND(type, member)                         \
	_Generic(((struct msg_##type *)0)->member, \
		 struct msg_text: FIELD_TEXT,      \
		 struct msg_bytes: FIELD_BYTES,    \
		 struct msg_list: FIELD_LIST,      \
		 struct msg_usage: FIELD_MAP,      \
		 struct msg_identity: FIELD_MAP,   \
		 struct msg_exec_exited: FIELD_MAP, \
		 bool: FIELD_BOOL,                 \
		 uint8_t: FIELD_U8,                \
		 uint16_t: FIELD_U16,              \
		 uint32_t: FIELD_U32,              \
		 uint64_t: FIELD_U64,              \
		 int32_t: FIELD_I32)
/* clang-format on */

/* Of key a text itself, whose length is known here: each frame's keys are compared with many. */
#define FIELD(type, key, member, rules, from, to, of)                                 \
	{                                                                             \
		"" key, KIND(type, member), rules, sizeof(key) - 1, AT(type, member), \
			AT(type, from), LEN(type, from, to), of                       \
	}
/* A field that tells of itself; one of which the members from..to, no others between, tell. */
#define ROW(type, key, member, rules)	    FIELD(type, key, member, rules, member, member, NULL)
#define ROW_IF(type, key, member, from, to) FIELD(type, key, member, OMITTED, from, to, NULL)
/* One that a bool of its own tells of. */
#define ROW_NOTED(type, key, member, told) \
	FIELD(type, key, member, OMITTED | FIELD_NOTED, told, told, NULL)
/* Words, each of which is a bit. */
#define ROW_FEATURES(type, key, member)                                                         \
	{                                                                                       \
		"" key, FIELD_FEATURES, NULLABLE, sizeof(key) - 1, AT(type, member), 0, 0, NULL \
	}

#define SCHEMA_WITH(table, type, room, defaults)                                   \
	{                                                                          \
		table, ARRAY_LEN(table), sizeof(struct msg_##type), room, defaults \
	}
#define SCHEMA(table, type) SCHEMA_WITH(table, type, ROOM_SMALL, NULL)

/* ---- keys ---- */

static const struct field envelope_fields[] = {
	ROW(envelope, "v", v, REQUIRED),
	ROW(envelope, "t", type_name, REQUIRED),
	ROW(envelope, "p", payload, REQUIRED),
};

static const struct field rlimit_fields[] = {
	ROW(rlimit, "resource", resource, REQUIRED),
	ROW(rlimit, "soft", soft, REQUIRED),
	ROW(rlimit, "hard", hard, REQUIRED),
};

static const struct field pair_fields[] = {
	ROW(pair, "key", key, REQUIRED),
	ROW(pair, "value", value, REQUIRED),
};

static const struct field identity_fields[] = {
	ROW(identity, "uid", uid, REQUIRED),
	ROW(identity, "gid", gid, REQUIRED),
};

static const struct field usage_fields[] = {
	ROW(usage, "user_us", user_us, REQUIRED),
	ROW(usage, "sys_us", sys_us, REQUIRED),
	ROW(usage, "wall_us", wall_us, REQUIRED),
	ROW(usage, "max_rss_kib", max_rss_kib, REQUIRED),
};

const struct schema msg_rlimit_schema = SCHEMA(rlimit_fields, rlimit);
const struct schema msg_pair_schema = SCHEMA(pair_fields, pair);
static const struct schema identity_schema = SCHEMA(identity_fields, identity);
static const struct schema usage_schema = SCHEMA(usage_fields, usage);

static const struct field ready_fields[] = {
	ROW(ready, "boot_time_ns", boot_time_ns, REQUIRED),
	ROW(ready, "init_time_ns", init_time_ns, REQUIRED),
	ROW(ready, "ready_time_ns", ready_time_ns, REQUIRED),
	/* Both sent always, an agent without a version says "". */
	ROW(ready, "agent_version", agent_version, NULLABLE),
	ROW_FEATURES(ready, "exec_features", features),
	ROW(ready, "frame_mark", frame_mark, OMITTED),
};

static const struct field init_ack_fields[] = {
	ROW(init_ack, "frame_mark", frame_mark, OMITTED),
};

static const struct field request_fields[] = {
	ROW(exec_request, "cmd", cmd, REQUIRED),
	ROW(exec_request, "args", args, 0),
	ROW(exec_request, "env", env, 0),
	ROW(exec_request, "cwd", cwd, OR_NULL),
	ROW(exec_request, "user", user, OR_NULL),
	ROW(exec_request, "tty", tty, 0),
	ROW(exec_request, "rows", rows, 0),
	ROW(exec_request, "cols", cols, 0),
	FIELD(exec_request, "rlimits", rlimits, 0, rlimits, rlimits, &msg_rlimit_schema),
	/* Ours, each only when it says something. */
	ROW_IF(exec_request, "xpixel", xpixel, xpixel, ypixel),
	ROW_IF(exec_request, "ypixel", ypixel, xpixel, ypixel),
	ROW(exec_request, "timeout_ms", timeout_ms, OMITTED),
	ROW_IF(exec_request, "timeout_signal", timeout_signal, timeout_ms, timeout_ms),
	ROW_IF(exec_request, "kill_after_ms", kill_after_ms, timeout_ms, timeout_ms),
	ROW_NOTED(exec_request, "linger_ms", linger_ms, has_linger),
	ROW(exec_request, "on_disconnect", on_disconnect, OMITTED),
	ROW(exec_request, "login_shell", login_shell, OMITTED),
	ROW(exec_request, "user_shell", user_shell, OMITTED),
	ROW(exec_request, "merge_output", merge_output, OMITTED),
	ROW(exec_request, "cgroup", cgroup, OMITTED),
	ROW(exec_request, "memory_max", memory_max, OMITTED),
	ROW(exec_request, "cpu_millis", cpu_millis, OMITTED),
	ROW(exec_request, "pids_max", pids_max, OMITTED),
	ROW(exec_request, "stdin_window", stdin_window, OMITTED),
	ROW(exec_request, "output_window", output_window, OMITTED),
	ROW(exec_request, "name", name, OMITTED),
	ROW(exec_request, "hold_ms", hold_ms, OMITTED),
	ROW(exec_request, "detached", detached, OMITTED),
	ROW_NOTED(exec_request, "for_uid", for_uid, has_for_uid),
};

static const struct msg_exec_request request_defaults = {
	.rows = 24,
	.cols = 80,
	.timeout_signal = SIGTERM,
	.kill_after_ms = 5000,
};

/* Of a guest's whole configuration, what is for its commands. */
static const struct field bootstrap_fields[] = {
	ROW(bootstrap, "user", user, OMITTED),
	ROW(bootstrap, "security_profile", security_profile, OMITTED),
	ROW(bootstrap, "default_cwd", default_cwd, OMITTED),
	FIELD(bootstrap, "default_env", default_env, OMITTED, default_env.count, default_env.count,
	      &msg_pair_schema),
	FIELD(bootstrap, "rlimits", rlimits, OMITTED, rlimits.count, rlimits.count,
	      &msg_rlimit_schema),
};

static const struct field id_range_fields[] = {
	ROW(id_range, "id_start", start, REQUIRED),
	ROW(id_range, "id_end_exclusive", end, REQUIRED),
};

static const struct field resolved_fields[] = {
	FIELD(init_resolved, "default_user", default_user, REQUIRED, default_user, default_user,
	      &identity_schema),
};

static const struct field started_fields[] = {
	ROW(exec_started, "pid", pid, REQUIRED),
	ROW(exec_started, "stdin_window", stdin_window, OMITTED),
	ROW(exec_started, "session", session, OMITTED),
	ROW(exec_started, "turn", turn, OMITTED),
};

static const struct field data_fields[] = {
	ROW(data, "data", data, REQUIRED),
};

static const struct field stdin_error_fields[] = {
	ROW(stdin_error, "errno", num, OR_NULL),
	ROW(stdin_error, "errno_name", name, OR_NULL),
	ROW(stdin_error, "message", message, REQUIRED),
};

static const struct field exited_fields[] = {
	ROW(exec_exited, "code", code, REQUIRED),
	ROW(exec_exited, "signal", signal, OMITTED),
	ROW(exec_exited, "core_dumped", core_dumped, OMITTED),
	ROW(exec_exited, "timed_out", timed_out, OMITTED),
	ROW(exec_exited, "oom_killed", oom_killed, OMITTED),
	FIELD(exec_exited, "usage", usage, OMITTED | FIELD_NOTED, has_usage, has_usage,
	      &usage_schema),
};

static const struct field failed_fields[] = {
	ROW(exec_failed, "kind", kind, REQUIRED),
	ROW(exec_failed, "errno", num, OR_NULL),
	ROW(exec_failed, "errno_name", num_name, OR_NULL),
	ROW(exec_failed, "message", message, REQUIRED),
	ROW(exec_failed, "stage", stage, OR_NULL),
};

static const struct field resize_fields[] = {
	ROW(exec_resize, "rows", rows, REQUIRED),
	ROW(exec_resize, "cols", cols, REQUIRED),
	ROW_IF(exec_resize, "xpixel", xpixel, xpixel, ypixel),
	ROW_IF(exec_resize, "ypixel", ypixel, xpixel, ypixel),
};

static const struct field signal_fields[] = {
	ROW(exec_signal, "signal", signal, REQUIRED),
};

static const struct field output_close_fields[] = {
	ROW(output_close, "stream", stream, REQUIRED),
};

static const struct field credit_fields[] = {
	ROW(credit, "consumed", consumed, REQUIRED),
};

static const struct field session_list_fields[] = {
	ROW_NOTED(session_list, "for_uid", for_uid, has_for_uid),
};

static const struct schema exited_schema = SCHEMA(exited_fields, exec_exited);

static const struct field session_entry_fields[] = {
	ROW(session_entry, "session", session, REQUIRED),
	ROW(session_entry, "name", name, OMITTED),
	ROW(session_entry, "user", user, 0),
	ROW(session_entry, "pid", pid, 0),
	ROW(session_entry, "tty", tty, OMITTED),
	ROW(session_entry, "age_ms", age_ms, 0),
	ROW(session_entry, "cpu_us", cpu_us, 0),
	ROW(session_entry, "attached", attached, 0),
	ROW(session_entry, "command", command, 0),
	ROW(session_entry, "stdout_begin", stdout_begin, 0),
	ROW(session_entry, "stdout_end", stdout_end, 0),
	ROW(session_entry, "stderr_begin", stderr_begin, 0),
	ROW(session_entry, "stderr_end", stderr_end, 0),
	FIELD(session_entry, "exited", exited, OMITTED | FIELD_NOTED, ended, ended, &exited_schema),
};

static const struct field session_attach_fields[] = {
	ROW(session_attach, "session", session, REQUIRED),
	ROW(session_attach, "mode", mode, OMITTED),
	ROW_NOTED(session_attach, "stdout_since", stdout_since, has_stdout_since),
	ROW_NOTED(session_attach, "stderr_since", stderr_since, has_stderr_since),
	ROW_IF(session_attach, "rows", rows, rows, cols),
	ROW_IF(session_attach, "cols", cols, rows, cols),
	ROW_IF(session_attach, "xpixel", xpixel, xpixel, ypixel),
	ROW_IF(session_attach, "ypixel", ypixel, xpixel, ypixel),
	ROW(session_attach, "stdin_window", stdin_window, OMITTED),
	ROW(session_attach, "output_window", output_window, OMITTED),
	ROW(session_attach, "hold_ms", hold_ms, OMITTED),
	ROW(session_attach, "turn", turn, OMITTED),
	ROW_NOTED(session_attach, "for_uid", for_uid, has_for_uid),
};

static const struct field session_attached_fields[] = {
	ROW(session_attached, "session", session, REQUIRED),
	ROW(session_attached, "name", name, OMITTED),
	ROW(session_attached, "pid", pid, 0),
	ROW(session_attached, "tty", tty, OMITTED),
	ROW(session_attached, "stdout_at", stdout_at, 0),
	ROW(session_attached, "stderr_at", stderr_at, 0),
	ROW(session_attached, "stdin_at", stdin_at, 0),
	ROW(session_attached, "stdin_window", stdin_window, OMITTED),
	ROW(session_attached, "turn", turn, OMITTED),
	ROW(session_attached, "restore", restore, OMITTED),
};

static const struct field session_skipped_fields[] = {
	ROW(session_skipped, "stream", stream, REQUIRED),
	ROW(session_skipped, "bytes", bytes, REQUIRED),
};

static const struct field session_detach_fields[] = {
	ROW(session_detach, "restore", restore, OMITTED),
};

static const struct field session_refused_fields[] = {
	ROW(session_refused, "message", message, REQUIRED),
};

static const struct field session_detached_fields[] = {
	ROW(session_detached, "why", why, REQUIRED),
	ROW(session_detached, "session", session, REQUIRED),
	ROW(session_detached, "name", name, OMITTED),
};

static const struct field session_signal_fields[] = {
	ROW(session_signal, "session", session, REQUIRED),
	ROW(session_signal, "signal", signal, REQUIRED),
	ROW_NOTED(session_signal, "for_uid", for_uid, has_for_uid),
};

static const struct field session_remove_fields[] = {
	ROW(session_remove, "session", session, REQUIRED),
	ROW_NOTED(session_remove, "for_uid", for_uid, has_for_uid),
};

static const struct field transport_credit_fields[] = {
	ROW(transport_credit, "control_bytes", control_bytes, REQUIRED),
	ROW(transport_credit, "control_frames", control_frames, REQUIRED),
	ROW(transport_credit, "bulk_bytes", bulk_bytes, REQUIRED),
	ROW(transport_credit, "bulk_frames", bulk_frames, REQUIRED),
};

static const struct field error_fields[] = {
	ROW(error, "kind", kind, REQUIRED),
	ROW(error, "message", message, REQUIRED),
	ROW(error, "offending_type", offending_type, OMITTED),
};

/* Said to who asks for files or connections, where we have none. */
static const struct field no_fs_fields[] = {
	ROW(no_support, "ok", ok, 0),
	ROW(no_support, "error", error, 0),
	ROW(no_support, "data", data, OR_NULL),
};

static const struct field no_tcp_fields[] = {
	ROW(no_support, "error", error, 0),
};

static const struct field touched_fields[] = {
	ROW(touched, "activity_seq", activity_seq, 0),
};

const struct schema msg_envelope_schema = SCHEMA(envelope_fields, envelope);
const struct schema msg_empty_schema = {.room = ROOM_SMALL};
const struct schema msg_touched_schema = SCHEMA(touched_fields, touched);
const struct schema msg_no_fs_schema =
	SCHEMA_WITH(no_fs_fields, no_support, ROOM_SMALL + ROOM_MESSAGE, NULL);
const struct schema msg_no_tcp_schema =
	SCHEMA_WITH(no_tcp_fields, no_support, ROOM_SMALL + ROOM_MESSAGE, NULL);

/* ---- types ---- */

const struct message msg_messages[MSG_TYPE_COUNT] = {
	[MSG_UNKNOWN] = {"", 0, {0}},
	[MSG_READY] = {"core.ready", 0, SCHEMA_WITH(ready_fields, ready, ROOM_SMALL * 2, NULL)},
	[MSG_INIT_RESOLVED] = {"core.init.resolved", 0, SCHEMA(resolved_fields, init_resolved)},
	[MSG_INIT_ACK] = {"core.init.ack", 0, SCHEMA(init_ack_fields, init_ack)},
	[MSG_SHUTDOWN] = {"core.shutdown", FRAME_SHUTDOWN, {0}},
	[MSG_RELAY_CLIENT_DISCONNECTED] = {"core.relay.client.disconnected", 0,
					   SCHEMA(id_range_fields, id_range)},
	[MSG_CLOCK_SYNC] = {"core.clock.sync", 0, {0}},
	[MSG_ERROR] = {"core.error", FRAME_TERMINAL,
		       SCHEMA_WITH(error_fields, error, ROOM_SMALL * 2 + ROOM_MESSAGE, NULL)},
	[MSG_PING] = {"core.ping", 0, {0}},
	[MSG_PONG] = {"core.pong", FRAME_TERMINAL, {0}},
	[MSG_TOUCH] = {"core.touch", 0, {0}},
	[MSG_TOUCHED] = {"core.touched", FRAME_TERMINAL, {0}},
	[MSG_BOOTSTRAP] = {"core.bootstrap", 0, SCHEMA_WITH(bootstrap_fields, bootstrap, 0, NULL)},
	[MSG_EXEC_REQUEST] = {"core.exec.request", FRAME_SESSION_START,
			      SCHEMA_WITH(request_fields, exec_request, 0, &request_defaults)},
	[MSG_EXEC_STARTED] = {"core.exec.started", 0, SCHEMA(started_fields, exec_started)},
	[MSG_EXEC_STDIN] = {"core.exec.stdin", 0, SCHEMA_WITH(data_fields, data, 0, NULL)},
	[MSG_EXEC_STDIN_ERROR] = {"core.exec.stdin.error", 0,
				  SCHEMA_WITH(stdin_error_fields, stdin_error,
					      ROOM_SMALL + ROOM_MESSAGE, NULL)},
	[MSG_EXEC_STDOUT] = {"core.exec.stdout", 0, SCHEMA_WITH(data_fields, data, 0, NULL)},
	[MSG_EXEC_STDERR] = {"core.exec.stderr", 0, SCHEMA_WITH(data_fields, data, 0, NULL)},
	[MSG_EXEC_EXITED] = {"core.exec.exited", FRAME_TERMINAL,
			     SCHEMA(exited_fields, exec_exited)},
	[MSG_EXEC_FAILED] = {"core.exec.failed", FRAME_TERMINAL,
			     SCHEMA_WITH(failed_fields, exec_failed, ROOM_SMALL + ROOM_MESSAGE,
					 NULL)},
	[MSG_EXEC_RESIZE] = {"core.exec.resize", 0, SCHEMA(resize_fields, exec_resize)},
	[MSG_EXEC_SIGNAL] = {"core.exec.signal", 0, SCHEMA(signal_fields, exec_signal)},
	[MSG_EXEC_OUTPUT_CLOSE] = {"core.exec.output.close", 0,
				   SCHEMA(output_close_fields, output_close)},
	[MSG_EXEC_STDIN_CREDIT] = {"core.exec.stdin.credit", 0, SCHEMA(credit_fields, credit)},
	[MSG_EXEC_OUTPUT_CREDIT] = {"core.exec.output.credit", 0, SCHEMA(credit_fields, credit)},
	[MSG_FS_REQUEST] = {"core.fs.request", FRAME_SESSION_START, {0}},
	[MSG_FS_DATA] = {"core.fs.data", 0, {0}},
	[MSG_FS_RESPONSE] = {"core.fs.response", FRAME_TERMINAL, {0}},
	[MSG_TCP_CONNECT] = {"core.tcp.connect", FRAME_SESSION_START, {0}},
	[MSG_TCP_DATA] = {"core.tcp.data", 0, {0}},
	[MSG_TCP_EOF] = {"core.tcp.eof", 0, {0}},
	[MSG_TCP_CLOSE] = {"core.tcp.close", 0, {0}},
	[MSG_TCP_FAILED] = {"core.tcp.failed", FRAME_TERMINAL, {0}},
	[MSG_TRANSPORT_CREDIT] = {"core.workload.transport.credit", 0,
				  SCHEMA(transport_credit_fields, transport_credit)},
	[MSG_SESSION_LIST] = {"core.session.list", FRAME_SESSION_START,
			      SCHEMA(session_list_fields, session_list)},
	[MSG_SESSION_ENTRY] = {"core.session.entry", 0,
			       SCHEMA_WITH(session_entry_fields, session_entry, 0, NULL)},
	[MSG_SESSION_ATTACH] = {"core.session.attach", FRAME_SESSION_START,
				SCHEMA_WITH(session_attach_fields, session_attach, 0, NULL)},
	[MSG_SESSION_INPUT] = {"core.session.input", FRAME_SESSION_START,
			       SCHEMA_WITH(session_attach_fields, session_attach, 0, NULL)},
	[MSG_SESSION_ATTACHED] = {"core.session.attached", 0,
				  SCHEMA_WITH(session_attached_fields, session_attached, 0, NULL)},
	[MSG_SESSION_SKIPPED] = {"core.session.skipped", 0,
				 SCHEMA(session_skipped_fields, session_skipped)},
	[MSG_SESSION_DETACH] = {"core.session.detach", 0,
				SCHEMA_WITH(session_detach_fields, session_detach, 0, NULL)},
	[MSG_SESSION_REFUSED] = {"core.session.refused", 0,
				 SCHEMA_WITH(session_refused_fields, session_refused, 0, NULL)},
	[MSG_SESSION_DETACHED] = {"core.session.detached", FRAME_TERMINAL,
				  SCHEMA_WITH(session_detached_fields, session_detached, 0, NULL)},
	[MSG_SESSION_SIGNAL] = {"core.session.signal", FRAME_SESSION_START,
				SCHEMA_WITH(session_signal_fields, session_signal, 0, NULL)},
	[MSG_SESSION_REMOVE] = {"core.session.remove", FRAME_SESSION_START,
				SCHEMA_WITH(session_remove_fields, session_remove, 0, NULL)},
	[MSG_SESSION_DONE] = {"core.session.done", FRAME_TERMINAL, {0}},
};

/* ---- words ---- */

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

const char *const msg_attach_names[] = {
	[MSG_ATTACH_TAKE] = "take",
	[MSG_ATTACH_WATCH] = "watch",
	[MSG_ATTACH_LOGS] = "logs",
	[MSG_ATTACH_WAIT] = "wait",
};

const char *const msg_detached_names[] = {
	[MSG_DETACHED_ASKED] = "asked",
	[MSG_DETACHED_TAKEN] = "taken",
	[MSG_DETACHED_REMOVED] = "removed",
	[MSG_DETACHED_DONE] = "done",
};

const char *const msg_feature_names[MSG_FEATURE_COUNT] = {
	"timeout",	"linger",	"on_disconnect", "login_shell", "usage",
	"output_close", "stdin_window", "output_window", "pixels",	"sessions",
	"merge_output", "user_shell",	"cgroup",	 "frame_mark",
};

_Static_assert(MSG_FEATURE_FRAME_MARK == 1 << (MSG_FEATURE_COUNT - 1), "each feature has its name");

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
		if (strlen(msg_messages[i].name) == name.len &&
		    memcmp(msg_messages[i].name, name.ptr, name.len) == 0)
			return (enum msg_type)i;
	return MSG_UNKNOWN;
}

uint8_t msg_flags(enum msg_type type)
{
	return msg_messages[type].flags;
}

const char *msg_name(enum msg_type type)
{
	return msg_messages[type].name;
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

int msg_attach_parse(struct msg_text text)
{
	return msg_name_index(msg_attach_names, MSG_ATTACH_WAIT + 1, text);
}

int msg_detached_parse(struct msg_text text)
{
	return msg_name_index(msg_detached_names, MSG_DETACHED_DONE + 1, text);
}

const char *msg_on_disconnect_name(enum msg_on_disconnect what)
{
	return msg_on_disconnect_names[what];
}

const char *msg_stream_name(enum msg_stream stream)
{
	return msg_stream_names[stream];
}

const char *msg_attach_name(enum msg_attach mode)
{
	return msg_attach_names[mode];
}

const char *msg_detached_name(enum msg_detached why)
{
	return msg_detached_names[why];
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_mark(char c)
{
	return c == '.' || c == '_' || c == '-';
}

bool msg_is_session_id(struct msg_text text)
{
	if (text.len != MSG_SESSION_ID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') &&
		    !(text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))
			return false;
	return true;
}

bool msg_is_session_name(struct msg_text text)
{
	if (!text.len || text.len > MSG_SESSION_NAME_MAX || !is_alnum(text.ptr[0]))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_alnum(text.ptr[i]) && !is_mark(text.ptr[i]))
			return false;
	return !msg_is_session_id(text);
}
