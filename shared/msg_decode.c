/*
 * Decoding: one table a message says which keys it has, of what kind, and where in the struct
 * each value goes; one function walks a map by such a table.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "msg.h"
#include "msg_types.h"
#include "msg_wire.h"

enum field_kind {
	FIELD_TEXT,
	FIELD_BYTES,
	FIELD_BOOL,
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_I32,
	FIELD_TEXTS,
	FIELD_RLIMITS,
	FIELD_FEATURES,
	FIELD_USAGE,
};

#define REQUIRED 1 /* an error when missing */
#define NULLABLE 2 /* null stands for absent */

struct field {
	const char *key;
	enum field_kind kind;
	uint8_t rules;
	uint16_t offset;  /* of the value in the struct */
	uint16_t present; /* of a bool that says whether it came, or NOWHERE */
};

#define NOWHERE UINT16_MAX

struct schema {
	const struct field *fields;
	size_t count;
	size_t size;	      /* of the struct */
	const void *defaults; /* what it starts as; NULL: all zero */
};

#define AT(type, member) (uint16_t) offsetof(struct type, member)
#define SCHEMA(table, type)                                                          \
	{                                                                            \
		table, sizeof(table) / sizeof((table)[0]), sizeof(struct type), NULL \
	}

static const struct field envelope_fields[] = {
	{"v", FIELD_U8, REQUIRED, AT(msg_envelope, v), NOWHERE},
	{"t", FIELD_TEXT, REQUIRED, AT(msg_envelope, type_name), NOWHERE},
	{"p", FIELD_BYTES, REQUIRED, AT(msg_envelope, payload), NOWHERE},
};

static const struct field ready_fields[] = {
	{"boot_time_ns", FIELD_U64, REQUIRED, AT(msg_ready, boot_time_ns), NOWHERE},
	{"init_time_ns", FIELD_U64, REQUIRED, AT(msg_ready, init_time_ns), NOWHERE},
	{"ready_time_ns", FIELD_U64, REQUIRED, AT(msg_ready, ready_time_ns), NOWHERE},
	{"agent_version", FIELD_TEXT, NULLABLE, AT(msg_ready, agent_version), NOWHERE},
	{"exec_features", FIELD_FEATURES, NULLABLE, AT(msg_ready, features), NOWHERE},
};

static const struct field request_fields[] = {
	{"cmd", FIELD_TEXT, REQUIRED, AT(msg_exec_request, cmd), NOWHERE},
	{"args", FIELD_TEXTS, 0, AT(msg_exec_request, args), NOWHERE},
	{"env", FIELD_TEXTS, 0, AT(msg_exec_request, env), NOWHERE},
	{"cwd", FIELD_TEXT, NULLABLE, AT(msg_exec_request, cwd), NOWHERE},
	{"user", FIELD_TEXT, NULLABLE, AT(msg_exec_request, user), NOWHERE},
	{"tty", FIELD_BOOL, 0, AT(msg_exec_request, tty), NOWHERE},
	{"rows", FIELD_U16, 0, AT(msg_exec_request, rows), NOWHERE},
	{"cols", FIELD_U16, 0, AT(msg_exec_request, cols), NOWHERE},
	{"rlimits", FIELD_RLIMITS, 0, AT(msg_exec_request, rlimits), NOWHERE},
	{"timeout_ms", FIELD_U64, NULLABLE, AT(msg_exec_request, timeout_ms), NOWHERE},
	{"timeout_signal", FIELD_I32, NULLABLE, AT(msg_exec_request, timeout_signal), NOWHERE},
	{"kill_after_ms", FIELD_U64, NULLABLE, AT(msg_exec_request, kill_after_ms), NOWHERE},
	{"linger_ms", FIELD_U64, NULLABLE, AT(msg_exec_request, linger_ms),
	 AT(msg_exec_request, has_linger)},
	{"on_disconnect", FIELD_TEXT, NULLABLE, AT(msg_exec_request, on_disconnect), NOWHERE},
	{"login_shell", FIELD_BOOL, NULLABLE, AT(msg_exec_request, login_shell), NOWHERE},
	{"stdin_window", FIELD_BOOL, NULLABLE, AT(msg_exec_request, stdin_window), NOWHERE},
	{"output_window", FIELD_U64, NULLABLE, AT(msg_exec_request, output_window), NOWHERE},
};

