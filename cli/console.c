/*
 * msb-exec-console: a prompt in a guest. Options in, exit status out; its life, its output, signals.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/fd.h"
#include "../shared/log.h"
#include "../shared/version.h"
#include "console_inside.h"
#include "exec.h"
#include "lines.h"
#include "signals.h"
#include "term.h"

#define OUTPUT_MAX    (16 * 1024 * 1024)
#define LAST_WORDS_MS 500  /* for the last line, of whoever leaves at once */
#define HELD_MAX      4096 /* as a terminal holds, which drops what is over */

#define OWNER(ptr, member) ((struct console *)((char *)(ptr)-offsetof(struct console, member)))

/* ---- the end ---- */

/* The line to leave with, when the terminal is itself again and the output is out. */
static void say_last(struct console *console)
{
	if (console->said)
		return;
	console->said = true;
	read_stop(console);
	term_restore();
	if (console->complaint[0])
		log_error("%s", console->complaint);
}

void console_finish(struct console *console, int status, const char *complaint)
{
	look_cancel(&console->look);
	if (console->finished)
		return;
	console->finished = true;
	console->exit_status = status;
	if (complaint)
		snprintf(console->complaint, sizeof(console->complaint), "%s", complaint);
	/* However long our readers take for the rest. */
	term_cook(stream_waits_for_terminal(&console->out) ||
		  stream_waits_for_terminal(&console->err));
	console_go_on(console);
}

/* By the shell's own exit, which knows about stopped jobs. */
void console_leave(struct console *console)
{
	char line[64];

	if (!console->interactive) {
		console_finish(console, console->status, NULL);
		return;
	}
	snprintf(line, sizeof(line), "exit %d", console->status);
	console_take_line(console, strdup(line));
}

/* ---- output ---- */

void console_print(struct console *console, enum msg_type stream, const char *data, size_t len)
{
	if (!len)
		return;
	if (console->capture) {
		buf_append(console->capture, data, len);
		return;
	}
	if (console->prompting) {
		read_above(console, data, len);
		return;
	}
	console->at_margin = data[len - 1] == '\n';
	stream_write(stream == MSG_EXEC_STDERR ? &console->err : &console->out, data, len);
	stream_watch_output(&console->out, false);
	stream_watch_output(&console->err, false);
}

void console_say(struct console *console, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text) - 2, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len > sizeof(text) - 3)
		len = sizeof(text) - 3;
	log_clean(text, (size_t)len);
	/* The terminal may be raw. */
	memcpy(text + len, "\r\n", 3);
	if (console->interactive)
		console_print(console, MSG_EXEC_STDERR, text, (size_t)len + 2);
	else
		log_error("%.*s", len, text);
}

void console_say_unanswered(struct console *console, const struct client *client)
{
	const char *newline = console->interactive ? "\r\n" : "\n";
	struct buf *capture = console->capture;
	char words[256], line[300];
	int len;

	patience_words(&client->patience, client->name, "the console", words, sizeof(words));
	len = snprintf(line, sizeof(line), "%s" CONSOLE ": %s%s",
		       console->interactive && !console->at_margin ? newline : "", words, newline);
	/* What is kept of a line's output is not the place for it. */
	console->capture = NULL;
	console_print(console, MSG_EXEC_STDERR, line, (size_t)len);
	console->capture = capture;
}

/* A terminal that is gone needs no words; of anything else that takes no more they are due. */
static void note_failure(struct console *console, struct stream *stream, const char *which)
{
	if (!stream->is_terminal && stream_complain(stream, which))
		console->write_failed = true;
}

/* The next line is asked for once all output is out. */
void console_go_on(struct console *console)
{
	note_failure(console, &console->out, "output");
	note_failure(console, &console->err, "error");
	if (buf_len(&console->out.queue) || buf_len(&console->err.queue))
		return;
	if (console->finished) {
		/* In the midst of Tab it is too early; whoever ends the loop says it. */
		if (!console->asking)
			say_last(console);
		if (!buf_len(&console->err.queue))
			loop_stop(&console->loop);
	} else if (console->wants_line) {
		console->wants_line = false;
		if (console->interactive)
			read_prompt(console);
		else
			script_next(console);
	}
}

static void on_out(struct stream *stream)
{
	struct console *console = stream->owner;

	stream_flush(stream);
	stream_watch_output(stream, false);
	peers_mark(console);
	console_go_on(console);
}

/* ---- signals ---- */

static void note_size(struct console *console)
{
	console->resized = true;
	peers_mark(console);
	read_resize(console);
}

void console_die_of(struct console *console, int signal)
{
	console->die_of = signal;
	term_end_stops();
	console_finish(console, 128 + signal, NULL);
	loop_stop(&console->loop);
}

/* To the shell, which decides, if its agent is there to hear of it, and nobody insists. */
static void forward_interrupt(struct console *console)
{
	console->forwarded = true;
	shell_signal(console->shell, SIGINT);
	if (client_signalled(&console->peer->client, SIGINT)) {
		console_die_of(console, SIGINT);
	} else if (signals_insist(&console->insist, loop_now_ms())) {
		console_finish(console, EXIT_FAILED,
			       "gave up after three signals; the agent ends the shell");
		loop_stop(&console->loop);
	}
}

