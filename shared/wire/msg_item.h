/*
 * One CBOR item at a time, by libcbor's streaming decoder; for the msg files alone.
 */
#ifndef MSB_MSG_ITEM_H
#define MSB_MSG_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
	uint8_t *at;
	uint8_t *end;
};

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
	bool indefinite; /* of an array or map */
	uint64_t value;	 /* an integer, a tag, a count, a truth */
	bool tagged;
	uint64_t tag;  /* the innermost tag before the value, 0 for none */
	double number; /* of a float */
	const uint8_t *data;
	size_t len;
};

/* Reads one item, its tags skipped. A string's bytes come with it, an array's elements do not. */
int item_read(struct wire_reader *r, struct item *ret_item);

#endif
