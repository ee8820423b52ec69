/*
 * One JSON object as a line, written into memory of the caller's: the one place where JSON is spelt. Always valid: a
 * text that does not fit is cut at a character, another member that does not fit is left out. Pure.
 */
#ifndef MSB_JSON_H
#define MSB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What texts leave free for what else there is: keys, numbers, braces, the words of a fixed set. Who writes more than
 * that besides texts gives as much more space; who knows what texts there are gives each byte of theirs JSON_ESCAPED.
 */
#define JSON_SPARE     1536
#define JSON_SIZE_MIN  (JSON_SPARE + 512)
#define JSON_ESCAPED   6
#define JSON_DEPTH_MAX 8

struct json {
	char *space; /* borrowed */
	size_t len, size;
	unsigned depth; /* what is open: the object itself is 1 */
	unsigned lost;	/* what was opened and had no room, with all that is in it */
	uint32_t lists; /* a bit for each depth that is a list */
	bool first;	/* no comma before the next */
};

/* size: JSON_SIZE_MIN at least. */
void json_begin(struct json *json, char *space, size_t size);

/*
 * A member of what is open, under that key, which is plain ASCII; in a list the key is NULL. text may be NULL: null.
 * What is not UTF-8 becomes U+FFFD, and what a terminal would obey is escaped, so that the line may be looked at.
 */
void json_text(struct json *json, const char *key, const char *text, size_t len);
void json_word(struct json *json, const char *key,
	       const char *text); /* up to its NUL; may be NULL */
void json_number(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* What follows is in an object, or a list, of its own, until it is closed. */
void json_open(struct json *json, const char *key);
void json_open_list(struct json *json, const char *key);
void json_close(struct json *json);

/* Closes all that is open, adds a newline and returns how long the line is; no NUL is behind it. */
size_t json_end(struct json *json);

#endif
