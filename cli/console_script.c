/* Lines without a prompt: from -c, from a file, or from a stdin that is no terminal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/fd.h"
#include "console_inside.h"
#include "exec.h"

#define SCRIPT_MAX (64 * 1024 * 1024)
#define READ_MAX   (64 * 1024)

static int read_file(struct buf *text, const char *path, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = -1;

	while (fd >= 0) {
		uint8_t *space;
		int r = buf_reserve(text, READ_MAX, &space);

		if (r < 0)
			return err_set(err, EFBIG, NULL, "cannot read %s", path);
		n = read(fd, space, READ_MAX);
		if (n <= 0)
			break;
		buf_commit(text, (size_t)n);
	}
	buf_settle(text);
	return n < 0 ? err_set(err, errno, NULL, "cannot read %s", path) : 0;
}

int script_init(struct console *console, struct err *err)
{
	const struct console_opts *opts = console->opts;
	struct script *script = &console->script;

	buf_init(&script->text, SCRIPT_MAX, NULL);
	script->at_end = opts->line || opts->file;
	if (opts->line && buf_append(&script->text, opts->line, strlen(opts->line)) < 0)
		return err_set(err, ENOMEM, NULL, "cannot keep the line");
	return opts->file ? read_file(&script->text, opts->file, err) : 0;
}

/* The next line, without its newline, in malloced memory; NULL if none is whole yet. */
static char *cut_line(struct script *script)
{
	char *text = (char *)buf_head(&script->text), *end, *line;
	size_t len = buf_len(&script->text);

	end = len ? memchr(text, '\n', len) : NULL;
	if (!len || (!end && !script->at_end))
		return NULL;
	if (end)
		len = (size_t)(end - text);
	line = malloc(len + 1);
	if (line) {
		memcpy(line, text, len);
		line[len] = '\0';
	}
	buf_consume(&script->text, len + (end ? 1 : 0));
	return line;
}

/* The lines are at their end: nothing failed, or nothing that mattered. */
static void end(struct console *console)
{
	if (console->text) {
		console_take_line(console, strdup(""));
		return;
	}
	console->busy = true;
	shell_run(console->shell, "exit 0");
}

/* The line before has failed: the shell leaves as it would with set -e. */
static void stop(struct console *console)
{
	char line[32];

	snprintf(line, sizeof(line), "exit %d", console->status);
	console->busy = true;
	shell_run(console->shell, line);
}

void script_next(struct console *console)
{
	struct script *script = &console->script;
	char *line;

	/* An input at its end would say so again and again, while the last lines are being looked at. */
	script->waits = false;
	stream_watch_input(&console->in, false);
	/* In the midst of several lines nothing has been run. */
	if (!console->text && console->status && !script->may_fail) {
		stop(console);
		return;
	}
	line = cut_line(script);
	if (!line && script->at_end) {
		end(console);
		return;
	}
	script->waits = !line;
	stream_watch_input(&console->in, script->waits);
	if (!line)
		return;
	script->number++;
	if (!console->text) {
		script->may_fail = line[0] == '-';
		console->status = 0;
	}
	if (!console->text && script->may_fail)
		memmove(line, line + 1, strlen(line));
	console_take_line(console, line);
}

void script_on_input(struct console *console)
{
	struct script *script = &console->script;
	uint8_t *space;
	ssize_t n;

	if (buf_reserve(&script->text, READ_MAX, &space) < 0) {
		console_finish(console, EXIT_FAILED, "a line that is too long");
		return;
	}
	n = stream_read(&console->in, space, READ_MAX);
	if (n > 0)
		buf_commit(&script->text, (size_t)n);
	else
		buf_settle(&script->text);
	if (n == 0)
		script->at_end = true;
	if (n == 0 && console->in.error && console->in.error != EBADF) {
		char words[128];

		/* The rest may have been what matters. */
		snprintf(words, sizeof(words), "cannot read standard input: %s",
			 strerror(console->in.error));
		console_finish(console, EXIT_FAILED, words);
		return;
	}
	if (n != -EAGAIN && script->waits)
		script_next(console);
}
