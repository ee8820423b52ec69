/* The prompt: see prompt.h. Readline leaves the signals to us. */
#include "prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "cli/terminal/term.h"
#include "history.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/shown.h"
#include "words.h"

#define LOOK_MS	  50  /* for a signal, in the midst of a sequence of keys */
#define ABOVE_MS  300 /* for the rest of a line */
#define ABOVE_MAX 65536
#define CTRL_C	  '\x03'

/* Readline's callbacks have no argument to find us by. */
static struct prompt *the;

/* ---- keys ---- */

/* Of those that are held the first so many are taken. */
static void drop_held(struct prompt *prompt, size_t len)
{
	prompt->held_len -= len;
	memmove(prompt->held, prompt->held + len, prompt->held_len);
}

static void read_char(void)
{
	rl_callback_read_char();
	if (the->interrupted && the->shown)
		prompt_interrupt(the);
	the->interrupted = false;
}

/* Whether a signal waits for the loop that may want the line. */
static bool is_interrupted(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
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
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char key;
	ssize_t n;

	(void)terminal;
	if (the->held_len) {
		key = (unsigned char)the->held[0];
		drop_held(the, 1);
		return key;
	}
	while ((n = stream_read(the->in, &key, 1)) == -EAGAIN) {
		/* Leaves by a longjmp(), out of rl_callback_read_char(). */
		if (is_interrupted())
			rl_abort(0, 0);
		poll(&in, 1, LOOK_MS);
	}
	return n > 0 ? key : EOF;
}

/* They were typed before what is in the terminal. What follows the line's end is for the line. */
static void take_held(void)
{
	while (the->shown && the->held_len)
		read_char();
}

/* Not from within prompt_show(): Tab runs the loop, which not every caller of that allows. */
static void on_held(struct loop_timer *timer)
{
	(void)timer;
	take_held();
}

static void on_terminal(struct loop_source *source, uint32_t ready)
{
	char key;
	ssize_t n;

	(void)source;
	(void)ready;
	/* One or the other: after Tab there may be nothing to read any more. */
	if (!the->held_len) {
		n = stream_read(the->in, &key, 1);
		if (n == 0)
			the->on_hangup(the->owner);
		if (n <= 0)
			return;
		the->held[the->held_len++] = key;
	}
	take_held();
}

void prompt_hold(struct prompt *prompt, const char *keys, size_t len)
{
	const char *stop = memrchr(keys, CTRL_C, len);
	size_t room;

	if (stop) {
		prompt->held_len = 0;
		len -= (size_t)(stop + 1 - keys);
		keys = stop + 1;
	}
	room = sizeof(prompt->held) - prompt->held_len;
	len = len < room ? len : room;
	memcpy(prompt->held + prompt->held_len, keys, len);
	prompt->held_len += len;
}

size_t prompt_take_held(struct prompt *prompt, char keys[PROMPT_HELD_MAX])
{
	size_t len = prompt->held_len;

	memcpy(keys, prompt->held, len);
	prompt->held_len = 0;
	return len;
}

/* ---- history ---- */

static void add_line(const char *line)
{
	size_t had = the->entry ? strlen(the->entry) + 1 : 0;
	char *entry = realloc(the->entry, had + strlen(line) + 1);

	if (!entry)
		return;
	if (had)
		entry[had - 1] = '\n';
	strcpy(entry + had, line);
	the->entry = entry;
}

static void append_last(void)
{
	cleanup_fd int lock = the->history ? history_lock(the->history) : -1;

	if (lock >= 0)
		append_history(1, the->history);
}

static void load_history(void)
{
	cleanup_fd int lock = -1;

	the->history = history_find();
	lock = the->history ? history_lock(the->history) : -1;
	using_history();
	stifle_history(HISTORY_LINES_MAX);
	history_write_timestamps = 1;
	history_comment_char = '#';
	if (lock < 0)
		return;
	history_truncate_file(the->history, HISTORY_LINES_MAX);
	read_history(the->history);
}

/* Whether one of its lines would be read as that. */
static bool has_time(const char *entry)
{
	for (; entry; entry = strchr(entry, '\n')) {
		entry += *entry == '\n';
		if (entry[0] == '#' && entry[1] >= '0' && entry[1] <= '9')
			return true;
	}
	return false;
}