static const struct msg_exec_request request_defaults = {
	.rows = 24,
	.cols = 80,
	.timeout_signal = SIGTERM,
	.kill_after_ms = 5000,
};

static const struct field rlimit_fields[] = {
	{"resource", FIELD_TEXT, REQUIRED, AT(msg_rlimit, resource), NOWHERE},
	{"soft", FIELD_U64, REQUIRED, AT(msg_rlimit, soft), NOWHERE},
	{"hard", FIELD_U64, REQUIRED, AT(msg_rlimit, hard), NOWHERE},
};

static const struct field started_fields[] = {
	{"pid", FIELD_U32, REQUIRED, AT(msg_exec_started, pid), NOWHERE},
	{"stdin_window", FIELD_U64, NULLABLE, AT(msg_exec_started, stdin_window), NOWHERE},
};

static const struct field data_fields[] = {
	{"data", FIELD_BYTES, REQUIRED, AT(msg_data, data), NOWHERE},
};

static const struct field stdin_error_fields[] = {
	{"errno", FIELD_I32, NULLABLE, AT(msg_stdin_error, num), NOWHERE},
	{"errno_name", FIELD_TEXT, NULLABLE, AT(msg_stdin_error, name), NOWHERE},
	{"message", FIELD_TEXT, REQUIRED, AT(msg_stdin_error, message), NOWHERE},
};

static const struct field usage_fields[] = {
	{"user_us", FIELD_U64, REQUIRED, AT(msg_usage, user_us), NOWHERE},
	{"sys_us", FIELD_U64, REQUIRED, AT(msg_usage, sys_us), NOWHERE},
	{"wall_us", FIELD_U64, REQUIRED, AT(msg_usage, wall_us), NOWHERE},
	{"max_rss_kib", FIELD_U64, REQUIRED, AT(msg_usage, max_rss_kib), NOWHERE},
};

static const struct field exited_fields[] = {
	{"code", FIELD_I32, REQUIRED, AT(msg_exec_exited, code), NOWHERE},
	{"signal", FIELD_U8, NULLABLE, AT(msg_exec_exited, signal), NOWHERE},
	{"core_dumped", FIELD_BOOL, NULLABLE, AT(msg_exec_exited, core_dumped), NOWHERE},
	{"timed_out", FIELD_BOOL, NULLABLE, AT(msg_exec_exited, timed_out), NOWHERE},
	{"usage", FIELD_USAGE, NULLABLE, AT(msg_exec_exited, usage),
	 AT(msg_exec_exited, has_usage)},
};

static const struct field failed_fields[] = {
	{"kind", FIELD_TEXT, REQUIRED, AT(msg_exec_failed, kind), NOWHERE},
	{"errno", FIELD_I32, NULLABLE, AT(msg_exec_failed, num), NOWHERE},
	{"errno_name", FIELD_TEXT, NULLABLE, AT(msg_exec_failed, num_name), NOWHERE},
	{"message", FIELD_TEXT, REQUIRED, AT(msg_exec_failed, message), NOWHERE},
	{"stage", FIELD_TEXT, NULLABLE, AT(msg_exec_failed, stage), NOWHERE},
};

static const struct field resize_fields[] = {
	{"rows", FIELD_U16, REQUIRED, AT(msg_exec_resize, rows), NOWHERE},
	{"cols", FIELD_U16, REQUIRED, AT(msg_exec_resize, cols), NOWHERE},
};

static const struct field signal_fields[] = {
	{"signal", FIELD_I32, REQUIRED, AT(msg_exec_signal, signal), NOWHERE},
};

static const struct field output_close_fields[] = {
	{"stream", FIELD_TEXT, REQUIRED, AT(msg_output_close, stream), NOWHERE},
};

static const struct field credit_fields[] = {
	{"consumed", FIELD_U64, REQUIRED, AT(msg_credit, consumed), NOWHERE},
};

