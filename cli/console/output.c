/* What the person sees: see output.h. */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal/lines.h"
#include "shared/log.h"
#include "shared/shown.h"

#define LAST_WORDS_MS 500 /* for the last line, of whoever leaves at once */

static void on_room(struct stream *stream)
{
	struct output *output = stream->owner;

	stream_flush(stream);
	stream_watch_output(stream, false);
	output->on_change(output->owner);
}

void output_init(struct output *output, struct loop *loop, struct buf_spare *spare)
{
	stream_init(&output->out, loop, STDOUT_FILENO, OUTPUT_MAX, spare, output, on_room);
	stream_init(&output->err, loop, STDERR_FILENO, OUTPUT_MAX, spare, output, on_room);
	output->out.modes = isatty(STDOUT_FILENO) ? &output->modes : NULL;
	output->err.modes = isatty(STDERR_FILENO) ? &output->modes : NULL;
	lines_begin(&output->err);
}

void output_release(struct output *output)
{
	lines_end(&output->err, LAST_WORDS_MS);
	stream_release(&output->out);
	stream_release(&output->err);
}

static void write_out(struct output *output, struct stream *stream, const char *data, size_t len)
{
	if (output->prompt->shown) {
		prompt_above(output->prompt, data, len);
		return;
	}
	stream_write(stream, data, len);
	if (stream->gone)
		output->on_change(output->owner);
	stream_watch_output(&output->out, false);
	stream_watch_output(&output->err, false);
}

void output_print(struct output *output, const char *data, size_t len)
{
	if (len && output->kept)
		buf_append(output->kept, data, len);
	else if (len)
		write_out(output, &output->out, data, len);
}

void output_print_lines(struct output *output, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		output_print(output, text, line);
		if (end)
			output_print(output, "\r\n", 2);
		len -= line + (end != NULL);
		text += line + (end != NULL);
	}
}

/* apart: what stands in the terminal's line is not a part of it. */
static void say(struct output *output, bool apart, const char *fmt, va_list args)
{
	static const char newline[] = {'\r', '\n'}; /* the terminal may be raw */
	char words[1024], text[1024 + 4];
	size_t len = apart && output->modes.in_line ? 2 : 0;

	if (vsnprintf(words, sizeof(words), fmt, args) < 0)
		return;
	memcpy(text, newline, sizeof(newline));
	len += shown_put(text + len, sizeof(words), words, strlen(words));
	memcpy(text + len, newline, sizeof(newline));
	write_out(output, &output->err, text, len + sizeof(newline));
}

void output_say(struct output *output, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(output, false, fmt, args);
	va_end(args);
}

void output_say_apart(struct output *output, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(output, true, fmt, args);
	va_end(args);
}

bool output_waits_for_terminal(const struct output *output)
{
	return stream_waits_for_terminal(&output->out) || stream_waits_for_terminal(&output->err);
}

bool output_begin_line(struct output *output)
{
	if (output->modes.in_line)
		write_out(output, &output->out, "\r\n", 2);
	if (output_waiting(output))
		return false;
	modes_begin_line(&output->modes);
	return true;
}

void output_end_line(struct output *output)
{
	if (output->modes.in_line && output->err.modes)
		stream_write(&output->err, "\n", 1);
}

const struct stream *output_gone(struct output *output)
{
	/* A terminal that is gone needs no words; of anything else that takes no more they are due. */
	if (!output->out.is_terminal)
		stream_complain(&output->out, "output");
	if (!output->err.is_terminal)
		stream_complain(&output->err, "error");
	return output->out.gone ? &output->out : output->err.gone ? &output->err : NULL;
}
