/* Marks in the output of the guest's shell: see marks.h. */
#include "marks.h"

#include <string.h>
#include <sys/types.h>

#define EDGE_LEN (1 + MARK_NONCE_LEN)
#define HEAD_LEN (EDGE_LEN + 1) /* and the letter */
#define TAIL_LEN (EDGE_LEN + 1) /* and a full stop */
#define HELD_MAX (16 * 1024 * 1024)

void marks_init(struct marks *marks, const char *nonce)
{
	*marks = (struct marks){.tail = {MARK_EDGE}};
	memcpy(marks->nonce, nonce, MARK_NONCE_LEN);
	memcpy(marks->tail + 1, nonce, MARK_NONCE_LEN);
	marks->tail[EDGE_LEN] = '.';
	buf_init(&marks->held, HELD_MAX, NULL);
}

void marks_release(struct marks *marks)
{
	buf_release(&marks->held);
}

/* What is before the first place where a mark begins, or may, once more has come. */
static size_t before_mark(const struct marks *marks, const char *text, size_t len)
{
	const char *at = text;

	while ((at = memchr(at, MARK_EDGE, len - (size_t)(at - text)))) {
		size_t rest = len - (size_t)(at - text);

		if (memcmp(at, marks->tail, rest < EDGE_LEN ? rest : EDGE_LEN) == 0)
			return (size_t)(at - text);
		at++;
	}
	return len;
}

/* The length of the mark that the text begins with; 0: it is none; -1: it is not whole yet. */
static ssize_t take_mark(struct marks *marks, char *text, size_t len, const struct marks_sink *sink)
{
	size_t max = HEAD_LEN + MARK_TEXT_MAX + TAIL_LEN;
	char *end;

	if (len < HEAD_LEN)
		return -1;
	if (text[EDGE_LEN] < 'a' || text[EDGE_LEN] > 'z')
		return 0;
	end = memmem(text + HEAD_LEN, (len < max ? len : max) - HEAD_LEN, marks->tail, TAIL_LEN);
	if (!end)
		return len < max ? -1 : 0;
	*end = '\0';
	if (sink->on_mark(sink->owner, text[EDGE_LEN], text + HEAD_LEN))
		return end + TAIL_LEN - text;
	*end = MARK_EDGE;
	return 0;
}

int marks_feed(struct marks *marks, const char *data, size_t len, const struct marks_sink *sink)
{
	struct buf *held = &marks->held;
	size_t plain = buf_len(held) ? 0 : before_mark(marks, data, len);
	int r;

	if (plain)
		sink->on_bytes(sink->owner, data, plain);
	r = plain < len ? buf_append(held, data + plain, len - plain) : 0;
	while (r == 0 && buf_len(held)) {
		char *text = (char *)buf_head(held);
		size_t before = before_mark(marks, text, buf_len(held));
		ssize_t mark = before ? 0 : take_mark(marks, text, buf_len(held), sink);

		if (mark < 0)
			break;
		/* Another one may begin within what is none. */
		if (mark == 0) {
			mark = before ? (ssize_t)before : 1;
			sink->on_bytes(sink->owner, text, (size_t)mark);
		}
		buf_consume(held, (size_t)mark);
	}
	return r;
}

void marks_end(struct marks *marks, const struct marks_sink *sink)
{
	size_t len = buf_len(&marks->held);

	if (len)
		sink->on_bytes(sink->owner, (const char *)buf_head(&marks->held), len);
	buf_consume(&marks->held, len);
}

char *mark_field(char **text)
{
	char *field = *text;
	size_t len = strcspn(field, "\037");

	*text = field + len + (field[len] ? 1 : 0);
	field[len] = '\0';
	return field;
}
