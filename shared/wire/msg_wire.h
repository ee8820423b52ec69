/*
 * CBOR items, read and written one at a time, for the msg files alone. The reader hands
 * out pointers into the buffer; strings that come in pieces are put together in place, which is
 * why the buffer must be writable and why each value can be read once.
 */
#ifndef MSB_MSG_WIRE_H
#define MSB_MSG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"
#include "msg_item.h"

/* Over bytes that may be none at all, at NULL. */
static inline struct wire_reader wire_over(struct msg_bytes bytes)
{
	return (struct wire_reader){bytes.ptr, bytes.len ? bytes.ptr + bytes.len : bytes.ptr};
}

/* Whether a text comes next that was sent in pieces, which are joined where they lie when it is read. */
bool wire_is_in_pieces(struct msg_bytes bytes);

/* All readers return 0, or -EBADMSG when the bytes are not a value of that kind. */
int wire_read_text(struct wire_reader *r, struct msg_text *ret_text);

/* Consumes a text without putting it together: it can still be read once from the same place. */
int wire_check_text(struct wire_reader *r);

/* The same for a key: byte strings are taken for text, as the reference does. */
int wire_read_key(struct wire_reader *r, struct msg_text *ret_key);
int wire_check_key(struct wire_reader *r);

int wire_read_bytes(struct wire_reader *r, struct msg_bytes *ret_bytes);
int wire_read_bool(struct wire_reader *r, bool *ret_value);
int wire_read_uint(struct wire_reader *r, uint64_t max, uint64_t *ret_value);
int wire_read_i32(struct wire_reader *r, int32_t *ret_value);

/* True, and the value is consumed, when the next value is null or undefined. */
bool wire_read_null(struct wire_reader *r);

/*
 * Consumes one value of any kind. depth: how many lists and maps it stands in, of at most 256, the
 * message's own map not counted, so that it is as deep for whoever skips more than that.
 */
int wire_skip(struct wire_reader *r, int depth);

/* Walks an array or a map: begin, then next returns 1 for each element (a map's: each pair). */
struct wire_walk {
	uint64_t left;
	bool indefinite;
};

int wire_begin_array(struct wire_reader *r, struct wire_walk *walk);
int wire_begin_map(struct wire_reader *r, struct wire_walk *walk);
int wire_next(struct wire_reader *r, struct wire_walk *walk);

/* Writes shortest heads; after an overflow nothing more is written and failed is set. */
struct wire_writer {
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

void wire_put_uint(struct wire_writer *w, uint64_t value);
void wire_put_int(struct wire_writer *w, int64_t value);
void wire_put_bool(struct wire_writer *w, bool value);
void wire_put_null(struct wire_writer *w);
void wire_put_map(struct wire_writer *w, size_t pairs);
void wire_put_array(struct wire_writer *w, size_t elements);
void wire_put_text(struct wire_writer *w, const char *text, size_t len);
void wire_put_str(struct wire_writer *w, const char *text);

/* Items that are encoded already. */
void wire_put_raw(struct wire_writer *w, const uint8_t *data, size_t len);

/* Only the head of a byte string; its len bytes are the caller's to put behind it. */
void wire_put_bytes_head(struct wire_writer *w, size_t len);

#endif
