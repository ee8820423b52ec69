/*
 * JSON as strictly as its grammar has it, read by other code than that which writes it; and the lines of a command's
 * output, back to bytes. For unit tests and for fuzz targets.
 */
#ifndef MSB_UNIT_JSON_H
#define MSB_UNIT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shared/utf8.h"

struct unit_json {
	const char *at, *end;
};

static inline bool unit_json_value(struct unit_json *json, int depth);

static inline bool unit_json_is(struct unit_json *json, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(json->end - json->at) < len || memcmp(json->at, text, len) != 0)
		return false;
	json->at += len;
	return true;
}

/* Four digits of an escape, as UTF-8; no surrogates, since nothing of ours writes them. How long, or 0. */
static inline size_t unit_json_escaped(struct unit_json *json, uint8_t out[3])
{
	static const char digits[] = "0123456789abcdef";
	uint32_t c = 0;

	for (int i = 0; i < 4; i++) {
		const char *at = json->at < json->end ? memchr(digits, *json->at, 16) : NULL;

		if (!at)
			return 0;
		c = c << 4 | (uint32_t)(at - digits);
		json->at++;
	}
	if (c >= 0xd800 && c < 0xe000)
		return 0;
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	out[0] = (uint8_t)(0xe0 | c >> 12);
	out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c & 0x3f));
	return 3;
}

/* A string with its quotes; what it says goes to out, unless that is NULL, which has room for all of it. */
static inline bool unit_json_string(struct unit_json *json, uint8_t *out, size_t *ret_len)
{
	static const char names[] = "\"\\/bfnrt", named[] = "\"\\/\b\f\n\r\t";
	size_t len = 0;

	if (!unit_json_is(json, "\""))
		return false;
	while (json->at < json->end && *json->at != '"') {
		uint8_t c = (uint8_t)*json->at++, spelt[3] = {c};
		size_t n = 1;

		if (c < 0x20)
			return false;
		if (c == '\\') {
			const char *name =
				json->at < json->end ? memchr(names, *json->at, 8) : NULL;

			if (name) {
				spelt[0] = (uint8_t)named[name - names];
				json->at++;
			} else if (!unit_json_is(json, "u") ||
				   !(n = unit_json_escaped(json, spelt))) {
				return false;
			}
		}
		if (out)
			memcpy(out + len, spelt, n);
		len += n;
	}
	if (ret_len)
		*ret_len = len;
	return unit_json_is(json, "\"");
}

static inline bool unit_json_number(struct unit_json *json)
{
	const char *begin;

	unit_json_is(json, "-");
	begin = json->at;
	while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
		json->at++;
	return json->at > begin && (*begin != '0' || json->at == begin + 1);
}

static inline bool unit_json_members(struct unit_json *json, const char *close, int depth)
{
	if (unit_json_is(json, close))
		return true;
	do {
		if (*close == '}' &&
		    (!unit_json_string(json, NULL, NULL) || !unit_json_is(json, ":")))
			return false;
		if (!unit_json_value(json, depth))
			return false;
	} while (unit_json_is(json, ","));
	return unit_json_is(json, close);
}

static inline bool unit_json_value(struct unit_json *json, int depth)
{
	if (depth > 64 || json->at == json->end)
		return false;
	if (unit_json_is(json, "{"))
		return unit_json_members(json, "}", depth + 1);
	if (unit_json_is(json, "["))
		return unit_json_members(json, "]", depth + 1);
	if (*json->at == '"')
		return unit_json_string(json, NULL, NULL);
	return unit_json_is(json, "true") || unit_json_is(json, "false") ||
	       unit_json_is(json, "null") || unit_json_number(json);
}

/* Whether it is one object, a newline, and nothing else, in UTF-8, without a blank between. */
static inline bool unit_json_is_line(const char *line, size_t len)
{
	struct unit_json json = {line, line + len};

	return utf8_valid(line, len) && *line == '{' && unit_json_value(&json, 0) &&
	       unit_json_is(&json, "\n") && json.at == json.end;
}

static inline int unit_json_digit(uint8_t c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'	      ? 62
	       : c == '/'	      ? 63
				      : -1;
}

/* In place: how many bytes they are, or SIZE_MAX. Bits that stand for nothing have to be 0. */
static inline size_t unit_json_from_base64(uint8_t *text, size_t len)
{
	size_t n = 0, pads = 0;

	if (len % 4)
		return SIZE_MAX;
	while (pads < 2 && len && text[len - 1] == '=') {
		len--;
		pads++;
	}
	for (size_t i = 0; i < len; i += 4) {
		size_t digits = len - i < 4 ? len - i : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int digit = k < digits ? unit_json_digit(text[i + k]) : 0;

			if (digit < 0)
				return SIZE_MAX;
			bits = bits << 6 | (uint32_t)digit;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			text[n++] = (uint8_t)(bits >> (16 - 8 * k));
		if (digits < 4 && (bits & (digits == 3 ? 0xffu : 0xffffu)))
			return SIZE_MAX;
	}
	return n;
}

/*
 * A line of output of that stream, back to bytes: how many, or SIZE_MAX if it is none. out has room for as much as
 * the line has. Text has to end where a character does.
 */
static inline size_t unit_json_output(const char *line, size_t len, const char *stream,
				      uint8_t *out, bool *ret_is_text)
{
	struct unit_json json = {line, line + len};
	size_t n = 0;

	if (!unit_json_is_line(line, len) || !unit_json_is(&json, "{\"type\":\"") ||
	    !unit_json_is(&json, stream) || !unit_json_is(&json, "\",\""))
		return SIZE_MAX;
	*ret_is_text = unit_json_is(&json, "text");
	if ((!*ret_is_text && !unit_json_is(&json, "base64")) || !unit_json_is(&json, "\":") ||
	    !unit_json_string(&json, out, &n) || !unit_json_is(&json, "}\n") || !n)
		return SIZE_MAX;
	if (*ret_is_text)
		return utf8_valid(out, n) ? n : SIZE_MAX;
	return unit_json_from_base64(out, n);
}

#endif
