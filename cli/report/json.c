/* A line of JSON: see json.h. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base.h"
#include "shared/shown.h"
#include "shared/utf8.h"

#define NUMBER_MAX 24 /* digits, a sign and a NUL */
#define SPELT_MAX  8  /* bytes that a character may become, with a NUL */

/* What is left when all that is open is closed, and the line ended. */
static size_t left(const struct json *json)
{
	return json->size - json->len - json->depth - 1;
}

static void put(struct json *json, const char *text, size_t len)
{
	memcpy(json->space + json->len, text, len);
	json->len += len;
}

/* What stands before a value that takes that much. Whether there is room for both; else nothing is written. */
static bool put_key(struct json *json, const char *key, size_t room)
{
	size_t key_len = key ? strlen(key) : 0;
	size_t len = !json->first + (key ? key_len + strlen("\"\":") : 0);

	if (json->lost || len + room > left(json))
		return false;
	if (!json->first)
		put(json, ",", 1);
	json->first = false;
	if (key) {
		put(json, "\"", 1);
		put(json, key, key_len);
		put(json, "\":", 2);
	}
	return true;
}

/* A value that needs no escapes. */
static void put_value(struct json *json, const char *key, const char *value)
{
	size_t len = strlen(value);

	if (put_key(json, key, len))
		put(json, value, len);
}

static void open_with(struct json *json, const char *key, char bracket)
{
	bool list = bracket == '[';

	/* With the one that closes it. */
	if (json->depth == JSON_DEPTH_MAX || !put_key(json, key, 2)) {
		json->lost++;
		return;
	}
	put(json, &bracket, 1);
	json->depth++;
	json->lists = (json->lists & ~(1u << json->depth)) | (uint32_t)list << json->depth;
	json->first = true;
}

void json_begin(struct json *json, char *space, size_t size)
{
	*json = (struct json){.space = space, .size = size, .depth = 1, .first = true};
	put(json, "{", 1);
}

void json_open(struct json *json, const char *key)
{
	open_with(json, key, '{');
}

void json_open_list(struct json *json, const char *key)
{
	open_with(json, key, '[');
}

void json_close(struct json *json)
{
	if (json->lost) {
		json->lost--;
		return;
	}
	put(json, json->lists >> json->depth & 1 ? "]" : "}", 1);
	json->depth--;
	json->first = false;
}

size_t json_end(struct json *json)
{
	json->lost = 0;
	while (json->depth)
		json_close(json);
	put(json, "\n", 1);
	return json->len;
}

/* How the character is written, as one of n bytes at text: its length. */
static size_t spell(uint32_t c, const char *text, size_t n, char out[SPELT_MAX])
{
	static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *at = c && c < 0x80 ? strchr(named, (int)c) : NULL;

	if (at) {
		out[0] = '\\';
		out[1] = names[at - named];
		return 2;
	}
	/* Above those, which would take two numbers, there are none that a terminal obeys. */
	if (shown_is_control(c) && c < 0x10000)
		return (size_t)snprintf(out, SPELT_MAX, "\\u%04" PRIx32, c);
	memcpy(out, text, n);
	return n;
}

void json_text(struct json *json, const char *key, const char *text, size_t len)
{
	static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
	size_t room, at = 0;

	if (!text) {
		json_null(json, key);
		return;
	}
	if (!put_key(json, key, strlen("\"\"")))
		return;
	put(json, "\"", 1);
	room = left(json) > JSON_SPARE ? left(json) - JSON_SPARE : 0;
	while (at < len) {
		uint32_t c = 0;
		size_t n = utf8_char(text + at, len - at, &c), spelt;
		char out[SPELT_MAX];

		spelt = n ? spell(c, text + at, n, out) : spell(0xfffd, unknown, 3, out);
		if (spelt > room)
			break;
		put(json, out, spelt);
		room -= spelt;
		at += n ? n : 1;
	}
	put(json, "\"", 1);
}

void json_word(struct json *json, const char *key, const char *text)
{
	json_text(json, key, text, text ? strlen(text) : 0);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	char text[NUMBER_MAX];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_value(json, key, text);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	char text[NUMBER_MAX];

	snprintf(text, sizeof(text), "%" PRId64, value);
	put_value(json, key, text);
}

void json_bool(struct json *json, const char *key, bool value)
{
	put_value(json, key, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	put_value(json, key, "null");
}
