/*
 * One table a message says which keys it has, of what kind, and where in the struct each value
 * goes.
 */
#include "msg_fields.h"

#include <signal.h>

#include "base.h"

#define AT(type, member) (uint16_t) offsetof(struct type, member)
#define SCHEMA(table, type)                                        \
	{                                                          \
		table, ARRAY_LEN(table), sizeof(struct type), NULL \
	}

static const struct field envelope_fields[] = {
	{"v", FIELD_U8, FIELD_REQUIRED, AT(msg_envelope, v), FIELD_NOWHERE},
	{"t", FIELD_TEXT, FIELD_REQUIRED, AT(msg_envelope, type_name), FIELD_NOWHERE},
	{"p", FIELD_BYTES, FIELD_REQUIRED, AT(msg_envelope, payload), FIELD_NOWHERE},
};

static const struct field ready_fields[] = {
	{"boot_time_ns", FIELD_U64, FIELD_REQUIRED, AT(msg_ready, boot_time_ns), FIELD_NOWHERE},
	{"init_time_ns", FIELD_U64, FIELD_REQUIRED, AT(msg_ready, init_time_ns), FIELD_NOWHERE},
	{"ready_time_ns", FIELD_U64, FIELD_REQUIRED, AT(msg_ready, ready_time_ns), FIELD_NOWHERE},
	{"agent_version", FIELD_TEXT, FIELD_NULLABLE, AT(msg_ready, agent_version), FIELD_NOWHERE},
	{"exec_features", FIELD_FEATURES, FIELD_NULLABLE, AT(msg_ready, features), FIELD_NOWHERE},
};

static const struct field request_fields[] = {
	{"cmd", FIELD_TEXT, FIELD_REQUIRED, AT(msg_exec_request, cmd), FIELD_NOWHERE},
	{"args", FIELD_TEXTS, 0, AT(msg_exec_request, args), FIELD_NOWHERE},
	{"env", FIELD_TEXTS, 0, AT(msg_exec_request, env), FIELD_NOWHERE},
	{"cwd", FIELD_TEXT, FIELD_NULLABLE, AT(msg_exec_request, cwd), FIELD_NOWHERE},
	{"user", FIELD_TEXT, FIELD_NULLABLE, AT(msg_exec_request, user), FIELD_NOWHERE},
	{"tty", FIELD_BOOL, 0, AT(msg_exec_request, tty), FIELD_NOWHERE},
	{"rows", FIELD_U16, 0, AT(msg_exec_request, rows), FIELD_NOWHERE},
	{"cols", FIELD_U16, 0, AT(msg_exec_request, cols), FIELD_NOWHERE},
	{"xpixel", FIELD_U16, FIELD_NULLABLE, AT(msg_exec_request, xpixel), FIELD_NOWHERE},
	{"ypixel", FIELD_U16, FIELD_NULLABLE, AT(msg_exec_request, ypixel), FIELD_NOWHERE},
	{"rlimits", FIELD_MAPS, 0, AT(msg_exec_request, rlimits), FIELD_NOWHERE},
	{"timeout_ms", FIELD_U64, FIELD_NULLABLE, AT(msg_exec_request, timeout_ms), FIELD_NOWHERE},
	{"timeout_signal", FIELD_I32, FIELD_NULLABLE, AT(msg_exec_request, timeout_signal),
	 FIELD_NOWHERE},
	{"kill_after_ms", FIELD_U64, FIELD_NULLABLE, AT(msg_exec_request, kill_after_ms),
	 FIELD_NOWHERE},
	{"linger_ms", FIELD_U64, FIELD_NULLABLE, AT(msg_exec_request, linger_ms),
	 AT(msg_exec_request, has_linger)},
	{"on_disconnect", FIELD_TEXT, FIELD_NULLABLE, AT(msg_exec_request, on_disconnect),
	 FIELD_NOWHERE},
	{"login_shell", FIELD_BOOL, FIELD_NULLABLE, AT(msg_exec_request, login_shell),
	 FIELD_NOWHERE},
	{"stdin_window", FIELD_BOOL, FIELD_NULLABLE, AT(msg_exec_request, stdin_window),
	 FIELD_NOWHERE},
	{"output_window", FIELD_U64, FIELD_NULLABLE, AT(msg_exec_request, output_window),
	 FIELD_NOWHERE},
};

static const struct msg_exec_request request_defaults = {
	.rows = 24,
	.cols = 80,
	.timeout_signal = SIGTERM,
	.kill_after_ms = 5000,
};

static const struct field rlimit_fields[] = {
	{"resource", FIELD_TEXT, FIELD_REQUIRED, AT(msg_rlimit, resource), FIELD_NOWHERE},
	{"soft", FIELD_U64, FIELD_REQUIRED, AT(msg_rlimit, soft), FIELD_NOWHERE},
	{"hard", FIELD_U64, FIELD_REQUIRED, AT(msg_rlimit, hard), FIELD_NOWHERE},
};

