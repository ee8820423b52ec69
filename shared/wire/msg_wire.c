/* Reading CBOR values: see msg_wire.h. */
#include "msg_wire.h"

#include <errno.h>
#include <string.h>

#include "shared/utf8.h"

#define DEPTH_MAX	    256
#define TAG_BIGNUM	    2
#define TAG_NEGATIVE_BIGNUM 3

/* Walks the pieces of a chunked string and, to join, puts them together where the first stands. */
static int walk_chunks(struct wire_reader *r, enum item_kind piece, bool join,
		       struct msg_bytes *ret_bytes)
{
	uint8_t *start = r->at, *out = r->at;
	struct item item;

	for (;;) {
		if (item_read(r, &item) < 0)
			return -EBADMSG;
		if (item.kind == ITEM_BREAK)
			break;
		if (item.kind != piece || item.tagged ||
		    (piece == ITEM_TEXT && !utf8_valid(item.data, item.len)))
			return -EBADMSG;
		if (join)
			memmove(out, item.data, item.len);
		out += item.len;
	}
	*ret_bytes = (struct msg_bytes){start, (size_t)(out - start)};
	return 0;
}

/* bytes_too: a byte string is taken for text, and may hold anything. */
static int read_text(struct wire_reader *r, bool join, bool bytes_too, struct msg_text *ret_text)
{
	enum item_kind piece = ITEM_TEXT;
	struct msg_bytes joined;
	struct item item;

	if (item_read(r, &item) < 0)
		return -EBADMSG;
	if (bytes_too && (item.kind == ITEM_BYTES || item.kind == ITEM_BYTES_CHUNKED))
		piece = ITEM_BYTES;
	if (item.kind == ITEM_TEXT_CHUNKED || (bytes_too && item.kind == ITEM_BYTES_CHUNKED)) {
		if (walk_chunks(r, piece, join, &joined) < 0)
			return -EBADMSG;
		*ret_text = (struct msg_text){(const char *)joined.ptr, joined.len};
		return 0;
	}
	if (item.kind != piece || (piece == ITEM_TEXT && !utf8_valid(item.data, item.len)))
		return -EBADMSG;
	*ret_text = (struct msg_text){(const char *)item.data, item.len};
	return 0;
}

bool wire_is_in_pieces(struct msg_bytes bytes)
{
	struct wire_reader r = wire_over(bytes);
	struct item item;

	return item_read(&r, &item) == 0 && item.kind == ITEM_TEXT_CHUNKED;
}

int wire_read_text(struct wire_reader *r, struct msg_text *ret_text)
{
	return read_text(r, true, false, ret_text);
}

int wire_check_text(struct wire_reader *r)
{
	struct msg_text unused;

	return read_text(r, false, false, &unused);
}

int wire_read_key(struct wire_reader *r, struct msg_text *ret_key)
{
	return read_text(r, true, true, ret_key);
}

int wire_check_key(struct wire_reader *r)
{
	struct msg_text unused;

	return read_text(r, false, true, &unused);
}

/* An array of small integers, as some encoders write bytes, becomes bytes in place. */
static int join_array(struct wire_reader *r, struct wire_walk *walk, struct msg_bytes *ret_bytes)
{
	uint8_t *start = r->at, *out = r->at;
	uint64_t value;
	int more;

	while ((more = wire_next(r, walk)) > 0) {
		if (wire_read_uint(r, UINT8_MAX, &value) < 0)
			return -EBADMSG;
		*out++ = (uint8_t)value;
	}
	if (more < 0)
		return more;
	*ret_bytes = (struct msg_bytes){start, (size_t)(out - start)};
	return 0;
}

int wire_read_bytes(struct wire_reader *r, struct msg_bytes *ret_bytes)
{
	struct wire_walk walk;
	struct item item;

	if (item_read(r, &item) < 0)
		return -EBADMSG;
	switch (item.kind) {
	case ITEM_BYTES:
		/* The reader's memory is writable; only libcbor's callback says const. */
		*ret_bytes = (struct msg_bytes){r->at - item.len, item.len};
		return 0;
	case ITEM_BYTES_CHUNKED:
		return walk_chunks(r, ITEM_BYTES, true, ret_bytes);
	case ITEM_ARRAY:
		walk = (struct wire_walk){item.value, item.indefinite};
		return join_array(r, &walk, ret_bytes);
	default:
		return -EBADMSG;
	}
}

