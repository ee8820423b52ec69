/* One CBOR item at a time: see msg_item.h. libcbor calls back once; the item holds what it said. */
#include "msg_item.h"

#include <cbor.h>
#include <errno.h>

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

int item_read(struct wire_reader *r, struct item *ret_item)
{
	bool tagged = false;
	uint64_t tag = 0;

	for (;;) {
		struct cbor_decoder_result result;
		struct item item = {0};

		/* Tags 0 to 23 by hand: libcbor refuses those that no standard has given a meaning.
		 */
		while (r->at < r->end && *r->at >= 0xc0 && *r->at <= 0xd7) {
			tag = *r->at++ - 0xc0u;
			tagged = true;
		}
		if (r->at >= r->end)
			return -EBADMSG;
		result = cbor_stream_decode(r->at, (size_t)(r->end - r->at), &callbacks, &item);
		if (result.status != CBOR_DECODER_FINISHED)
			return -EBADMSG;
		r->at += result.read;
		if (item.kind != ITEM_TAG) {
			item.tagged = tagged;
			item.tag = tag;
			*ret_item = item;
			return tagged && item.kind == ITEM_BREAK ? -EBADMSG : 0;
		}
		tag = item.value;
		tagged = true;
	}
}
