/* The head and the tail of a stream: see excerpt.h. */
#include "excerpt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/utf8.h"

#define CHAR_REST  3 /* of a character, all but one byte */
#define KEPT_FIRST ((size_t)64 * 1024)

void excerpt_init(struct excerpt *excerpt, uint64_t max)
{
	*excerpt = (struct excerpt){.head_max = max - max / 2, .tail_max = max / 2};
}

/*
 * How much is kept at most: the tail, and as much before it as a character may take that reaches into it, or that
 * the head gave up.
 */
static size_t full(const struct excerpt *excerpt)
{
	return (size_t)excerpt->tail_max + CHAR_REST;
}

/* How long a character is that begins so; 1 for all else. */
static size_t promised(uint8_t first)
{
	return first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* How many of these bytes belong to the head, which ends before a character that would not be whole. */
static size_t head_part(const struct excerpt *excerpt, const uint8_t *data, size_t len)
{
	uint64_t room = excerpt->head_max - excerpt->head;
	size_t n = len < room ? len : (size_t)room;

	/* What was kept of a character has closed it. */
	if (excerpt->total > excerpt->head)
		return 0;
	for (size_t i = room > CHAR_REST ? (size_t)room - CHAR_REST : 0; i < n; i++)
		if (promised(data[i]) > room - i)
			return i;
	return n;
}

static int grow(struct excerpt *excerpt, size_t need)
{
	size_t most = full(excerpt), cap = 2 * excerpt->cap;
	uint8_t *kept;

	need = need < most ? need : most;
	if (need <= excerpt->cap)
		return 0;
	cap = cap > KEPT_FIRST ? cap : KEPT_FIRST;
	cap = cap > need ? cap : need;
	cap = cap < most ? cap : most;
	/* It is no ring before it is as large as it gets, so all stays where it is. */
	kept = realloc(excerpt->kept, cap);
	if (!kept)
		return -ENOMEM;
	excerpt->kept = kept;
	excerpt->cap = cap;
	return 0;
}

/* There is room, or it is a ring. */
static void keep(struct excerpt *excerpt, const uint8_t *data, size_t len)
{
	size_t cap = excerpt->cap, at, n, over;

	if (len > cap) {
		data += len - cap;
		len = cap;
	}
	over = excerpt->len + len > cap ? excerpt->len + len - cap : 0;
	at = excerpt->begin + excerpt->len;
	at -= at >= cap ? cap : 0;
	n = len < cap - at ? len : cap - at;
	memcpy(excerpt->kept + at, data, n);
	memcpy(excerpt->kept, data + n, len - n);
	excerpt->begin = (excerpt->begin + over) % cap;
	excerpt->len += len - over;
}

ssize_t excerpt_take(struct excerpt *excerpt, const uint8_t *data, size_t len)
{
	size_t head = head_part(excerpt, data, len);

	if (len > head && grow(excerpt, excerpt->len + (len - head)) < 0)
		return -ENOMEM;
	if (len > head)
		keep(excerpt, data + head, len - head);
	excerpt->head += head;
	excerpt->total += len;
	return (ssize_t)head;
}

static uint8_t kept_at(const struct excerpt *excerpt, size_t i)
{
	return excerpt->kept[(excerpt->begin + i) % excerpt->cap];
}

/* How many bytes of a character that begins before it are at this place of what is kept. */
static size_t char_rest(const struct excerpt *excerpt, size_t at)
{
	uint8_t text[CHAR_REST + 1];
	size_t n = 0;

	for (size_t before = 1; before <= CHAR_REST && before <= at; before++) {
		if ((kept_at(excerpt, at - before) & 0xc0) == 0x80)
			continue;
		while (n < sizeof(text) && at - before + n < excerpt->len) {
			text[n] = kept_at(excerpt, at - before + n);
			n++;
		}
		n = utf8_char(text, n, NULL);
		return n > before ? n - before : 0;
	}
	return 0;
}

struct excerpt_rest excerpt_end(const struct excerpt *excerpt)
{
	struct excerpt_rest rest = {0};
	size_t skip = 0, at, len;

	if (excerpt->total > excerpt->head_max + excerpt->tail_max) {
		skip = excerpt->len - (size_t)excerpt->tail_max;
		skip += char_rest(excerpt, skip);
		rest.cut = excerpt->total - excerpt->head - (excerpt->len - skip);
	}
	len = excerpt->len - skip;
	if (!len)
		return rest;
	at = (excerpt->begin + skip) % excerpt->cap;
	rest.parts[0].data = excerpt->kept + at;
	rest.parts[0].len = len < excerpt->cap - at ? len : excerpt->cap - at;
	rest.parts[1].data = excerpt->kept;
	rest.parts[1].len = len - rest.parts[0].len;
	return rest;
}

void excerpt_release(struct excerpt *excerpt)
{
	free(excerpt->kept);
	*excerpt = (struct excerpt){0};
}
