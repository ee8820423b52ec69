/* CBOR items on libcbor's streaming calls: see msg_wire.h. */
#include "msg_wire.h"

#include <cbor.h>
#include <errno.h>
#include <string.h>

#include "utf8.h"

#define DEPTH_MAX 256
#define TAG_BIGNUM 2
#define TAG_NEGATIVE_BIGNUM 3

enum item_kind {
	ITEM_UINT,
	ITEM_NEGINT, /* value is n of -1-n */
	ITEM_BYTES,
	ITEM_BYTES_CHUNKED,
	ITEM_TEXT,
	ITEM_TEXT_CHUNKED,
	ITEM_ARRAY,
	ITEM_MAP,
	ITEM_TAG,
	ITEM_FLOAT,
	ITEM_BOOL,
	ITEM_NULL, /* undefined too */
	ITEM_BREAK,
};

struct item {
	enum item_kind kind;
	bool indefinite;  /* of an array or map */
	uint64_t value;   /* an integer, a tag, a count, a truth */
	uint64_t tag;     /* the innermost tag before the value, 0 for none */
	double number;    /* of a float */
	const uint8_t *data;
	size_t len;
};

static void set(void *ctx, enum item_kind kind, uint64_t value)
{
	struct item *item = ctx;

	item->kind = kind;
	item->value = value;
}

static void on_u8(void *ctx, uint8_t v)
{
	set(ctx, ITEM_UINT, v);
}

static void on_u16(void *ctx, uint16_t v)
{
	set(ctx, ITEM_UINT, v);
}

static void on_u32(void *ctx, uint32_t v)
{
	set(ctx, ITEM_UINT, v);
}

static void on_u64(void *ctx, uint64_t v)
{
	set(ctx, ITEM_UINT, v);
}

static void on_neg8(void *ctx, uint8_t v)
{
	set(ctx, ITEM_NEGINT, v);
}

static void on_neg16(void *ctx, uint16_t v)
{
	set(ctx, ITEM_NEGINT, v);
}

static void on_neg32(void *ctx, uint32_t v)
{
	set(ctx, ITEM_NEGINT, v);
}

static void on_neg64(void *ctx, uint64_t v)
{
	set(ctx, ITEM_NEGINT, v);
}

static void on_bytes(void *ctx, cbor_data data, size_t len)
{
	struct item *item = ctx;

	set(ctx, ITEM_BYTES, 0);
	item->data = data;
	item->len = len;
}

static void on_text(void *ctx, cbor_data data, size_t len)
{
	struct item *item = ctx;

	set(ctx, ITEM_TEXT, 0);
	item->data = data;
	item->len = len;
}

static void on_bytes_start(void *ctx)
{
	set(ctx, ITEM_BYTES_CHUNKED, 0);
}

static void on_text_start(void *ctx)
{
	set(ctx, ITEM_TEXT_CHUNKED, 0);
}

static void on_array(void *ctx, size_t count)
{
	set(ctx, ITEM_ARRAY, count);
}

static void on_map(void *ctx, size_t count)
{
	set(ctx, ITEM_MAP, count);
}

static void on_array_start(void *ctx)
{
	set(ctx, ITEM_ARRAY, 0);
	((struct item *)ctx)->indefinite = true;
}

static void on_map_start(void *ctx)
{
	set(ctx, ITEM_MAP, 0);
	((struct item *)ctx)->indefinite = true;
}

static void on_tag(void *ctx, uint64_t v)
{
	set(ctx, ITEM_TAG, v);
}

static void on_float(void *ctx, float v)
{
	set(ctx, ITEM_FLOAT, 0);
	((struct item *)ctx)->number = (double)v;
}

static void on_double(void *ctx, double v)
{
	set(ctx, ITEM_FLOAT, 0);
	((struct item *)ctx)->number = v;
}

static void on_null(void *ctx)
{
	set(ctx, ITEM_NULL, 0);
}

static void on_bool(void *ctx, bool v)
{
	set(ctx, ITEM_BOOL, v);
}

