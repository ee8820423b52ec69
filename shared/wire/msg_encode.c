/*
 * Encoding: one function walks a struct by the table that msg_tables.c has for it. The payload is
 * written behind room for the longest possible head, then the head is put right before it. Definite
 * lengths, shortest heads.
 */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "msg_tables.h"
#include "msg_wire.h"
#include "shared/names.h"
#include "shared/utf8.h"

#define TYPE_NAME_MAX 32
/* Frame header, map of 3, "v" and a byte, "t" and a name, "p" and a length. */
#define HEAD_MAX    (FRAME_HEADER_LEN + 1 + 2 + 1 + 2 + 2 + TYPE_NAME_MAX + 2 + 5)
#define DATA_KEYS   6 /* map of 1, "data" */
#define DATA_PREFIX (DATA_KEYS + 5)

_Static_assert(HEAD_MAX + DATA_PREFIX <= MSG_DATA_HEAD_MAX, "room for the longest head");

/* A frame that is being built at the tail of a queue. */
struct draft {
	struct buf *out;
	uint8_t *space;
	struct wire_writer w; /* where the payload goes */
};

/* Makes room for a payload of up to payload_max bytes: 0, -ENOBUFS, -ENOMEM or -EMSGSIZE. */
static int draft_begin(struct draft *draft, struct buf *out, size_t payload_max)
{
	int r;

	if (payload_max > FRAME_LEN_MAX)
		return -EMSGSIZE;
	r = buf_reserve(out, HEAD_MAX + payload_max, &draft->space);
	if (r < 0)
		return r;
	draft->out = out;
	draft->w.at = draft->space + HEAD_MAX;
	draft->w.end = draft->w.at + payload_max;
	draft->w.failed = false;
	return 0;
}

/* Writes the frame's header and the envelope's keys to head; returns their length. */
static size_t put_head(uint8_t *head, uint32_t id, enum msg_type type, size_t payload_len)
{
	struct wire_writer w = {head + FRAME_HEADER_LEN, head + HEAD_MAX, false};
	size_t len;

	wire_put_map(&w, 3);
	wire_put_str(&w, "v");
	wire_put_uint(&w, MSG_GENERATION);
	wire_put_str(&w, "t");
	wire_put_str(&w, msg_name(type));
	wire_put_str(&w, "p");
	wire_put_bytes_head(&w, payload_len);
	len = (size_t)(w.at - head);
	frame_put_header(head, id, msg_flags(type), len - FRAME_HEADER_LEN + payload_len);
	return len;
}

/* Puts the head before the payload and queues the frame, unless r is what writing it failed for. */
static int draft_end(struct draft *draft, int r, uint32_t id, enum msg_type type)
{
	size_t payload_len = (size_t)(draft->w.at - (draft->space + HEAD_MAX));
	uint8_t head[HEAD_MAX];
	size_t head_len = 0;

	if (r == 0 && !draft->w.failed)
		head_len = put_head(head, id, type, payload_len);
	if (!head_len || head_len + payload_len > FRAME_WIRE_MAX) {
		buf_settle(draft->out);
		return r < 0 ? r : -EMSGSIZE;
	}
	memcpy(draft->space + HEAD_MAX - head_len, head, head_len);
	buf_commit_after(draft->out, HEAD_MAX - head_len, head_len + payload_len);
	return 0;
}

/* ---- by the tables ---- */

/* Decoded texts do not get longer, since their heads are the shortest; maps do, where a number was a
 * short float, by less than once more. */
static size_t room_of_list(const struct msg_list *list, const struct schema *of)
{
	size_t room = of ? list->cbor.len * 2 : 5 + list->cbor.len;

	if (list->limits)
		room += list->count * 64;
	for (size_t i = 0; list->strv && i < list->count; i++)
		room += (of ? 32 : 5) + strlen(list->strv[i]);
	return room;
}

/* Bytes that are enough for the payload, if it fits at all. */
static size_t room_of(const struct schema *schema, const void *base)
{
	size_t room = schema->room ? schema->room : ROOM_SMALL * 2;

	for (size_t i = 0; !schema->room && i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		const void *value = (const char *)base + field->offset;

		if (field->kind == FIELD_TEXT)
			room += ((const struct msg_text *)value)->len;
		else if (field->kind == FIELD_BYTES)
			room += ((const struct msg_bytes *)value)->len;
		else if (field->kind == FIELD_LIST)
			room += room_of_list(value, field->of);
	}
	return room < FRAME_LEN_MAX ? room : FRAME_LEN_MAX;
}

