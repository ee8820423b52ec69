/* Decoding: one function walks a map by the table that msg_tables.c has for it. */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "msg_tables.h"
#include "msg_wire.h"

#define PAIRS_MAX 1024 /* of a map that we read: far more than anybody's messages have */

static int read_map(struct wire_reader *r, const struct schema *schema, void *ret_struct);

/* Checks a list and remembers where it stands, for msg_next_text() and msg_next_rlimit(). */
static int read_list(struct wire_reader *r, bool of_maps, struct msg_list *ret_list)
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

		if (of_maps ? (wire_begin_map(&ahead, &pairs) < 0 || wire_skip(r, 1) < 0)
			    : wire_check_text(r) < 0)
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
	case FIELD_LIST:
		return read_list(r, field->of, value);
	case FIELD_MAP:
		return read_map(r, field->of, value);
	case FIELD_FEATURES:
		return read_features(r, value);
	default:
		return read_number(r, field->kind, value);
	}
}

static const struct field *find_field(const struct schema *schema, struct msg_text key)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema->fields[i].key_len == key.len &&
		    memcmp(schema->fields[i].key, key.ptr, key.len) == 0)
			return &schema->fields[i];
	return NULL;
}

/* Reads one key and its value; *seen has a bit for each field that came before. */
static int read_pair(struct wire_reader *r, const struct schema *schema, void *base, uint32_t *seen)
{
	const struct field *field;
	struct msg_text key;

	if (wire_read_key(r, &key) < 0)
		return -EBADMSG;
	field = find_field(schema, key);
	if (!field)
		return wire_skip(r, 0);
	if (*seen & 1u << (field - schema->fields))
		return -EBADMSG;
	*seen |= 1u << (field - schema->fields);
	if ((field->rules & FIELD_NULLABLE) && wire_read_null(r))
		return 0;
	if (read_value(r, field, base) < 0)
		return -EBADMSG;
	if (field->rules & FIELD_NOTED)
		*(bool *)((char *)base + field->told_at) = true;
	return 0;
}

static int read_map(struct wire_reader *r, const struct schema *schema, void *base)
{
	struct wire_walk walk;
	uint32_t seen = 0;
	int more, pairs = 0;

	if (wire_begin_map(r, &walk) < 0)
		return -EBADMSG;
	/* A frame has room for a million that mean nothing, and each takes its time. */
	while ((more = wire_next(r, &walk)) > 0)
		if (++pairs > PAIRS_MAX || read_pair(r, schema, base, &seen) < 0)
			return -EBADMSG;
	if (more < 0)
		return more;
	for (size_t i = 0; i < schema->count; i++)
		if ((schema->fields[i].rules & FIELD_REQUIRED) && !(seen & 1u << i))
			return -EBADMSG;
	return 0;
}

int msg_open(const struct frame *frame, struct msg_envelope *ret)
{
	struct wire_reader r = {frame->body, frame->body + frame->body_len};
	int result;

	/* Until it says otherwise, a peer is taken to be as new as we are. */
	*ret = (struct msg_envelope){.v = MSG_GENERATION};
	result = read_map(&r, &msg_envelope_schema, ret);
	if (ret->type_name.ptr)
		ret->type = msg_type_of(ret->type_name);
	return result;
}

int msg_decode(enum msg_type type, struct msg_bytes payload, void *ret_struct)
{
	struct wire_reader r = wire_over(payload);
	const struct schema *schema = &msg_messages[type].schema;

	if (schema->defaults)
		memcpy(ret_struct, schema->defaults, schema->size);
	else if (schema->size)
		memset(ret_struct, 0, schema->size);
	return read_map(&r, schema, ret_struct);
}

int msg_next_text(struct msg_list *list, struct msg_text *ret_text)
{
	struct wire_reader r;

	/* A list that was not given has no place either, and even NULL + 0 is undefined. */
	if (!list->count)
		return 0;
	r = wire_over(list->cbor);
	if (wire_read_text(&r, ret_text) < 0)
		return 0;
	list->count--;
	list->cbor = (struct msg_bytes){r.at, (size_t)(r.end - r.at)};
	return 1;
}

int msg_peek_text(struct msg_list *list, uint8_t *room, size_t room_len, struct msg_text *ret_text)
{
	size_t len = list->cbor.len < room_len ? list->cbor.len : room_len;
	struct msg_list copy = {.cbor = {room, len}, .count = list->count};

	/* Pieces would be joined where they lie. */
	if (!list->count || !wire_is_in_pieces(list->cbor))
		return msg_next_text(list, ret_text);
	memcpy(room, list->cbor.ptr, len);
	if (msg_next_text(&copy, ret_text) <= 0)
		return 0;
	len -= copy.cbor.len;
	list->count--;
	list->cbor = (struct msg_bytes){list->cbor.ptr + len, list->cbor.len - len};
	return 1;
}

int msg_next_map(struct msg_list *list, const struct schema *schema, void *ret_struct)
{
	struct wire_reader r;

	if (!list->count)
		return 0;
	r = wire_over(list->cbor);
	memset(ret_struct, 0, schema->size);
	if (read_map(&r, schema, ret_struct) < 0)
		return -EBADMSG;
	list->count--;
	list->cbor = (struct msg_bytes){r.at, (size_t)(r.end - r.at)};
	return 1;
}

int msg_next_rlimit(struct msg_list *list, struct msg_rlimit *ret_limit)
{
	return msg_next_map(list, &msg_rlimit_schema, ret_limit);
}

int msg_next_pair(struct msg_list *list, struct msg_pair *ret_pair)
{
	return msg_next_map(list, &msg_pair_schema, ret_pair);
}