static void on_break(void *ctx)
{
	set(ctx, ITEM_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_u8,
	.uint16 = on_u16,
	.uint32 = on_u32,
	.uint64 = on_u64,
	.negint8 = on_neg8,
	.negint16 = on_neg16,
	.negint32 = on_neg32,
	.negint64 = on_neg64,
	.byte_string = on_bytes,
	.byte_string_start = on_bytes_start,
	.string = on_text,
	.string_start = on_text_start,
	.array_start = on_array,
	.indef_array_start = on_array_start,
	.map_start = on_map,
	.indef_map_start = on_map_start,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_null,
	.null = on_null,
	.boolean = on_bool,
	.indef_break = on_break,
};

/* Reads one item, its tags skipped. A string's bytes come with it, an array's elements do not. */
static int read_item(struct wire_reader *r, struct item *ret_item)
{
	uint64_t tag = 0;

	for (;;) {
		struct cbor_decoder_result result;
		struct item item = {0};

		if (r->at >= r->end)
			return -EBADMSG;
		result = cbor_stream_decode(r->at, (size_t)(r->end - r->at), &callbacks, &item);
		if (result.status != CBOR_DECODER_FINISHED)
			return -EBADMSG;
		r->at += result.read;
		if (item.kind != ITEM_TAG) {
			item.tag = tag;
			*ret_item = item;
			return 0;
		}
		tag = item.value;
	}
}

/* Walks the pieces of a chunked string and, to join, puts them together where the first stands. */
static int walk_chunks(struct wire_reader *r, enum item_kind piece, bool join,
		       struct msg_bytes *ret_bytes)
{
	uint8_t *start = r->at, *out = r->at;
	struct item item;

	for (;;) {
		if (read_item(r, &item) < 0)
			return -EBADMSG;
		if (item.kind == ITEM_BREAK)
			break;
		if (item.kind != piece || (piece == ITEM_TEXT && !utf8_valid(item.data, item.len)))
			return -EBADMSG;
		if (join)
			memmove(out, item.data, item.len);
		out += item.len;
	}
	*ret_bytes = (struct msg_bytes){start, (size_t)(out - start)};
	return 0;
}

static int read_text(struct wire_reader *r, bool join, struct msg_text *ret_text)
{
	struct msg_bytes joined;
	struct item item;

	if (read_item(r, &item) < 0)
		return -EBADMSG;
	if (item.kind == ITEM_TEXT_CHUNKED) {
		if (walk_chunks(r, ITEM_TEXT, join, &joined) < 0)
			return -EBADMSG;
		*ret_text = (struct msg_text){(const char *)joined.ptr, joined.len};
		return 0;
	}
	if (item.kind != ITEM_TEXT || !utf8_valid(item.data, item.len))
		return -EBADMSG;
	*ret_text = (struct msg_text){(const char *)item.data, item.len};
	return 0;
}

int wire_read_text(struct wire_reader *r, struct msg_text *ret_text)
{
	return read_text(r, true, ret_text);
}

int wire_check_text(struct wire_reader *r)
{
	struct msg_text unused;

	return read_text(r, false, &unused);
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

	if (read_item(r, &item) < 0)
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

	if (read_item(r, &item) < 0 || item.kind != ITEM_BOOL)
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

	if (read_item(r, &item) < 0)
		return -EBADMSG;
	*ret_negative = item.kind == ITEM_NEGINT;
	*ret_value = item.value;
	if (item.kind == ITEM_UINT || item.kind == ITEM_NEGINT)
		return 0;
	if (item.kind == ITEM_BYTES && (item.tag == TAG_BIGNUM || item.tag == TAG_NEGATIVE_BIGNUM)) {
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

	if (read_item(&ahead, &item) < 0 || item.kind != ITEM_NULL)
		return false;
	*r = ahead;
	return true;
}

int wire_begin_array(struct wire_reader *r, struct wire_walk *walk)
{
	struct item item;

	if (read_item(r, &item) < 0 || item.kind != ITEM_ARRAY)
		return -EBADMSG;
	*walk = (struct wire_walk){item.value, item.indefinite};
	return 0;
}

int wire_begin_map(struct wire_reader *r, struct wire_walk *walk)
{
	struct item item;

	if (read_item(r, &item) < 0 || item.kind != ITEM_MAP)
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
	if (read_item(&ahead, &item) < 0)
		return -EBADMSG;
	if (item.kind != ITEM_BREAK)
		return 1;
	*r = ahead;
	return 0;
}

static int skip_nested(struct wire_reader *r, int depth);

static int skip_elements(struct wire_reader *r, const struct item *item, int depth)
{
	struct wire_walk walk = {item->value, item->indefinite};
	int more;

	if (depth >= DEPTH_MAX)
		return -EBADMSG;
	while ((more = wire_next(r, &walk)) > 0) {
		if (skip_nested(r, depth + 1) < 0)
			return -EBADMSG;
		if (item->kind == ITEM_MAP && skip_nested(r, depth + 1) < 0)
			return -EBADMSG;
	}
	return more;
}

static int skip_nested(struct wire_reader *r, int depth)
{
	struct msg_bytes unused;
	struct item item;

	if (read_item(r, &item) < 0)
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

int wire_skip(struct wire_reader *r)
{
	return skip_nested(r, 0);
}

static void wrote(struct wire_writer *w, size_t len)
{
	/* libcbor writes nothing and returns 0 when an item does not fit. */
	if (!len)
		w->failed = true;
	w->at += len;
}

static size_t room(const struct wire_writer *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->at);
}

void wire_put_uint(struct wire_writer *w, uint64_t value)
{
	wrote(w, cbor_encode_uint(value, w->at, room(w)));
}

void wire_put_int(struct wire_writer *w, int64_t value)
{
	if (value >= 0)
		wire_put_uint(w, (uint64_t)value);
	else
		wrote(w, cbor_encode_negint((uint64_t)(-1 - value), w->at, room(w)));
}

void wire_put_bool(struct wire_writer *w, bool value)
{
	wrote(w, cbor_encode_bool(value, w->at, room(w)));
}

void wire_put_null(struct wire_writer *w)
{
	wrote(w, cbor_encode_null(w->at, room(w)));
}

void wire_put_map(struct wire_writer *w, size_t pairs)
{
	wrote(w, cbor_encode_map_start(pairs, w->at, room(w)));
}

void wire_put_array(struct wire_writer *w, size_t elements)
{
	wrote(w, cbor_encode_array_start(elements, w->at, room(w)));
}

void wire_put_text(struct wire_writer *w, const char *text, size_t len)
{
	wrote(w, cbor_encode_string_start(len, w->at, room(w)));
	if (room(w) < len) {
		w->failed = true;
		return;
	}
	if (len)
		memcpy(w->at, text, len);
	w->at += len;
}

void wire_put_str(struct wire_writer *w, const char *text)
{
	wire_put_text(w, text, strlen(text));
}

void wire_put_bytes_head(struct wire_writer *w, size_t len)
{
	wrote(w, cbor_encode_bytestring_start(len, w->at, room(w)));
}