int wire_read_bool(struct wire_reader *r, bool *ret_value)
{
	struct item item;

	if (item_read(r, &item) < 0 || item.kind != ITEM_BOOL)
		return -EBADMSG;
	*ret_value = item.value;
	return 0;
}

/* The value of a big number's bytes when it fits 64 bits. */
static int bignum(const struct item *item, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < item->len; i++) {
		if (value >> 56)
			return -EBADMSG;
		value = value << 8 | item->data[i];
	}
	*ret_value = value;
	return 0;
}

/* Reads any integer as sign and magnitude: value is n, or -1-n when *ret_negative. */
static int read_integer(struct wire_reader *r, bool *ret_negative, uint64_t *ret_value)
{
	struct item item;

	if (item_read(r, &item) < 0)
		return -EBADMSG;
	*ret_negative = item.kind == ITEM_NEGINT;
	*ret_value = item.value;
	if (item.kind == ITEM_UINT || item.kind == ITEM_NEGINT)
		return 0;
	if (item.kind == ITEM_BYTES &&
	    (item.tag == TAG_BIGNUM || item.tag == TAG_NEGATIVE_BIGNUM)) {
		*ret_negative = item.tag == TAG_NEGATIVE_BIGNUM;
		return bignum(&item, ret_value);
	}
	/* JavaScript encoders write integers over 32 bits as a float. 2^64 itself is too big. */
	if (item.kind == ITEM_FLOAT && item.number >= 0 && item.number < 18446744073709551616.0) {
		*ret_value = (uint64_t)item.number;
		return (double)*ret_value == item.number ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

int wire_read_uint(struct wire_reader *r, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	bool negative;

	if (read_integer(r, &negative, &value) < 0 || negative || value > max)
		return -EBADMSG;
	*ret_value = value;
	return 0;
}

int wire_read_i32(struct wire_reader *r, int32_t *ret_value)
{
	uint64_t value;
	bool negative;

	if (read_integer(r, &negative, &value) < 0 || value > INT32_MAX)
		return -EBADMSG;
	*ret_value = negative ? -1 - (int32_t)value : (int32_t)value;
	return 0;
}

bool wire_read_null(struct wire_reader *r)
{
	struct wire_reader ahead = *r;
	struct item item;

	if (item_read(&ahead, &item) < 0 || item.kind != ITEM_NULL)
		return false;
	*r = ahead;
	return true;
}

int wire_begin_array(struct wire_reader *r, struct wire_walk *walk)
{
	struct item item;

	if (item_read(r, &item) < 0 || item.kind != ITEM_ARRAY)
		return -EBADMSG;
	*walk = (struct wire_walk){item.value, item.indefinite};
	return 0;
}

int wire_begin_map(struct wire_reader *r, struct wire_walk *walk)
{
	struct item item;

	if (item_read(r, &item) < 0 || item.kind != ITEM_MAP)
		return -EBADMSG;
	*walk = (struct wire_walk){item.value, item.indefinite};
	return 0;
}

int wire_next(struct wire_reader *r, struct wire_walk *walk)
{
	struct wire_reader ahead = *r;
	struct item item;

	if (!walk->indefinite)
		return walk->left ? (walk->left--, 1) : 0;
	if (item_read(&ahead, &item) < 0)
		return -EBADMSG;
	if (item.kind != ITEM_BREAK)
		return 1;
	*r = ahead;
	return 0;
}

static int skip_elements(struct wire_reader *r, const struct item *item, int depth)
{
	struct wire_walk walk = {item->value, item->indefinite};
	int more;

	if (depth >= DEPTH_MAX)
		return -EBADMSG;
	while ((more = wire_next(r, &walk)) > 0) {
		if (wire_skip(r, depth + 1) < 0)
			return -EBADMSG;
		if (item->kind == ITEM_MAP && wire_skip(r, depth + 1) < 0)
			return -EBADMSG;
	}
	return more;
}

int wire_skip(struct wire_reader *r, int depth)
{
	struct msg_bytes unused;
	struct item item;

	if (item_read(r, &item) < 0)
		return -EBADMSG;
	switch (item.kind) {
	case ITEM_BYTES_CHUNKED:
		return walk_chunks(r, ITEM_BYTES, false, &unused);
	case ITEM_TEXT_CHUNKED:
		return walk_chunks(r, ITEM_TEXT, false, &unused);
	case ITEM_ARRAY:
	case ITEM_MAP:
		return skip_elements(r, &item, depth);
	case ITEM_BREAK:
		return -EBADMSG;
	default:
		return 0;
	}
}
