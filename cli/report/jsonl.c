/* Output as lines of JSON: see jsonl.h. */
#include "jsonl.h"

#include <stdbool.h>
#include <string.h>

#include "shared/utf8.h"

#define EIGHT(byte) (0x0101010101010101u * (byte))

void jsonl_init(struct jsonl *jsonl, const char *name)
{
	*jsonl = (struct jsonl){.name = name};
}

static char *put(char *out, const void *data, size_t len)
{
	memcpy(out, data, len);
	return out + len;
}

static char *begin(char *out, const char *name, const char *kind)
{
	out = put(out, "{\"type\":\"", 9);
	out = put(out, name, strlen(name));
	out = put(out, "\",\"", 3);
	out = put(out, kind, strlen(kind));
	return put(out, "\":\"", 3);
}

static char *end(char *out)
{
	return put(out, "\"}\n", 3);
}

/* ---- text ---- */

/*
 * The top bit of each of eight bytes that is not written as it is: a quote, a backslash, below a blank, or not ASCII.
 * Above the lowest such byte there may be one too many, which does no harm: only the lowest counts.
 */
static uint64_t special(uint64_t eight)
{
	uint64_t quote = eight ^ EIGHT('"'), slash = eight ^ EIGHT('\\');

	return ((quote - EIGHT(1)) | (slash - EIGHT(1)) | (eight - EIGHT(0x20)) | eight) &
	       EIGHT(0x80);
}

static char *escape(char *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	static const char names[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
					['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};

	*out++ = '\\';
	if (names[c]) {
		*out++ = names[c];
		return out;
	}
	out = put(out, "u00", 3);
	*out++ = digits[c >> 4];
	*out++ = digits[c & 15];
	return out;
}

/* utf8_char() of what is not ASCII, for most of it without the table. */
static inline size_t char_len(const uint8_t *at, size_t len)
{
	if (len >= 3 && at[0] > 0xe0 && at[0] < 0xf0 && at[0] != 0xed)
		return (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80 ? 3 : 0;
	if (len >= 2 && at[0] >= 0xc2 && at[0] < 0xe0)
		return (at[1] & 0xc0) == 0x80 ? 2 : 0;
	return utf8_char(at, len, NULL);
}

/* Where the line goes on behind the text, or NULL if it is none. What is behind out is written over, 8 bytes. */
static char *put_text(char *out, const uint8_t *at, const uint8_t *stop)
{
	while (at < stop) {
		size_t n;

		while (stop - at >= 8) {
			uint64_t eight, found;

			memcpy(&eight, at, 8);
			memcpy(out, &eight, 8);
			found = special(eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			/* The lowest is the last there, and what is above it may be wrong. */
			n = found ? 0 : 8;
#else
			n = found ? (size_t)__builtin_ctzll(found) / 8 : 8;
#endif
			at += n;
			out += n;
			if (found)
				break;
		}
		if (at == stop)
			break;
		if (*at < 0x80) {
			if (*at < 0x20 || *at == '"' || *at == '\\')
				out = escape(out, *at);
			else
				*out++ = (char)*at;
			at++;
			continue;
		}
		/* Those that are not ASCII come in runs. */
		do {
			n = char_len(at, (size_t)(stop - at));
			if (!n)
				return NULL;
			for (size_t i = 0; i < n; i++)
				*out++ = (char)*at++;
		} while (at < stop && *at >= 0x80);
	}
	return out;
}

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes at a time; of the last ones there may be fewer. */
static char *put_base64(char *out, const uint8_t *at, size_t len)
{
	for (; len >= 3; at += 3, len -= 3) {
		uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = alphabet[bits >> 6 & 63];
		*out++ = alphabet[bits & 63];
	}
	if (len) {
		uint32_t bits = (uint32_t)at[0] << 16 | (len == 2 ? (uint32_t)at[1] << 8 : 0);

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = len == 2 ? alphabet[bits >> 6 & 63] : '=';
		*out++ = '=';
	}
	return out;
}

/* ---- lines ---- */

/* What was held and these bytes, as text: where the line goes on, or NULL if they are none. */
static char *text_line(const struct jsonl *jsonl, const uint8_t *data, size_t len, char *out)
{
	uint8_t whole[4];
	size_t more = 0;

	out = begin(out, jsonl->name, "text");
	if (jsonl->held_len) {
		memcpy(whole, jsonl->held, jsonl->held_len);
		while (jsonl->held_len + more < sizeof(whole) && more < len) {
			whole[jsonl->held_len + more] = data[more];
			more++;
		}
		more = utf8_char(whole, jsonl->held_len + more, NULL);
		if (more <= jsonl->held_len)
			return NULL;
		out = put(out, whole, more);
		more -= jsonl->held_len;
	}
	return put_text(out, data + more, data + len);
}

static char *base64_line(const struct jsonl *jsonl, const uint8_t *data, size_t len, char *out)
{
	uint8_t joint[6];
	size_t joint_len = jsonl->held_len;

	out = begin(out, jsonl->name, "base64");
	/* As many of them as make the rest of whole threes begin where data does. */
	if (joint_len)
		memcpy(joint, jsonl->held, joint_len);
	while (joint_len % 3 && len) {
		joint[joint_len++] = *data++;
		len--;
	}
	out = put_base64(out, joint, joint_len);
	return put_base64(out, data, len);
}

/* Whether all that there is begins one character. */
static bool all_begun(const struct jsonl *jsonl, const uint8_t *data, size_t len)
{
	uint8_t joint[4];

	if (jsonl->held_len + len >= sizeof(joint))
		return false;
	memcpy(joint, jsonl->held, jsonl->held_len);
	memcpy(joint + jsonl->held_len, data, len);
	len += jsonl->held_len;
	return utf8_begun(joint, len) == len;
}

static void hold(struct jsonl *jsonl, const uint8_t *data, size_t len)
{
	memcpy(jsonl->held + jsonl->held_len, data, len);
	jsonl->held_len = (uint8_t)(jsonl->held_len + len);
}

size_t jsonl_line(struct jsonl *jsonl, const uint8_t *data, size_t len, char *out)
{
	size_t begun;
	char *at;

	if (!len)
		return 0;
	if (all_begun(jsonl, data, len)) {
		hold(jsonl, data, len);
		return 0;
	}
	begun = utf8_begun(data, len);
	len -= begun;
	at = text_line(jsonl, data, len, out);
	if (!at)
		at = base64_line(jsonl, data, len, out);
	jsonl->held_len = 0;
	hold(jsonl, data + len, begun);
	return (size_t)(end(at) - out);
}

size_t jsonl_last(struct jsonl *jsonl, char *out)
{
	char *at;

	if (!jsonl->held_len)
		return 0;
	at = base64_line(jsonl, NULL, 0, out);
	jsonl->held_len = 0;
	return (size_t)(end(at) - out);
}
