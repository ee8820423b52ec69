/*
 * The prompt: readline on our loop, by its callbacks, so that the connection is served while a
 * line is edited. Readline leaves the signals to us.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "../shared/log.h"
#include "../shared/utf8.h"
#include "console_history.h"
#include "console_inside.h"
#include "term.h"

#define PROMPT_MAX 1024
#define LOOK_MS	   50 /* for a signal, in the midst of a sequence of keys */

/* Readline's callbacks have no argument to find us by. */
static struct console *reading;

static char *history_path;

static void read_char(struct console *console)
{
	rl_callback_read_char();
	if (console->interrupted && console->prompting)
		read_interrupt(console);
	console->interrupted = false;
}

/* Whether a signal waits for the loop that may want the line. */
static bool is_interrupted(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigismember(&pending, numbers[i]))
			return true;
	return false;
}

/*
 * What comes next in the midst of a sequence of keys. One that was there a moment ago may be there no
 * more, since Ctrl-C sweeps the terminal's queue: nothing reads on before that is heard. EOF would be
 * taken for Enter, or for Ctrl-D.
 */
static int next_key(FILE *terminal)
{
	struct console *console = reading;
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char key;
	ssize_t n;

	(void)terminal;
	if (buf_len(&console->held)) {
		key = *buf_head(&console->held);
		buf_consume(&console->held, 1);
		return key;
	}
	while ((n = stream_read(&console->in, &key, 1)) == -EAGAIN) {
		/* Leaves by a longjmp(), out of rl_callback_read_char(). */
		if (is_interrupted())
			rl_abort(0, 0);
		poll(&in, 1, LOOK_MS);
	}
	return n > 0 ? key : EOF;
}

/* They were typed before what is in the terminal. What follows the line's end is for the line. */
static void take_held(struct console *console)
{
	while (console->prompting && buf_len(&console->held))
		read_char(console);
}

/* Not from within read_prompt(): Tab runs the loop, which not every caller of that allows. */
void read_on_held(struct loop_timer *timer)
{
	take_held((struct console *)((char *)timer - offsetof(struct console, held_due)));
}

static void on_terminal(struct loop_source *source, uint32_t ready)
{
	char key;
	ssize_t n;

	(void)source;
	(void)ready;
	/* One or the other: after Tab there may be nothing to read any more. */
	if (!buf_len(&reading->held)) {
		n = stream_read(&reading->in, &key, 1);
		if (n == 0)
			console_die_of(reading, SIGHUP);
		if (n <= 0)
			return;
		buf_append(&reading->held, &key, 1);
	}
	take_held(reading);
}

void read_init(struct console *console)
{
	reading = console;
	/* What $if asks for in ~/.inputrc. */
	rl_readline_name = "msb-exec";
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	rl_change_environment = 0;
	rl_getc_function = next_key;
	complete_init(console);
	using_history();
	stifle_history(HISTORY_LINES_MAX);
	history_path = history_find();
	if (history_path)
		history_load(history_path, (void (*)(const char *))add_history);
	loop_source_init(&console->terminal, STDIN_FILENO, on_terminal);
}

/* ---- the prompt ---- */

static void put_prompt(const struct console *console, char *prompt, size_t size)
{
	const struct shell *shell = console->shell;
	size_t home = strlen(shell->home);
	const char *cwd = shell->cwd;
	char status[16] = "", tilde[2] = "";

	if (home > 1 && strncmp(cwd, shell->home, home) == 0 && (!cwd[home] || cwd[home] == '/')) {
		tilde[0] = '~';
		cwd += home;
	}
	if (console->status)
		snprintf(status, sizeof(status), " [%d]", console->status);
	snprintf(prompt, size, "%.60s@%.60s:%s%.700s%s%c ", shell->user, shell->host, tilde, cwd,
		 status, shell->root ? '#' : '$');
	/* A folder's name may hold anything, and a terminal may do anything with it. */
	log_clean(prompt, strlen(prompt));
	utf8_scrub(prompt, strlen(prompt));
}

static void remember(const char *line)
{
	HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;

	if (!history_keeps(line, last ? last->line : NULL))
		return;
	add_history(line);
	if (history_path)
		history_append(history_path, line);
}

static void leave_modes(void)
{
}

static void stop_reading(struct console *console)
{
	if (!console->prompting)
		return;
	console->prompting = false;
	loop_want(&console->loop, &console->terminal, 0);
	/* In the background the modes are somebody else's. */
	if (!term_is_foreground(STDIN_FILENO))
		rl_deprep_term_function = leave_modes;
	rl_callback_handler_remove();
	rl_deprep_term_function = rl_deprep_terminal;
}

static void on_line(char *line)
{
	struct console *console = reading;

	stop_reading(console);
	if (line) {
		remember(line);
		console_take_line(console, line);
		return;
	}
	rl_crlf();
	fflush(rl_outstream);
	if (!console->text) {
		console_leave(console);
		return;
	}
	/* In the midst of several lines Ctrl-D gives them up. */
	free(console->text);
	console->text = NULL;
	read_prompt(console);
}

void read_prompt(struct console *console)
{
	char prompt[PROMPT_MAX] = "> ";

	if (!console->text)
		put_prompt(console, prompt, sizeof(prompt));
	console->prompting = true;
	rl_callback_handler_install(prompt, on_line);
	loop_want(&console->loop, &console->terminal, LOOP_IN);
	if (buf_len(&console->held))
		loop_arm(&console->loop, &console->held_due, 0);
}

void read_stop(struct console *console)
{
	/* In the midst of Tab it is too early; whoever ends the loop calls again. */
	if (!console->prompting || console->asking)
		return;
	stop_reading(console);
	putchar('\n');
	fflush(stdout);
}

/* ---- what happens meanwhile ---- */

void read_above(struct console *console, const char *data, size_t len)
{
	(void)console;
	rl_clear_visible_line();
	fwrite(data, 1, len, rl_outstream);
	if (data[len - 1] != '\n')
		fputs("\r\n", rl_outstream);
	fflush(rl_outstream);
	rl_on_new_line();
	rl_redisplay();
}

void read_resize(struct console *console)
{
	if (console->prompting)
		rl_resize_terminal();
}

/* Ctrl-C clears the line, and those before it that it belongs to. */
void read_interrupt(struct console *console)
{
	if (console->asking) {
		console->interrupted = true;
		loop_stop(&console->loop);
		return;
	}
	rl_free_line_state();
	rl_callback_sigcleanup();
	fputs("^C", rl_outstream);
	rl_crlf();
	fflush(rl_outstream);
	rl_replace_line("", 1);
	buf_consume(&console->held, buf_len(&console->held));
	stop_reading(console);
	free(console->text);
	console->text = NULL;
	read_prompt(console);
}

void read_suspend(struct console *console)
{
	if (!console->prompting) {
		term_suspend(false);
		return;
	}
	rl_deprep_terminal();
	term_suspend(false);
	/* In the background it is somebody else's, and we only came to end. */
	if (term_is_told_to_end() && !term_is_foreground(STDIN_FILENO))
		return;
	rl_prep_terminal(1);
	rl_on_new_line();
	rl_redisplay();
}