static int put_map(struct wire_writer *w, const struct schema *schema, const void *base);

static int put_entry(struct wire_writer *w, const struct schema *of, const char *entry)
{
	const char *equals = strchrnul(entry, '='), *value = equals + (*equals != '\0');
	const struct msg_pair pair = {{entry, (size_t)(equals - entry)}, {value, strlen(value)}};

	if (of)
		return put_map(w, of, &pair);
	wire_put_str(w, entry);
	return 0;
}

static int put_decoded(struct wire_writer *w, const struct schema *of, struct msg_list *rest)
{
	union {
		struct msg_text text;
		struct msg_rlimit limit;
		struct msg_pair pair;
	} next;

	if (of)
		return msg_next_map(rest, of, &next) > 0 ? put_map(w, of, &next) : -EBADMSG;
	if (msg_next_text(rest, &next.text) <= 0)
		return -EBADMSG;
	wire_put_text(w, next.text.ptr, next.text.len);
	return 0;
}

static int put_list(struct wire_writer *w, const struct schema *of, const struct msg_list *list)
{
	struct msg_list rest = *list;
	int r = 0;

	wire_put_array(w, list->count);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = list->strv	   ? put_entry(w, of, list->strv[i])
		    : list->limits ? put_map(w, of, &list->limits[i])
				   : put_decoded(w, of, &rest);
	return r;
}

static void put_features(struct wire_writer *w, uint32_t features)
{
	wire_put_array(w, (size_t)__builtin_popcount(features));
	for (int i = 0; i < MSG_FEATURE_COUNT; i++)
		if (features & 1u << i)
			wire_put_str(w, msg_feature_names[i]);
}

static int put_value(struct wire_writer *w, const struct field *field, const void *value)
{
	const struct msg_bytes *bytes = value;
	const struct msg_text *text = value;

	switch (field->kind) {
	case FIELD_TEXT:
		wire_put_text(w, text->ptr, text->len);
		break;
	case FIELD_BYTES:
		wire_put_bytes_head(w, bytes->len);
		wire_put_raw(w, bytes->ptr, bytes->len);
		break;
	case FIELD_BOOL:
		wire_put_bool(w, *(const bool *)value);
		break;
	case FIELD_U8:
		wire_put_uint(w, *(const uint8_t *)value);
		break;
	case FIELD_U16:
		wire_put_uint(w, *(const uint16_t *)value);
		break;
	case FIELD_U32:
		wire_put_uint(w, *(const uint32_t *)value);
		break;
	case FIELD_U64:
		wire_put_uint(w, *(const uint64_t *)value);
		break;
	case FIELD_I32:
		wire_put_int(w, *(const int32_t *)value);
		break;
	case FIELD_FEATURES:
		put_features(w, *(const uint32_t *)value);
		break;
	case FIELD_LIST:
		return put_list(w, field->of, value);
	case FIELD_MAP:
		return put_map(w, field->of, value);
	}
	return 0;
}

/* What becomes of a field: FIELD_NULL, FIELD_OMITTED, or 0 when its value is sent. */
static int untold(const struct field *field, const void *base)
{
	const char *told = (const char *)base + field->told_at;

	for (size_t i = 0; i < field->told_len; i++)
		if (told[i])
			return 0;
	return field->rules & (FIELD_NULL | FIELD_OMITTED);
}

static int put_map(struct wire_writer *w, const struct schema *schema, const void *base)
{
	size_t pairs = 0;
	int r = 0;

	for (size_t i = 0; i < schema->count; i++)
		pairs += untold(&schema->fields[i], base) != FIELD_OMITTED;
	wire_put_map(w, pairs);
	for (size_t i = 0; r == 0 && i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		int rule = untold(field, base);

		if (rule == FIELD_OMITTED)
			continue;
		wire_put_text(w, field->key, field->key_len);
		if (rule == FIELD_NULL)
			wire_put_null(w);
		else
			r = put_value(w, field, (const char *)base + field->offset);
	}
	return r;
}

