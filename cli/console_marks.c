/* Marks in the output of the guest's shell: see console_marks.h. */
#include "console_marks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LEN (1 + MARK_NONCE_LEN + 1) /* the edge, the nonce, the letter */

void marks_init(struct marks *marks, const char *nonce)
{
	*marks = (struct marks){0};
	memcpy(marks->nonce, nonce, MARK_NONCE_LEN);
}

void marks_release(struct marks *marks)
{
	free(marks->held);
	*marks = (struct marks){0};
}

static int hold(struct marks *marks, char c)
{
	if (marks->held_len + 2 > marks->held_cap) {
		size_t cap = marks->held_cap ? marks->held_cap * 2 : 256;
		char *held = realloc(marks->held, cap);

		if (!held)
			return -ENOMEM;
		marks->held = held;
		marks->held_cap = cap;
	}
	marks->held[marks->held_len++] = c;
	marks->held[marks->held_len] = '\0';
	return 0;
}

void marks_end(struct marks *marks, const struct marks_sink *sink)
{
	size_t len = marks->held_len;

	marks->held_len = 0;
	if (len)
		sink->on_bytes(sink->owner, marks->held, len);
}

/* Whether c can come next in what is held; the edge that ends the mark is the caller's. */
static bool goes_on(const struct marks *marks, char c)
{
	size_t at = marks->held_len;

	if (at == 0)
		return c == MARK_EDGE;
	if (at <= MARK_NONCE_LEN)
		return c == marks->nonce[at - 1];
	return at < HEAD_LEN + MARK_TEXT_MAX;
}

static int take(struct marks *marks, char c, const struct marks_sink *sink)
{
	if (marks->held_len >= HEAD_LEN && c == MARK_EDGE) {
		marks->held_len = 0;
		sink->on_mark(sink->owner, marks->held[HEAD_LEN - 1], marks->held + HEAD_LEN);
		return 0;
	}
	if (goes_on(marks, c))
		return hold(marks, c);
	marks_end(marks, sink);
	/* A nonce has no edge in it, so a new mark can only begin here. */
	if (c == MARK_EDGE)
		return hold(marks, c);
	sink->on_bytes(sink->owner, &c, 1);
	return 0;
}

int marks_feed(struct marks *marks, const char *data, size_t len, const struct marks_sink *sink)
{
	while (len) {
		size_t plain = 0;
		int r;

		if (!marks->held_len) {
			const char *edge = memchr(data, MARK_EDGE, len);

			plain = edge ? (size_t)(edge - data) : len;
		}
		if (plain) {
			sink->on_bytes(sink->owner, data, plain);
			data += plain;
			len -= plain;
			continue;
		}
		r = take(marks, *data, sink);
		if (r < 0)
			return r;
		data++;
		len--;
	}
	return 0;
}

char *mark_field(char **text)
{
	char *field = *text;
	size_t len = strcspn(field, "\037");

	*text = field + len + (field[len] ? 1 : 0);
	field[len] = '\0';
	return field;
}
