/* Lines as they are typed, and their echo: see typed.h. */
#include "typed.h"

#include <string.h>

#define LATE_MIN  256 /* bytes of a line that have come: more are to */
#define CTRL(key) ((key)&0x1f)
#define ERASE	  "\b \b"

/* Of the 4096 bytes that a terminal keeps. No multiple of what shells read at a time: what is sent off
 * by Ctrl-D and fills a read to the brim would leave the Ctrl-D to the next one, as an end of file. */
#define PART_MAX 3999

void typed_init(struct typed *typed)
{
	*typed = (struct typed){0};
	buf_init(&typed->echo, 2 * TYPED_MAX, NULL);
}

void typed_release(struct typed *typed)
{
	buf_release(&typed->echo);
}

void typed_forget(struct typed *typed, void *owner,
		  void (*on_bytes)(void *owner, const char *data, size_t len))
{
	/* The terminal has no room for it all at once; the rest comes behind what the shell says. */
	if (typed->matched >= LATE_MIN)
		return;
	/* What had only begun like it. */
	if (typed->matched)
		on_bytes(owner, (const char *)buf_head(&typed->echo) + typed->from, typed->matched);
	buf_consume(&typed->echo, buf_len(&typed->echo));
	typed->matched = typed->from = 0;
	typed->erased = false;
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == '\x7f';
}

/* As the terminal shows it: ^, back over it, and then ^X. */
static int put_quoted(struct typed *typed, char c, struct buf *out)
{
	char quoted[] = {CTRL('V'), c}, shown[] = {'^', '\b', '^', (char)(c ^ 0x40)};
	int r = buf_append(out, quoted, sizeof(quoted));

	return r < 0 ? r : buf_append(&typed->echo, shown, sizeof(shown));
}

int typed_put(struct typed *typed, const char *text, size_t len, struct buf *out)
{
	static const char send_off = CTRL('D');
	size_t part = 0;
	int r = 0;

	typed->at_once = false;
	while (len && r == 0) {
		size_t run = 0;

		while (run < len && part + run < PART_MAX && !is_control(text[run]))
			run++;
		if (part == PART_MAX) {
			r = buf_append(out, &send_off, 1);
			part = 0;
			continue;
		}
		if (run) {
			r = buf_append(out, text, run);
			if (r == 0)
				r = buf_append(&typed->echo, text, run);
		} else {
			run = 1;
			r = put_quoted(typed, *text, out);
		}
		text += run;
		len -= run;
		part += run;
	}
	return r;
}

int typed_put_key(struct typed *typed, char key, const char *echo, struct buf *out)
{
	int r = buf_append(out, &key, 1);

	typed->at_once = key == CTRL('C');
	return r < 0 || !echo ? r : buf_append(&typed->echo, echo, strlen(echo));
}

int typed_put_erase(struct typed *typed, struct buf *out)
{
	static const char erase = CTRL('U');

	typed->erased = true;
	return buf_append(out, &erase, 1);
}

/* Whether the end of the line may begin further on, with what has come of it and that byte. */
static bool begins_later(struct typed *typed, char c)
{
	const char *echo = (const char *)buf_head(&typed->echo);
	const char *end = memchr(echo, '\n', buf_len(&typed->echo));

	for (size_t from = typed->from + 1; end && echo + from + typed->matched <= end; from++) {
		if (echo[from + typed->matched] != c ||
		    memcmp(echo + from, echo + typed->from, typed->matched) != 0)
			continue;
		typed->from = from;
		return true;
	}
	return false;
}

static void drop_line(struct typed *typed)
{
	const uint8_t *echo = buf_head(&typed->echo);
	const uint8_t *end = memchr(echo, '\n', buf_len(&typed->echo));

	buf_consume(&typed->echo, end ? (size_t)(end + 1 - echo) : buf_len(&typed->echo));
	typed->matched = typed->from = 0;
}

/* How much of the line does not come, if that byte is of it. */
static size_t skipped(const struct typed *typed, char c)
{
	const char *at = (const char *)buf_head(&typed->echo) + typed->from + typed->matched;
	size_t len = buf_len(&typed->echo) - typed->from - typed->matched;
	const char *end = memchr(at, '\n', len);
	const char *found = end ? memchr(at, c, (size_t)(end + 1 - at)) : NULL;

	return found ? (size_t)(found - at) : 0;
}

/* Whether that byte goes on with the echo; a terminal that translates no newlines shows no return. */
static bool goes_on(struct typed *typed, char c)
{
	const char *echo = (const char *)buf_head(&typed->echo);
	size_t at = typed->from + typed->matched;

	/* Not even its end has been typed. */
	if (at >= buf_len(&typed->echo))
		return false;
	if (echo[at] == '\r' && c == '\n')
		typed->matched++, at++;
	/* Of what it has no room for the terminal leaves parts out. */
	if (echo[at] != c && typed->matched >= LATE_MIN)
		typed->matched += skipped(typed, c);
	if (echo[typed->from + typed->matched] != c && !(typed->partly && begins_later(typed, c)))
		return false;
	typed->matched++;
	typed->erased = false;
	if (c == '\n')
		drop_line(typed);
	return true;
}

void typed_strip(struct typed *typed, const char *data, size_t len, void *owner,
		 void (*on_bytes)(void *owner, const char *data, size_t len))
{
	size_t from = 0, at = 0; /* what is between them passes on */

	for (; at < len && buf_len(&typed->echo); at++) {
		size_t matched = typed->matched;
		bool erases = typed->erased && !matched && len - at >= strlen(ERASE) &&
			      memcmp(data + at, ERASE, strlen(ERASE)) == 0;

		if (!matched && at > from &&
		    (erases || typed->partly || (uint8_t)data[at] == *buf_head(&typed->echo))) {
			on_bytes(owner, data + from, at - from);
			from = at;
		}
		if (erases) {
			at += strlen(ERASE) - 1;
			from = at + 1;
		} else if (goes_on(typed, data[at])) {
			from = at + 1;
		} else if (matched >= LATE_MIN) {
			/* The terminal had no room for the rest of it. */
			drop_line(typed);
			from = at--;
		} else if (!matched && typed->at_once) {
			buf_consume(&typed->echo, buf_len(&typed->echo));
		} else if (matched) {
			/* It only began like it. */
			on_bytes(owner, (const char *)buf_head(&typed->echo) + typed->from,
				 matched);
			typed->matched = typed->from = 0;
			from = at--;
		}
	}
	if (len > from)
		on_bytes(owner, data + from, len - from);
}