static int put_by(struct buf *out, uint32_t id, enum msg_type type, const struct schema *schema,
		  const void *base)
{
	struct draft draft;
	int r = draft_begin(&draft, out, room_of(schema, base));

	return r < 0 ? r : draft_end(&draft, put_map(&draft.w, schema, base), id, type);
}

int msg_put(struct buf *out, uint32_t id, enum msg_type type, const void *message)
{
	return put_by(out, id, type, &msg_messages[type].schema, message);
}

/* ---- what needs more than its struct ---- */

static struct msg_text text_of(const char *text)
{
	return (struct msg_text){text, text ? strlen(text) : 0};
}

/* A message for people, cut where it is too long. What it quotes may have been cut before. */
static struct msg_text cut(char room[ROOM_MESSAGE], const char *message)
{
	size_t len = strnlen(message, ROOM_MESSAGE);

	while (message[len] && len && ((uint8_t)message[len] & 0xc0) == 0x80)
		len--;
	memcpy(room, message, len);
	utf8_scrub(room, len);
	return (struct msg_text){room, len};
}

int msg_put_empty(struct buf *out, uint32_t id, enum msg_type type)
{
	return put_by(out, id, type, &msg_empty_schema, NULL);
}

int msg_put_exec_signal(struct buf *out, uint32_t id, int signal)
{
	return msg_put(out, id, MSG_EXEC_SIGNAL, &(struct msg_exec_signal){signal});
}

int msg_put_output_close(struct buf *out, uint32_t id, enum msg_stream stream)
{
	const struct msg_output_close close = {text_of(msg_stream_names[stream])};

	return msg_put(out, id, MSG_EXEC_OUTPUT_CLOSE, &close);
}

int msg_put_credit(struct buf *out, uint32_t id, enum msg_type type, uint64_t consumed)
{
	return msg_put(out, id, type, &(struct msg_credit){consumed});
}

int msg_put_touched(struct buf *out, uint32_t id, uint64_t activity_seq)
{
	const struct msg_touched touched = {activity_seq};

	return put_by(out, id, MSG_TOUCHED, &msg_touched_schema, &touched);
}

int msg_put_stdin_error(struct buf *out, uint32_t id, int num)
{
	char room[ROOM_MESSAGE];
	const struct msg_stdin_error error = {num, text_of(num ? errno_name(num) : NULL),
					      cut(room, strerror(num))};

	return msg_put(out, id, MSG_EXEC_STDIN_ERROR, &error);
}

int msg_put_exec_failed(struct buf *out, uint32_t id, enum msg_failure kind, int num,
			const char *message, const char *stage)
{
	char room[ROOM_MESSAGE];
	const struct msg_exec_failed failed = {
		.kind = text_of(msg_failure_names[kind]),
		.num = num,
		.num_name = text_of(num ? errno_name(num) : NULL),
		.message = cut(room, message),
		.stage = text_of(stage),
	};

	return msg_put(out, id, MSG_EXEC_FAILED, &failed);
}

int msg_put_error(struct buf *out, uint32_t id, enum msg_refusal kind, const char *message,
		  struct msg_text offending_type)
{
	char room[ROOM_MESSAGE];
	struct msg_error error = {
		.kind = text_of(msg_refusal_names[kind]),
		.message = cut(room, message),
	};

	if (offending_type.len <= ROOM_SMALL)
		error.offending_type = offending_type;
	return msg_put(out, id, MSG_ERROR, &error);
}

int msg_put_fs_refusal(struct buf *out, uint32_t id, const char *message)
{
	char room[ROOM_MESSAGE];
	const struct msg_no_support no = {.error = cut(room, message)};

	return put_by(out, id, MSG_FS_RESPONSE, &msg_no_fs_schema, &no);
}

int msg_put_tcp_refusal(struct buf *out, uint32_t id, const char *message)
{
	char room[ROOM_MESSAGE];
	const struct msg_no_support no = {.error = cut(room, message)};

	return put_by(out, id, MSG_TCP_FAILED, &msg_no_tcp_schema, &no);
}

/* ---- what a relay passes on ---- */