static void on_interrupt(struct console *console)
{
	if (console->prompting)
		read_interrupt(console);
	else if (console->finished || !console_has_shell(console))
		console_die_of(console, SIGINT);
	else if (!console->interactive)
		forward_interrupt(console);
	else
		/* The key came while the terminal was its own, as when we have just been continued. */
		console_take_keys(console, "\x03", 1);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct console *console = OWNER(loop, loop);

	switch (signal->number) {
	case SIGWINCH:
		note_size(console);
		break;
	case SIGINT:
		on_interrupt(console);
		break;
	case SIGQUIT:
		if (!console->interactive)
			console_die_of(console, SIGQUIT);
		break;
	case SIGTSTP:
		read_suspend(console);
		if (console->peer)
			client_awake(&console->peer->client);
		note_size(console);
		break;
	default:
		console_die_of(console, signal->number);
		break;
	}
}

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

/* ---- life ---- */

static void set_up(struct console *console, const struct console_opts *opts)
{
	console->opts = opts;
	console->guest = opts->guest;
	console->interactive = !opts->line && !opts->file && isatty(STDIN_FILENO);
	console->busy = true;
	console->at_margin = true;
	console->keys_due.on_due = console_on_keys_due;
	console->held_due.on_due = read_on_held;
	buf_init(&console->held, HELD_MAX, NULL);
	console->killer.on_done = console_on_killed;
	stream_init(&console->in, &console->loop, STDIN_FILENO, 0, &console->spare, console,
		    console_on_keys);
	stream_init(&console->out, &console->loop, STDOUT_FILENO, OUTPUT_MAX, &console->spare,
		    console, on_out);
	stream_init(&console->err, &console->loop, STDERR_FILENO, OUTPUT_MAX, &console->spare,
		    console, on_out);
	lines_begin(&console->err);
	term_catch_stops();
}

static void tear_down(struct console *console)
{
	say_last(console);
	lines_end(&console->err, LAST_WORDS_MS);
	side_release(&console->check);
	side_release(&console->complete);
	side_release(&console->killer);
	for (size_t i = 0; i < 2; i++)
		if (console->shells[i].loop)
			shell_release(&console->shells[i]);
	peers_release(console);
	stream_release(&console->in);
	stream_release(&console->out);
	stream_release(&console->err);
	program_release(console);
	buf_release(&console->captured_bytes);
	buf_release(&console->held);
	buf_release(&console->script.text);
	free(console->text);
	free(console->argument);
	free(console->user);
	free(console->candidate_user);
	env_release(&console->carried);
	loop_release(&console->loop);
	buf_spare_release(&console->spare);
}

static int run(const struct console_opts *opts)
{
	static struct console console;
	struct err err = {.text = "cannot set up the event loop"};
	int r;

	r = loop_init(&console.loop);
	if (r == 0)
		r = signals_watch(&console.loop, watched, sizeof(watched) / sizeof(watched[0]),
				  on_signal);
	set_up(&console, opts);
	if (r == 0 && console.interactive)
		read_init(&console);
	else if (r == 0)
		r = script_init(&console, &err);
	if (r < 0) {
		log_err(&err);
		tear_down(&console);
		return EXIT_FAILED;
	}
	candidate_start(&console, opts->guest.endpoint, true, &console.guest);
	r = console.finished && !buf_len(&console.err.queue) ? 0 : loop_run(&console.loop);
	if (!console.finished)
		console_finish(&console, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	tear_down(&console);
	if (console.write_failed && (!console.exit_status || console.exit_status == 128 + SIGPIPE))
		console.exit_status = EXIT_FAILED;
	if (console.die_of)
		signals_die_of(console.die_of);
	return console.exit_status;
}

static void print_version(void)
{
	puts(CONSOLE
	     " " MSB_EXEC_VERSION "\n"
	     "This program is linked with GNU readline: as a whole it is under the GNU GPL,\n"
	     "version 3 or later. Its own sources are under the Apache License 2.0.");
}

int main(int argc, char *argv[])
{
	struct console_opts opts;
	struct err err;
	int status = 0;

	setlocale(LC_CTYPE, "");
	fd_open_standard();
	signal(SIGPIPE, SIG_IGN);
	log_init(CONSOLE, LOG_LEVEL_WARN);
	if (console_opts_parse(argc, argv, &opts, &err) < 0) {
		log_err(&err);
		console_opts_release(&opts);
		return EXIT_FAILED;
	}
	if (opts.guest.help) {
		console_opts_help();
	} else if (opts.guest.version) {
		print_version();
	} else {
		log_init(CONSOLE, opts.guest.verbose ? LOG_LEVEL_INFO
				  : opts.guest.quiet ? LOG_LEVEL_ERROR
						     : LOG_LEVEL_WARN);
		status = run(&opts);
	}
	console_opts_release(&opts);
	return log_flushed_stdout() || status ? status : EXIT_FAILED;
}
