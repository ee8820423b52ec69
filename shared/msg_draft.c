/*
 * Frames and their heads: the payload is written behind room for the longest possible head, then
 * the head is put right before it. Definite lengths, shortest heads.
 */
#include "msg_draft.h"

#include <errno.h>
#include <string.h>

#define TYPE_NAME_MAX 32
/* Frame header, map of 3, "v" and a byte, "t" and a name, "p" and a length. */
#define HEAD_MAX    (FRAME_HEADER_LEN + 1 + 2 + 1 + 2 + 2 + TYPE_NAME_MAX + 2 + 5)
#define DATA_KEYS   6 /* map of 1, "data" */
#define DATA_PREFIX (DATA_KEYS + 5)

_Static_assert(HEAD_MAX + DATA_PREFIX <= MSG_DATA_HEAD_MAX, "room for the longest head");

int draft_begin(struct draft *draft, struct buf *out, size_t payload_max)
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

int draft_end(struct draft *draft, uint32_t id, enum msg_type type)
{
	size_t payload_len = (size_t)(draft->w.at - (draft->space + HEAD_MAX));
	uint8_t head[HEAD_MAX];
	size_t head_len;

	if (draft->w.failed) {
		buf_settle(draft->out);
		return -EMSGSIZE;
	}
	head_len = put_head(head, id, type, payload_len);
	if (head_len + payload_len > FRAME_WIRE_MAX) {
		buf_settle(draft->out);
		return -EMSGSIZE;
	}
	memcpy(draft->space + HEAD_MAX - head_len, head, head_len);
	buf_commit_after(draft->out, HEAD_MAX - head_len, head_len + payload_len);
	return 0;
}

int draft_number(struct buf *out, uint32_t id, enum msg_type type, const char *key, int64_t n)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, key);
	wire_put_int(&draft.w, n);
	return draft_end(&draft, id, type);
}

int msg_put_credit(struct buf *out, uint32_t id, enum msg_type type, uint64_t consumed)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "consumed");
	wire_put_uint(&draft.w, consumed);
	return draft_end(&draft, id, type);
}

int msg_put_empty(struct buf *out, uint32_t id, enum msg_type type)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 0);
	return draft_end(&draft, id, type);
}

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
	size_t wire_len, head_len;

	if (buf_len(in) < FRAME_HEADER_LEN)
		return 0;
	wire_len = (size_t)frame_u32(buf_head(in)) + FRAME_PREFIX_LEN;
	if (wire_len > FRAME_WIRE_MAX || wire_len < UINT16_MAX + sizeof(head))
		return 0;
	/* Only one head is right before a payload of that length, so there is nothing to parse. */
	head_len = put_data_head(head, id, type, wire_len);
	*ret_len = wire_len - head_len;
	put_data_head(head, id, type, *ret_len);
	return buf_len(in) >= head_len && memcmp(buf_head(in), head, head_len) == 0 ? head_len : 0;
}

void msg_data_end(struct buf *out, uint32_t id, enum msg_type type, size_t len)
{
	uint8_t *space = out->data + out->tail;
	uint8_t head[HEAD_MAX + DATA_PREFIX];
	size_t head_len = put_data_head(head, id, type, len);

	memcpy(space + sizeof(head) - head_len, head, head_len);
	buf_commit_after(out, sizeof(head) - head_len, head_len + len);
}