static const struct field pair_fields[] = {
	{"key", FIELD_TEXT, FIELD_REQUIRED, AT(msg_pair, key), FIELD_NOWHERE},
	{"value", FIELD_TEXT, FIELD_REQUIRED, AT(msg_pair, value), FIELD_NOWHERE},
};

/* Of a guest's whole configuration, what is for its commands. */
static const struct field bootstrap_fields[] = {
	{"user", FIELD_TEXT, FIELD_NULLABLE, AT(msg_bootstrap, user), FIELD_NOWHERE},
	{"security_profile", FIELD_TEXT, FIELD_NULLABLE, AT(msg_bootstrap, security_profile),
	 FIELD_NOWHERE},
	{"default_cwd", FIELD_TEXT, FIELD_NULLABLE, AT(msg_bootstrap, default_cwd), FIELD_NOWHERE},
	{"default_env", FIELD_MAPS, FIELD_NULLABLE, AT(msg_bootstrap, default_env), FIELD_NOWHERE},
	{"rlimits", FIELD_MAPS, FIELD_NULLABLE, AT(msg_bootstrap, rlimits), FIELD_NOWHERE},
};

static const struct field id_range_fields[] = {
	{"id_start", FIELD_U32, FIELD_REQUIRED, AT(msg_id_range, start), FIELD_NOWHERE},
	{"id_end_exclusive", FIELD_U32, FIELD_REQUIRED, AT(msg_id_range, end), FIELD_NOWHERE},
};

static const struct field identity_fields[] = {
	{"uid", FIELD_U32, FIELD_REQUIRED, AT(msg_identity, uid), FIELD_NOWHERE},
	{"gid", FIELD_U32, FIELD_REQUIRED, AT(msg_identity, gid), FIELD_NOWHERE},
};

static const struct field resolved_fields[] = {
	{"default_user", FIELD_IDENTITY, FIELD_REQUIRED, AT(msg_init_resolved, default_user),
	 FIELD_NOWHERE},
};

static const struct field started_fields[] = {
	{"pid", FIELD_U32, FIELD_REQUIRED, AT(msg_exec_started, pid), FIELD_NOWHERE},
	{"stdin_window", FIELD_U64, FIELD_NULLABLE, AT(msg_exec_started, stdin_window),
	 FIELD_NOWHERE},
};

static const struct field data_fields[] = {
	{"data", FIELD_BYTES, FIELD_REQUIRED, AT(msg_data, data), FIELD_NOWHERE},
};

static const struct field stdin_error_fields[] = {
	{"errno", FIELD_I32, FIELD_NULLABLE, AT(msg_stdin_error, num), FIELD_NOWHERE},
	{"errno_name", FIELD_TEXT, FIELD_NULLABLE, AT(msg_stdin_error, name), FIELD_NOWHERE},
	{"message", FIELD_TEXT, FIELD_REQUIRED, AT(msg_stdin_error, message), FIELD_NOWHERE},
};

static const struct field usage_fields[] = {
	{"user_us", FIELD_U64, FIELD_REQUIRED, AT(msg_usage, user_us), FIELD_NOWHERE},
	{"sys_us", FIELD_U64, FIELD_REQUIRED, AT(msg_usage, sys_us), FIELD_NOWHERE},
	{"wall_us", FIELD_U64, FIELD_REQUIRED, AT(msg_usage, wall_us), FIELD_NOWHERE},
	{"max_rss_kib", FIELD_U64, FIELD_REQUIRED, AT(msg_usage, max_rss_kib), FIELD_NOWHERE},
};

static const struct field exited_fields[] = {
	{"code", FIELD_I32, FIELD_REQUIRED, AT(msg_exec_exited, code), FIELD_NOWHERE},
	{"signal", FIELD_U8, FIELD_NULLABLE, AT(msg_exec_exited, signal), FIELD_NOWHERE},
	{"core_dumped", FIELD_BOOL, FIELD_NULLABLE, AT(msg_exec_exited, core_dumped),
	 FIELD_NOWHERE},
	{"timed_out", FIELD_BOOL, FIELD_NULLABLE, AT(msg_exec_exited, timed_out), FIELD_NOWHERE},
	{"usage", FIELD_USAGE, FIELD_NULLABLE, AT(msg_exec_exited, usage),
	 AT(msg_exec_exited, has_usage)},
};

static const struct field failed_fields[] = {
	{"kind", FIELD_TEXT, FIELD_REQUIRED, AT(msg_exec_failed, kind), FIELD_NOWHERE},
	{"errno", FIELD_I32, FIELD_NULLABLE, AT(msg_exec_failed, num), FIELD_NOWHERE},
	{"errno_name", FIELD_TEXT, FIELD_NULLABLE, AT(msg_exec_failed, num_name), FIELD_NOWHERE},
	{"message", FIELD_TEXT, FIELD_REQUIRED, AT(msg_exec_failed, message), FIELD_NOWHERE},
	{"stage", FIELD_TEXT, FIELD_NULLABLE, AT(msg_exec_failed, stage), FIELD_NOWHERE},
};

