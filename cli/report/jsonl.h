/*
 * A command's output as lines of JSON: {"type":"stdout","text":"..."}, or "base64" where it is not UTF-8. No
 * character is cut by the end of a line, wherever the pieces end that the output comes in. Pure, and fast.
 */
#ifndef MSB_JSONL_H
#define MSB_JSONL_H

#include <stddef.h>
#include <stdint.h>

#define JSONL_SLICE    (64 * 1024) /* that much at a time at most */
#define JSONL_NAME_MAX 16
/* What a line of that many bytes takes at most: each may be \u00XX. */
#define JSONL_LINE_MAX ((size_t)6 * (JSONL_SLICE + 8) + 64)

struct jsonl {
	const char *name; /* "stdout" or "stderr"; borrowed; at most JSONL_NAME_MAX long */
	/* The beginning of a character whose rest has not come yet. */
	uint8_t held[3];
	uint8_t held_len;
};

void jsonl_init(struct jsonl *jsonl, const char *name);

/*
 * Takes len bytes, at most JSONL_SLICE, and writes what it has as a whole line to out, which has room for
 * JSONL_LINE_MAX. How long that is; 0 if all is held. Only what JSON demands is escaped.
 */
size_t jsonl_line(struct jsonl *jsonl, const uint8_t *data, size_t len, char *out);

/* The same with what is still held where the stream ends, or something else is said in between: 0 if nothing. */
size_t jsonl_last(struct jsonl *jsonl, char *out);

#endif