void prompt_remember(struct prompt *prompt)
{
	HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;
	char *entry = prompt->entry;

	prompt->entry = NULL;
	if (entry && history_keeps(entry, last ? last->line : NULL)) {
		/* The time, which stands before it, is also what tells commands of several lines apart. */
		add_history(entry);
		if (!has_time(entry))
			append_last();
	}
	free(entry);
}

/* ---- the prompt ---- */

static void write_lines(const char *text, size_t len)
{
	if (!text || !len)
		return;
	fwrite(text, 1, len, rl_outstream);
	if (text[len - 1] != '\n')
		fputs("\r\n", rl_outstream);
	fflush(rl_outstream);
}

static void write_above(size_t len)
{
	if (!len)
		return;
	write_lines((const char *)buf_head(&the->above), len);
	buf_consume(&the->above, len);
}

/* What is kept of it, and more that there was no memory to keep. */
static void print_above(size_t len, const char *more, size_t more_len)
{
	if (!len && !more_len)
		return;
	rl_clear_visible_line();
	write_above(len);
	write_lines(more, more_len);
	rl_on_new_line();
	rl_redisplay();
}

static void on_above(struct loop_timer *timer)
{
	(void)timer;
	print_above(buf_len(&the->above), NULL, 0);
}

static void leave_modes(void)
{
}

/* As the library has it, which says nowhere else that they could not be set back. */
static void take_terminal(void)
{
	term_take_back(!RL_ISSTATE(RL_STATE_TERMPREPPED));
}

static void stop_reading(void)
{
	the->shown = false;
	write_above(buf_len(&the->above));
	loop_disarm(the->loop, &the->above_due);
	loop_want(the->loop, &the->terminal, 0);
	/* In the background the modes are somebody else's. */
	if (!term_is_foreground(STDIN_FILENO))
		rl_deprep_term_function = leave_modes;
	rl_callback_handler_remove();
	rl_deprep_term_function = rl_deprep_terminal;
	take_terminal();
}

static void on_line(char *line)
{
	stop_reading();
	if (line)
		add_line(line);
	the->on_line(the->owner, line);
}

void prompt_show(struct prompt *prompt, const char *text, bool continues)
{
	char *aside = prompt->aside;

	prompt->shown = true;
	prompt->continues = continues;
	prompt->aside = NULL;
	term_lend(STDIN_FILENO);
	rl_callback_handler_install(text, on_line);
	if (aside && aside[0]) {
		rl_insert_text(aside);
		rl_redisplay();
	}
	free(aside);
	loop_want(prompt->loop, &prompt->terminal, LOOP_IN);
	if (prompt->held_len)
		loop_arm(prompt->loop, &prompt->held_due, 0);
}

void prompt_put_aside(struct prompt *prompt)
{
	if (!prompt->shown || prompt->asking)
		return;
	free(prompt->aside);
	prompt->aside = strdup(rl_line_buffer);
	rl_clear_visible_line();
	fflush(rl_outstream);
	rl_replace_line("", 1);
	stop_reading();
}

void prompt_stop(struct prompt *prompt)
{
	/* In the midst of Tab it is too early; whoever ends the loop calls again. */
	if (!prompt->shown || prompt->asking)
		return;
	print_above(buf_len(&prompt->above), NULL, 0);
	stop_reading();
	putchar('\n');
	fflush(stdout);
}

void prompt_above(struct prompt *prompt, const char *data, size_t len)
{
	const char *end = memrchr(data, '\n', len);
	size_t rest = end ? (size_t)(data + len - 1 - end) : buf_len(&prompt->above) + len;

	if (buf_append(&prompt->above, data, len) < 0) {
		print_above(buf_len(&prompt->above), data, len);
		return;
	}
	print_above(buf_len(&prompt->above) - (rest > ABOVE_MAX ? 0 : rest), NULL, 0);
	if (buf_len(&prompt->above) && !prompt->above_due.armed)
		loop_arm(prompt->loop, &prompt->above_due, ABOVE_MS);
}

void prompt_resize(struct prompt *prompt)
{
	if (prompt->shown)
		rl_resize_terminal();
}

void prompt_interrupt(struct prompt *prompt)
{
	if (prompt->asking) {
		prompt->interrupted = true;
		loop_stop(prompt->loop);
		return;
	}
	rl_free_line_state();
	rl_callback_sigcleanup();
	fputs("^C", rl_outstream);
	rl_crlf();
	fflush(rl_outstream);
	rl_replace_line("", 1);
	prompt->held_len = 0;
	stop_reading();
	free(prompt->entry);
	prompt->entry = NULL;
	prompt->on_interrupt(prompt->owner);
}

