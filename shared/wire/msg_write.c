/* Writing CBOR values: see msg_wire.h. */
#include <cbor.h>
#include <string.h>

#include "msg_wire.h"

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

void wire_put_raw(struct wire_writer *w, const uint8_t *data, size_t len)
{
	if (room(w) < len) {
		w->failed = true;
		return;
	}
	if (len)
		memcpy(w->at, data, len);
	w->at += len;
}

void wire_put_text(struct wire_writer *w, const char *text, size_t len)
{
	wrote(w, cbor_encode_string_start(len, w->at, room(w)));
	wire_put_raw(w, (const uint8_t *)text, len);
}

void wire_put_str(struct wire_writer *w, const char *text)
{
	wire_put_text(w, text, strlen(text));
}

void wire_put_bytes_head(struct wire_writer *w, size_t len)
{
	wrote(w, cbor_encode_bytestring_start(len, w->at, room(w)));
}