static const struct field resize_fields[] = {
	{"rows", FIELD_U16, FIELD_REQUIRED, AT(msg_exec_resize, rows), FIELD_NOWHERE},
	{"cols", FIELD_U16, FIELD_REQUIRED, AT(msg_exec_resize, cols), FIELD_NOWHERE},
	{"xpixel", FIELD_U16, FIELD_NULLABLE, AT(msg_exec_resize, xpixel), FIELD_NOWHERE},
	{"ypixel", FIELD_U16, FIELD_NULLABLE, AT(msg_exec_resize, ypixel), FIELD_NOWHERE},
};

static const struct field signal_fields[] = {
	{"signal", FIELD_I32, FIELD_REQUIRED, AT(msg_exec_signal, signal), FIELD_NOWHERE},
};

static const struct field output_close_fields[] = {
	{"stream", FIELD_TEXT, FIELD_REQUIRED, AT(msg_output_close, stream), FIELD_NOWHERE},
};

static const struct field credit_fields[] = {
	{"consumed", FIELD_U64, FIELD_REQUIRED, AT(msg_credit, consumed), FIELD_NOWHERE},
};

static const struct field transport_credit_fields[] = {
	{"control_bytes", FIELD_U64, FIELD_REQUIRED, AT(msg_transport_credit, control_bytes),
	 FIELD_NOWHERE},
	{"control_frames", FIELD_U64, FIELD_REQUIRED, AT(msg_transport_credit, control_frames),
	 FIELD_NOWHERE},
	{"bulk_bytes", FIELD_U64, FIELD_REQUIRED, AT(msg_transport_credit, bulk_bytes),
	 FIELD_NOWHERE},
	{"bulk_frames", FIELD_U64, FIELD_REQUIRED, AT(msg_transport_credit, bulk_frames),
	 FIELD_NOWHERE},
};

static const struct field error_fields[] = {
	{"kind", FIELD_TEXT, FIELD_REQUIRED, AT(msg_error, kind), FIELD_NOWHERE},
	{"message", FIELD_TEXT, FIELD_REQUIRED, AT(msg_error, message), FIELD_NOWHERE},
	{"offending_type", FIELD_TEXT, FIELD_NULLABLE, AT(msg_error, offending_type),
	 FIELD_NOWHERE},
};

const struct schema msg_envelope_schema = SCHEMA(envelope_fields, msg_envelope);
const struct schema msg_rlimit_schema = SCHEMA(rlimit_fields, msg_rlimit);
const struct schema msg_pair_schema = SCHEMA(pair_fields, msg_pair);
const struct schema msg_identity_schema = SCHEMA(identity_fields, msg_identity);
const struct schema msg_usage_schema = SCHEMA(usage_fields, msg_usage);

const struct schema msg_schemas[MSG_TYPE_COUNT] = {
	[MSG_READY] = SCHEMA(ready_fields, msg_ready),
	[MSG_INIT_RESOLVED] = SCHEMA(resolved_fields, msg_init_resolved),
	[MSG_RELAY_CLIENT_DISCONNECTED] = SCHEMA(id_range_fields, msg_id_range),
	[MSG_BOOTSTRAP] = SCHEMA(bootstrap_fields, msg_bootstrap),
	[MSG_TRANSPORT_CREDIT] = SCHEMA(transport_credit_fields, msg_transport_credit),
	[MSG_ERROR] = SCHEMA(error_fields, msg_error),
	[MSG_EXEC_REQUEST] = {request_fields, ARRAY_LEN(request_fields),
			      sizeof(struct msg_exec_request), &request_defaults},
	[MSG_EXEC_STARTED] = SCHEMA(started_fields, msg_exec_started),
	[MSG_EXEC_STDIN] = SCHEMA(data_fields, msg_data),
	[MSG_EXEC_STDOUT] = SCHEMA(data_fields, msg_data),
	[MSG_EXEC_STDERR] = SCHEMA(data_fields, msg_data),
	[MSG_EXEC_STDIN_ERROR] = SCHEMA(stdin_error_fields, msg_stdin_error),
	[MSG_EXEC_EXITED] = SCHEMA(exited_fields, msg_exec_exited),
	[MSG_EXEC_FAILED] = SCHEMA(failed_fields, msg_exec_failed),
	[MSG_EXEC_RESIZE] = SCHEMA(resize_fields, msg_exec_resize),
	[MSG_EXEC_SIGNAL] = SCHEMA(signal_fields, msg_exec_signal),
	[MSG_EXEC_OUTPUT_CLOSE] = SCHEMA(output_close_fields, msg_output_close),
	[MSG_EXEC_STDIN_CREDIT] = SCHEMA(credit_fields, msg_credit),
	[MSG_EXEC_OUTPUT_CREDIT] = SCHEMA(credit_fields, msg_credit),
};