void prompt_suspend(struct prompt *prompt)
{
	if (!prompt->shown) {
		term_suspend(false);
		return;
	}
	rl_deprep_terminal();
	take_terminal();
	term_suspend(false);
	/* In the background it is somebody else's, and we only came to end. */
	if (term_is_told_to_end() && !term_is_foreground(STDIN_FILENO))
		return;
	term_lend(STDIN_FILENO);
	rl_prep_terminal(1);
	rl_on_new_line();
	rl_redisplay();
}

/* ---- Tab ---- */

void prompt_begin_wait(struct prompt *prompt)
{
	loop_want(prompt->loop, &prompt->terminal, 0);
	prompt->asking = true;
}

bool prompt_end_wait(struct prompt *prompt)
{
	prompt->asking = false;
	if (prompt->interrupted)
		return false;
	loop_want(prompt->loop, &prompt->terminal, LOOP_IN);
	return true;
}

/* The next of those that were found, which is readline's then. */
static char *next_match(const char *text, int state)
{
	struct prompt_matches *matches = &the->matches;

	(void)text;
	(void)state;
	return matches->taken < matches->count ? matches->list[matches->taken++] : NULL;
}

static char **attempt(const char *text, int start, int end)
{
	struct prompt_matches *matches = &the->matches;
	struct prompt_word word = {.line = rl_line_buffer,
				   .start = start,
				   .text = text,
				   .quote = (char)rl_completion_quote_character};
	char **list;

	(void)end;
	/* Readline is not to look among the host's files. */
	rl_attempted_completion_over = 1;
	matches->count = matches->taken = 0;
	matches->local = false;
	the->on_tab(the->owner, &word, matches);
	rl_filename_completion_desired = matches->local;
	list = rl_completion_matches(text,
				     matches->local ? rl_filename_completion_function : next_match);
	/* Where the locale is not of UTF-8 readline may have cut a character. */
	for (size_t len = list && list[1] ? strlen(list[0]) : 0;
	     len && (list[1][len] & 0xc0) == 0x80;)
		list[0][--len] = '\0';
	/* A folder is not the end of a word. */
	if (!matches->local && list && list[0][0] && list[0][strlen(list[0]) - 1] == '/')
		rl_completion_suppress_append = rl_completion_suppress_quote = 1;
	return list;
}

/* What a backslash or a quote before it makes part of a word. */
static int is_quoted(char *line, int index)
{
	struct words_place place = words_look(line, (size_t)index);

	return place.escaped || place.quote;
}

/* Of a path its last part, as it is shown. */
static void become_shown(char **match)
{
	size_t len = strlen(*match), base = len, size;
	char *shown;

	while (base && (base == len || (*match)[base - 1] != '/'))
		base--;
	len -= base;
	memmove(*match, *match + base, len + 1);
	size = SHOWN_MAX * len + 1;
	shown = malloc(size);
	if (!shown) {
		**match = '\0';
		return;
	}
	shown_put(shown, size, *match, len);
	free(*match);
	*match = shown;
}

/* In columns. Nothing of a name can act on the terminal. */
static void show(char **matches, int count, int max)
{
	max = 0;
	for (int i = 1; i <= count; i++) {
		become_shown(&matches[i]);
		if ((int)strlen(matches[i]) > max)
			max = (int)strlen(matches[i]);
	}
	rl_display_match_list(matches, count, max);
	rl_forced_update_display();
}

/* ---- life ---- */

void prompt_init(struct prompt *prompt)
{
	the = prompt;
	/* What $if asks for in ~/.inputrc. */
	rl_readline_name = "msb-exec";
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	rl_change_environment = 0;
	rl_getc_function = next_key;
	rl_attempted_completion_function = attempt;
	rl_completion_display_matches_hook = show;
	rl_completer_word_break_characters = " \t\n;|&()<>=";
	rl_basic_word_break_characters = " \t\n;|&()<>=";
	rl_completer_quote_characters = "'\"";
	rl_char_is_quoted_p = is_quoted;
	load_history();
	buf_init(&prompt->above, SIZE_MAX / 2, NULL);
	prompt->held_due.on_due = on_held;
	prompt->above_due.on_due = on_above;
	loop_source_init(&prompt->terminal, STDIN_FILENO, on_terminal);
}

void prompt_release(struct prompt *prompt)
{
	prompt_remember(prompt);
	buf_release(&prompt->above);
	free(prompt->aside);
	free(prompt->history);
}