/* How long the map is that the payload begins with. Whatever its keys say, they are keys. */
static int measure(struct msg_bytes payload, size_t *ret_len)
{
	struct wire_reader r = wire_over(payload);
	struct wire_walk walk;
	int more;

	if (wire_begin_map(&r, &walk) < 0)
		return -EBADMSG;
	while ((more = wire_next(&r, &walk)) > 0)
		if (wire_check_key(&r) < 0 || wire_skip(&r, 0) < 0)
			return -EBADMSG;
	if (more == 0)
		*ret_len = (size_t)(r.at - payload.ptr);
	return more;
}

int msg_check(struct msg_bytes payload)
{
	size_t len;

	return measure(payload, &len);
}

int msg_put_payload(struct buf *out, uint32_t id, enum msg_type type, struct msg_bytes payload)
{
	struct draft draft;
	size_t len;
	int r = measure(payload, &len);

	if (r == 0)
		r = draft_begin(&draft, out, len);
	if (r < 0)
		return r;
	wire_put_raw(&draft.w, payload.ptr, len);
	return draft_end(&draft, 0, id, type);
}

int msg_put_request_with(struct buf *out, uint32_t id, const struct msg_exec_request *request,
			 const struct msg_relayed *add)
{
	struct msg_exec_request asked = *request;

	asked.stdin_window |= add->input;
	if (add->output)
		asked.output_window = add->output;
	asked.has_for_uid = add->has_for_uid;
	asked.for_uid = add->for_uid;
	return msg_put(out, id, MSG_EXEC_REQUEST, &asked);
}

/* ---- data ---- */

int msg_data_begin(struct buf *out, size_t max, uint8_t **ret_space)
{
	uint8_t *space;
	int r = buf_reserve(out, HEAD_MAX + DATA_PREFIX + max, &space);

	if (r < 0)
		return r;
	*ret_space = space + HEAD_MAX + DATA_PREFIX;
	return 0;
}

/* Writes all that comes before a payload of len bytes; returns its length. */
static size_t put_data_head(uint8_t head[HEAD_MAX + DATA_PREFIX], uint32_t id, enum msg_type type,
			    size_t len)
{
	uint8_t prefix[DATA_PREFIX];
	struct wire_writer w = {prefix, prefix + sizeof(prefix), false};
	size_t head_len, prefix_len;

	wire_put_map(&w, 1);
	wire_put_str(&w, "data");
	wire_put_bytes_head(&w, len);
	prefix_len = (size_t)(w.at - prefix);
	head_len = put_head(head, id, type, prefix_len + len);
	memcpy(head + head_len, prefix, prefix_len);
	return head_len + prefix_len;
}

int msg_data_head(struct buf *out, uint32_t id, enum msg_type type, size_t len)
{
	uint8_t head[HEAD_MAX + DATA_PREFIX];

	return buf_append(out, head, put_data_head(head, id, type, len));
}

size_t msg_peek_data(const struct buf *in, uint32_t id, enum msg_type type, size_t *ret_len)
{
	uint8_t head[HEAD_MAX + DATA_PREFIX];
	const uint8_t *at = buf_head(in);
	size_t wire_len, head_len;

	if (buf_len(in) < FRAME_HEADER_LEN)
		return 0;
	wire_len = (size_t)frame_u32(at) + FRAME_PREFIX_LEN;
	if (wire_len > FRAME_WIRE_MAX || wire_len < UINT16_MAX + sizeof(head))
		return 0;
	/* Only one head is right before a payload of that length, so there is nothing to parse. */
	head_len = put_data_head(head, id, type, wire_len);
	*ret_len = wire_len - head_len;
	put_data_head(head, id, type, *ret_len);
	return buf_len(in) >= head_len && memcmp(at, head, head_len) == 0 ? head_len : 0;
}

void msg_data_end(struct buf *out, uint32_t id, enum msg_type type, size_t len)
{
	uint8_t *space = out->data + out->tail;
	uint8_t head[HEAD_MAX + DATA_PREFIX];
	size_t head_len = put_data_head(head, id, type, len);

	memcpy(space + sizeof(head) - head_len, head, head_len);
	buf_commit_after(out, sizeof(head) - head_len, head_len + len);
}
