/* Lines for people from a program that serves a loop: see lines.h. */
#include "lines.h"

#include <string.h>
#include <unistd.h>

#include "shared/log.h"
#include "term.h"

static void put(void *owner, const char *line, size_t len)
{
	struct stream *err = owner;
	char text[LOG_LINE_MAX + 1];

	memcpy(text, line, len);
	if (term_is_raw() && isatty(STDERR_FILENO)) {
		text[len - 1] = '\r';
		text[len++] = '\n';
	}
	stream_write(err, text, len);
	stream_watch_output(err, false);
}

void lines_begin(struct stream *err)
{
	log_divert(put, err);
}

void lines_end(struct stream *err, uint64_t within_ms)
{
	stream_drain(err, within_ms);
	log_divert(NULL, NULL);
}
