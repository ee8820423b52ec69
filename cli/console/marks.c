/* Marks in the output of the guest's shell: see marks.h. */
#include "marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LEN (1 + MARK_NONCE_LEN + 1) /* the edge, the nonce, the letter */
#define TAIL_LEN (1 + MARK_NONCE_LEN)	  /* the edge, the nonce; and a full stop */

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
	return 0;
}

void marks_end(struct marks *marks, const struct marks_sink *sink)
{
	size_t len = marks->held_len;

	marks->held_len = 0;
	if (len)
		sink->on_bytes(sink->owner, marks->held, len);
}

/* Whether c can come next in what is held; behind the letter anything can. */
static bool goes_on(const struct marks *marks, char c)
{
	size_t at = marks->held_len;

	if (at == 0)
		return c == MARK_EDGE;
	if (at <= MARK_NONCE_LEN)
		return c == marks->nonce[at - 1];
	if (at == HEAD_LEN - 1)
		return c >= 'a' && c <= 'z';
	return at < HEAD_LEN + MARK_TEXT_MAX;
}

/* Whether what is held is a mark but for its full stop. */
static bool is_whole(const struct marks *marks)
{
	const char *tail = marks->held + marks->held_len - TAIL_LEN;

	return marks->held_len >= HEAD_LEN + TAIL_LEN && tail[0] == MARK_EDGE &&
	       memcmp(tail + 1, marks->nonce, MARK_NONCE_LEN) == 0;
}

/* What is held has the form of a mark. If it is none, another may have begun within it. */
static int end_mark(struct marks *marks, const struct marks_sink *sink)
{
	char *held = marks->held;
	size_t len = marks->held_len;
	int r = 0;

	held[len - TAIL_LEN] = '\0';
	marks->held = NULL;
	marks->held_len = marks->held_cap = 0;
	if (!sink->on_mark(sink->owner, held[HEAD_LEN - 1], held + HEAD_LEN)) {
		held[len - TAIL_LEN] = MARK_EDGE;
		held[len] = '.';
		sink->on_bytes(sink->owner, held, 1);
		r = marks_feed(marks, held + 1, len, sink);
	}
	free(held);
	return r;
}

static int take(struct marks *marks, char c, const struct marks_sink *sink)
{
	if (c == '.' && is_whole(marks))
		return end_mark(marks, sink);
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
