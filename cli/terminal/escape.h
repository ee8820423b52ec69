/*
 * What a person types at a terminal whose keys go to a guest: the escapes that ssh has after a
 * newline, and the keys that detach. Pure: keys in, keys to pass on and what to do out.
 */
#ifndef MSB_ESCAPE_H
#define MSB_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ESCAPE_OFF	 (-1) /* instead of a character */
#define ESCAPE_KEYS_MAX	 16
#define ESCAPE_WITHIN_MS 1000 /* the detach keys, from the first to the last */

enum escape_action {
	ESCAPE_NOTHING,
	ESCAPE_END,	/* ~. */
	ESCAPE_SUSPEND, /* ~^Z */
	ESCAPE_HELP,	/* ~? */
	ESCAPE_DETACH,	/* the detach keys */
};

/* Keys that must come one right after the other; none: they do not exist. */
struct escape_keys {
	uint8_t keys[ESCAPE_KEYS_MAX];
	size_t len;
};

struct escape {
	int character; /* that begins an escape after a newline, or ESCAPE_OFF */
	struct escape_keys detach;
	bool held;    /* the character came after a newline, and waits for the next key */
	bool in_line; /* the last key was no newline */
	size_t typed; /* keys since the last detaching: where the next one goes below */
	uint8_t last[ESCAPE_KEYS_MAX];
	uint64_t last_ms[ESCAPE_KEYS_MAX];
};

/*
 * Takes keys that were typed at now_ms, up to and with the first that asks for something, and
 * returns what. *ret_taken of them were taken, *ret_len are to be passed on in out. That has room
 * for len + 1, since one may have been held, and may be in - 1.
 */
enum escape_action escape_take(struct escape *escape, uint64_t now_ms, const uint8_t *in,
			       size_t len, uint8_t *out, size_t *ret_taken, size_t *ret_len);

#endif