static const struct field error_fields[] = {
	{"kind", FIELD_TEXT, REQUIRED, AT(msg_error, kind), NOWHERE},
	{"message", FIELD_TEXT, REQUIRED, AT(msg_error, message), NOWHERE},
	{"offending_type", FIELD_TEXT, NULLABLE, AT(msg_error, offending_type), NOWHERE},
};

static const struct schema envelope_schema = SCHEMA(envelope_fields, msg_envelope);
static const struct schema rlimit_schema = SCHEMA(rlimit_fields, msg_rlimit);
static const struct schema usage_schema = SCHEMA(usage_fields, msg_usage);

/* A type without a row has no field that we need; its payload need only be a map. */
static const struct schema schemas[MSG_TYPE_COUNT] = {
	[MSG_READY] = SCHEMA(ready_fields, msg_ready),
	[MSG_ERROR] = SCHEMA(error_fields, msg_error),
	[MSG_EXEC_REQUEST] = {request_fields, sizeof(request_fields) / sizeof(request_fields[0]),
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

static int read_map(struct wire_reader *r, const struct schema *schema, void *ret_struct);

/* Checks a list and remembers where it stands, for msg_next_text() and msg_next_rlimit(). */
static int read_list(struct wire_reader *r, enum field_kind kind, struct msg_list *ret_list)
{
	struct wire_reader elements;
	struct msg_list list = {0};
	struct wire_walk walk;
	int more;

	if (wire_begin_array(r, &walk) < 0)
		return -EBADMSG;
	elements = *r;
	while ((more = wire_next(r, &walk)) > 0) {
		struct wire_reader ahead = *r;
		struct wire_walk pairs;

		if (kind == FIELD_TEXTS ? wire_check_text(r) < 0
					: (wire_begin_map(&ahead, &pairs) < 0 || wire_skip(r) < 0))
			return -EBADMSG;
		list.count++;
	}
	if (more < 0)
		return more;
	list.cbor = (struct msg_bytes){elements.at, (size_t)(r->at - elements.at)};
	*ret_list = list;
	return 0;
}

static int read_features(struct wire_reader *r, uint32_t *ret_features)
{
	struct wire_walk walk;
	struct msg_text name;
	int more, index;

	if (wire_begin_array(r, &walk) < 0)
		return -EBADMSG;
	while ((more = wire_next(r, &walk)) > 0) {
		if (wire_read_text(r, &name) < 0)
			return -EBADMSG;
		index = msg_name_index(msg_feature_names, MSG_FEATURE_COUNT, name);
		if (index >= 0)
			*ret_features |= 1u << index;
	}
	return more;
}

static int read_number(struct wire_reader *r, enum field_kind kind, void *value)
{
	uint64_t n;

	switch (kind) {
	case FIELD_U8:
		if (wire_read_uint(r, UINT8_MAX, &n) < 0)
			return -EBADMSG;
		*(uint8_t *)value = (uint8_t)n;
		return 0;
	case FIELD_U16:
		if (wire_read_uint(r, UINT16_MAX, &n) < 0)
			return -EBADMSG;
		*(uint16_t *)value = (uint16_t)n;
		return 0;
	case FIELD_U32:
		if (wire_read_uint(r, UINT32_MAX, &n) < 0)
			return -EBADMSG;
		*(uint32_t *)value = (uint32_t)n;
		return 0;
	default:
		return wire_read_uint(r, UINT64_MAX, value);
	}
}

static int read_value(struct wire_reader *r, const struct field *field, void *base)
{
	void *value = (char *)base + field->offset;

	switch (field->kind) {
	case FIELD_TEXT:
		return wire_read_text(r, value);
	case FIELD_BYTES:
		return wire_read_bytes(r, value);
	case FIELD_BOOL:
		return wire_read_bool(r, value);
	case FIELD_I32:
		return wire_read_i32(r, value);
	case FIELD_TEXTS:
	case FIELD_RLIMITS:
		return read_list(r, field->kind, value);
	case FIELD_FEATURES:
		return read_features(r, value);
	case FIELD_USAGE:
		return read_map(r, &usage_schema, value);
	default:
		return read_number(r, field->kind, value);
	}
}

/* Keys are text; byte strings are taken for text, as the reference does. */
static int read_key(struct wire_reader *r, struct msg_text *ret_key)
{
	struct wire_reader again = *r;
	struct msg_bytes bytes;

	if (wire_read_text(r, ret_key) == 0)
		return 0;
	*r = again;
	if (wire_read_bytes(r, &bytes) < 0)
		return -EBADMSG;
	*ret_key = (struct msg_text){(const char *)bytes.ptr, bytes.len};
	return 0;
}

static const struct field *find_field(const struct schema *schema, struct msg_text key)
{
	for (size_t i = 0; i < schema->count; i++)
		if (strlen(schema->fields[i].key) == key.len &&
		    memcmp(schema->fields[i].key, key.ptr, key.len) == 0)
			return &schema->fields[i];
	return NULL;
}

/* Reads one key and its value; *seen has a bit for each field that came before. */
static int read_pair(struct wire_reader *r, const struct schema *schema, void *base, uint32_t *seen)
{
	const struct field *field;
	struct msg_text key;

	if (read_key(r, &key) < 0)
		return -EBADMSG;
	field = find_field(schema, key);
	if (!field)
		return wire_skip(r);
	if (*seen & 1u << (field - schema->fields))
		return -EBADMSG;
	*seen |= 1u << (field - schema->fields);
	if ((field->rules & NULLABLE) && wire_read_null(r))
		return 0;
	if (read_value(r, field, base) < 0)
		return -EBADMSG;
	if (field->present != NOWHERE)
		*(bool *)((char *)base + field->present) = true;
	return 0;
}

static int read_map(struct wire_reader *r, const struct schema *schema, void *base)
{
	struct wire_walk walk;
	uint32_t seen = 0;
	int more;

	if (wire_begin_map(r, &walk) < 0)
		return -EBADMSG;
	while ((more = wire_next(r, &walk)) > 0)
		if (read_pair(r, schema, base, &seen) < 0)
			return -EBADMSG;
	if (more < 0)
		return more;
	for (size_t i = 0; i < schema->count; i++)
		if ((schema->fields[i].rules & REQUIRED) && !(seen & 1u << i))
			return -EBADMSG;
	return 0;
}

int msg_open(const struct frame *frame, struct msg_envelope *ret)
{
	struct wire_reader r = {frame->body, frame->body + frame->body_len};
	int result;

	/* Until it says otherwise, a peer is taken to be as new as we are. */
	*ret = (struct msg_envelope){.v = MSG_GENERATION};
	result = read_map(&r, &envelope_schema, ret);
	if (ret->type_name.ptr)
		ret->type = msg_type_of(ret->type_name);
	return result;
}

int msg_decode(enum msg_type type, struct msg_bytes payload, void *ret_struct)
{
	struct wire_reader r = {payload.ptr, payload.ptr + payload.len};
	const struct schema *schema = &schemas[type];

	if (schema->defaults)
		memcpy(ret_struct, schema->defaults, schema->size);
	else if (schema->size)
		memset(ret_struct, 0, schema->size);
	return read_map(&r, schema, ret_struct);
}

int msg_next_text(struct msg_list *list, struct msg_text *ret_text)
{
	struct wire_reader r = {list->cbor.ptr, list->cbor.ptr + list->cbor.len};

	if (!list->count || wire_read_text(&r, ret_text) < 0)
		return 0;
	list->count--;
	list->cbor = (struct msg_bytes){r.at, (size_t)(r.end - r.at)};
	return 1;
}

int msg_next_rlimit(struct msg_list *list, struct msg_rlimit *ret_limit)
{
	struct wire_reader r = {list->cbor.ptr, list->cbor.ptr + list->cbor.len};

	if (!list->count)
		return 0;
	*ret_limit = (struct msg_rlimit){0};
	if (read_map(&r, &rlimit_schema, ret_limit) < 0)
		return -EBADMSG;
	list->count--;
	list->cbor = (struct msg_bytes){r.at, (size_t)(r.end - r.at)};
	return 1;
}
