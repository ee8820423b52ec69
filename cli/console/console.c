/*
 * msb-exec-console: a prompt in a guest. Options in, exit status out; the way of a line from the prompt to
 * the shell, of keys while it runs, of output; and signals.
 */
#include "console.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../shared/base.h"
#include "../../shared/fd.h"
#include "../../shared/log.h"
#include "../../shared/names.h"
#include "../../shared/process.h"
#include "../../shared/utf8.h"
#include "../../shared/version.h"
#include "../exit.h"
#include "../lines.h"
#include "../term.h"
#include "words.h"

#define OUTPUT_MAX    (16 * 1024 * 1024)
#define LAST_WORDS_MS 500  /* for the last line, of whoever leaves at once */
#define KEYS_AFTER_MS 100  /* what is typed until then may be the next line and not for this one */
#define ENDS_MS	      2000 /* for a second Ctrl-C, which kills */
#define RESTART_MS    1000 /* a shell that lives shorter, and ran nothing, is not started again */
#define NAME_MS	      1000 /* for the guest to say whether it has a command of that name */
#define INTERRUPT_MS  300  /* for the prompt behind a Ctrl-C */
#define CTRL_C	      '\x03'

/* ---- the end ---- */

/* The line to leave with, when the terminal is itself again and the output is out. */
static void say_last(struct console *console)
{
	if (console->said)
		return;
	console->said = true;
	prompt_stop(&console->prompt);
	term_restore();
	if (console->complaint[0] && console->modes.in_line && console->err.modes)
		stream_write(&console->err, "\n", 1);
	if (console->complaint[0])
		log_error("%s", console->complaint);
}

static void go_on(struct console *console)
{
	loop_mark(&console->loop, &console->turn);
}

static void finish(struct console *console, int status, const char *complaint)
{
	look_cancel(&console->guest.look);
	/* What is not whole by now never will be. */
	copy_release(&console->copy);
	if (console->finished)
		return;
	console->finished = true;
	console->exit_status = status;
	if (complaint)
		snprintf(console->complaint, sizeof(console->complaint), "%s", complaint);
	/* However long our readers take for the rest. */
	term_cook(stream_waits_for_terminal(&console->out) ||
		  stream_waits_for_terminal(&console->err));
	go_on(console);
}

static void die_of(struct console *console, int signal)
{
	console->die_of = signal;
	term_end_stops();
	finish(console, 128 + signal, NULL);
	loop_stop(&console->loop);
}

/* ---- output ---- */

static void write_out(struct console *console, struct stream *stream, const char *data, size_t len)
{
	stream_write(stream, data, len);
	if (stream->gone)
		go_on(console);
	stream_watch_output(&console->out, false);
	stream_watch_output(&console->err, false);
}

void console_print(struct console *console, const char *data, size_t len)
{
	if (!len)
		return;
	if (console->capture)
		buf_append(console->capture, data, len);
	else if (console->prompt.shown)
		prompt_above(&console->prompt, data, len);
	else
		write_out(console, &console->out, data, len);
}

void console_print_lines(struct console *console, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		console_print(console, text, line);
		if (end)
			console_print(console, "\r\n", 2);
		len -= line + (end != NULL);
		text += line + (end != NULL);
	}
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
	if (console->prompt.shown)
		prompt_above(&console->prompt, text, (size_t)len + 2);
	else
		write_out(console, &console->err, text, (size_t)len + 2);
}

static void note_failure(struct stream *stream, const char *which)
{
	/* A terminal that is gone needs no words; of anything else that takes no more they are due. */
	if (!stream->is_terminal)
		stream_complain(stream, which);
}

/* Nobody reads what it prints: its shell's one terminal cannot lose its output alone. */
static void look_at_output(struct console *console)
{
	const struct stream *streams[] = {&console->out, &console->err};

	for (size_t i = 0; i < 2; i++) {
		if (!streams[i]->gone || console->finished)
			continue;
		if (streams[i]->is_terminal)
			die_of(console, SIGHUP);
		else
			finish(console, streams[i]->error == EPIPE ? 128 + SIGPIPE : EXIT_FAILED,
			       NULL);
	}
}

static void on_out(struct stream *stream)
{
	struct console *console = stream->owner;

	stream_flush(stream);
	stream_watch_output(stream, false);
	guest_mark(&console->guest);
	go_on(console);
}

/* Bytes for our readers. */
static size_t queued(const struct console *console)
{
	return buf_len(&console->out.queue) + buf_len(&console->err.queue);
}

static size_t waiting(void *owner)
{
	struct console *console = owner;

	return queued(console) + copy_waiting(&console->copy);
}

/* ---- the prompt ---- */

static void put_prompt(const struct console *console, char *prompt, size_t size)
{
	const struct shell *shell = console->guest.shell;
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

static void greet(struct console *console)
{
	const char *term = getenv("TERM");
	bool dim = term && strcmp(term, "dumb") != 0;

	if (console->greeted || console->opts->quiet)
		return;
	console->greeted = true;
	printf("%s%s: %s of the guest. \\? lists what else there is, \\q leaves.%s\n",
	       dim ? "\x1b[2m" : "", CONSOLE, shell_kinds[console->guest.shell->kind],
	       dim ? "\x1b[0m" : "");
	fflush(stdout);
}

/* Once all output is out, in a line of its own. */
static void show_prompt(struct console *console)
{
	char prompt[1024] = "> ";

	if (console->modes.in_line)
		write_out(console, &console->out, "\r\n", 2);
	if (queued(console))
		return;
	console->wants_line = false;
	modes_begin_line(&console->modes);
	/* What programs left on in it is the shell's to undo, as anywhere. */
	term_cook(false);
	greet(console);
	if (!console->more)
		put_prompt(console, prompt, sizeof(prompt));
	prompt_show(&console->prompt, prompt, console->more);
}

/* The next line is asked for once all is heard that came with the last prompt. */
static void on_turn(struct loop_task *task)
{
	struct console *console = container_of(task, struct console, turn);

	note_failure(&console->out, "output");
	note_failure(&console->err, "error");
	look_at_output(console);
	if (queued(console))
		return;
	if (console->finished) {
		/* In the midst of Tab it is too early; whoever ends the loop says it. */
		if (!console->prompt.asking)
			say_last(console);
		if (!buf_len(&console->err.queue))
			loop_stop(&console->loop);
	} else if (console->wants_line) {
		show_prompt(console);
	}
}

/* From now on the terminal is for what the line leads to. */
static void become_busy(struct console *console)
{
	console->busy = true;
	console->wants_line = false;
	term_make_raw(STDIN_FILENO);
	loop_arm(&console->loop, &console->keys_due, KEYS_AFTER_MS);
}

static void ask_for_line(struct console *console, bool more)
{
	console->busy = false;
	console->more = more;
	loop_disarm(&console->loop, &console->keys_due);
	loop_disarm(&console->loop, &console->interrupt_due);
	stream_watch_input(&console->in, false);
	console->wants_line = true;
	go_on(console);
}

void console_done(struct console *console, int status)
{
	/* What it has not killed by now is not what it was to kill. */
	side_cancel(&console->killer);
	console->status = status;
	prompt_remember(&console->prompt);
	if (console->watched)
		loop_arm(&console->loop, &console->watch_due, console->watch_ms);
	else
		ask_for_line(console, false);
}

void console_beside_done(struct console *console, int status)
{
	if (guest_has_shell(&console->guest))
		console_done(console, status);
	else
		console->status = status;
}

/* ---- a line ---- */

void console_run(struct console *console, const char *text)
{
	console->interrupts = 0;
	console->used = true;
	if (!console->capture) {
		buf_append(&console->ran, text, strlen(text));
		buf_append(&console->ran, "\n", 1);
	}
	if (!guest_has_shell(&console->guest) || shell_run(console->guest.shell, text) < 0)
		console_done(console, EXIT_FAILED);
}

void console_capture(struct console *console, const char *text,
		     void (*then)(struct console *console))
{
	buf_release(&console->captured);
	buf_init(&console->captured, OUTPUT_MAX, &console->spare);
	console->capture = &console->captured;
	console->on_captured = then;
	console_run(console, text);
}

static void forget_ran(struct console *console)
{
	buf_consume(&console->ran, buf_len(&console->ran));
}

/* What ran, for \save: a script stops at what fails, but for what begins with -. */
static void save_ran(struct console *console)
{
	const char *text = (const char *)buf_head(&console->ran);
	size_t len = buf_len(&console->ran), blanks = 0;

	while (blanks < len && strchr(" \t\n", text[blanks]))
		blanks++;
	if (blanks < len && !console->watched) {
		if (console->guest.shell->status)
			buf_append(&console->saved, "-", 1);
		buf_append(&console->saved, text, len);
	}
	forget_ran(console);
}

static void on_named(struct side *side, int status)
{
	struct console *console = side->owner;
	char *line = console->argument;
	const struct command *near = commands_near(line);

	console->argument = NULL;
	if (status == 0) {
		console_run(console, line);
	} else {
		console_say(console, "there is no %.*s; did you mean %s? \\? lists them all",
			    (int)strcspn(line, " \t"), line, near->name);
		console_done(console, EXIT_FAILED);
	}
	free(line);
}

/* A name that is nearly one of ours is the guest's if it has a command of that name. */
static void look_for_name(struct console *console, char *line)
{
	size_t blanks = strspn(line, " \t");
	char name[32];
	struct side_terms terms = {.script = "PATH=${3:-$PATH};command -v -- \"$2\" >/dev/null",
				   .args = {name, console->guest.shell->path},
				   .within_ms = NAME_MS};

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + blanks + 1, " \t;|&<>()$'\"\\"),
		 line + blanks + 1);
	free(console->argument);
	console->argument = strdup(line + blanks);
	console->killer.owner = console;
	console->killer.on_done = on_named;
	guest_ask(&console->guest, &console->killer, terms);
}

static void take_first_line(struct console *console, char *line)
{
	const char *argument;
	const struct command *command = commands_find(line, &argument);

	forget_ran(console);
	if (command)
		prompt_remember(&console->prompt);
	if (command)
		command->run(console, argument);
	else if (commands_near(line))
		look_for_name(console, line);
	else
		console_run(console, line);
}

static void on_line(void *owner, char *line)
{
	struct console *console = owner;

	become_busy(console);
	if (!line && console->more) {
		/* To the shell an end of file in the midst of a command would be the end. */
		console_print(console, "\r\n", 2);
		forget_ran(console);
		shell_interrupt(console->guest.shell);
	} else if (!line) {
		shell_eof(console->guest.shell);
	} else if (console->more) {
		console_run(console, line);
	} else {
		take_first_line(console, line);
	}
	free(line);
}

/*
 * Ctrl-C is for what runs, unless the agent that is to tell it is not there. One that has brought
 * the prompt back has done all that it was for, and there the next one is for the line.
 */
static void watch_answer(struct console *console, const char *keys, size_t len)
{
	int signal = patience_key((const uint8_t *)keys, len);

	if (signal && console->busy && console->guest.peer &&
	    client_typed(guest_client(&console->guest), signal))
		die_of(console, signal);
}

/* Ctrl-C at the prompt, which the shell hears of as at one of its own: it may have a trap, and $? is 130. */
static void on_interrupted(void *owner)
{
	struct console *console = owner;

	become_busy(console);
	forget_ran(console);
	shell_interrupt(console->guest.shell);
	watch_answer(console, "\x03", 1);
}

static void on_hangup(void *owner)
{
	die_of(owner, SIGHUP);
}

static void on_tab(void *owner, const struct prompt_word *word, struct prompt_matches *matches)
{
	complete_word(&((struct console *)owner)->complete, word, matches);
}

/* What a backslash or a quote before it makes part of a word. */
static bool is_quoted(const char *line, int index)
{
	struct words_place place = words_look(line, (size_t)index);

	return place.escaped || place.quote;
}

static void on_watch_due(struct loop_timer *timer)
{
	struct console *console = container_of(timer, struct console, watch_due);

	if (console->watched)
		console_run(console, console->watched);
}

/* ---- keys while something runs ---- */

/*
 * Of what has the shell's terminal, but not of what reads keys itself, as editors do. A shell that has
 * stopped itself goes on.
 */
static void kill_foreground(struct console *console)
{
	static const char script[] =
		"read -r s </proc/$1/stat||exit;set -- $1 ${s##*) };"
		"[ $2 != T ]||kill -CONT $1;"
		"[ $4 != $7 ]||exit;"
		"case $(stty -a </proc/$1/fd/0 2>/dev/null) in *-icanon*|*-isig*)exit;;esac;"
		"kill -KILL -$7";

	/* A key that came after the kill would be for the shell. */
	remote_flush(&console->guest.shell->remote);
	loop_disarm(&console->loop, &console->interrupt_due);
	console->killer.on_done = NULL;
	guest_ask(&console->guest, &console->killer,
		  (struct side_terms){.script = script, .within_ms = DURATION_INFINITE});
}

static void on_prompt_lost(struct side *side, int status)
{
	struct console *console = side->owner;
	struct shell *shell = console->guest.shell;

	if (!console->busy || !shell || shell->state != SHELL_RUNNING)
		return;
	if (status == 0)
		shell_set_prompts(shell);
	else if (shell->loses_prompts)
		loop_arm(&console->loop, &console->interrupt_due, INTERRUPT_MS);
}

/*
 * Ctrl-C has ended what the shell did itself, and yet there is no prompt of ours: if it has the terminal
 * and waits, it is at another one, as of a ~/.bashrc that was read anew.
 */
static void on_interrupt_due(struct loop_timer *timer)
{
	struct console *console = container_of(timer, struct console, interrupt_due);
	struct side_terms terms = {.script = "read -r s </proc/$1/stat&&p=$1&&set -- ${s##*) }&&"
					     "[ \"$1$3\" = \"S$6\" ]&&! grep -q "
					     "'^SigIgn:.*[2367abefABEF]$' /proc/$p/status",
				   .within_ms = NAME_MS};

	if (!console->busy || console->guest.shell->state != SHELL_RUNNING)
		return;
	console->killer.owner = console;
	console->killer.on_done = on_prompt_lost;
	guest_ask(&console->guest, &console->killer, terms);
}

static void count_interrupts(struct console *console, const char *keys, size_t len)
{
	uint64_t now = loop_now_ms();

	for (size_t i = 0; i < len; i++) {
		if (keys[i] != CTRL_C)
			continue;
		if (now - console->last_interrupt_ms > ENDS_MS)
			console->interrupts = 0;
		console->last_interrupt_ms = now;
		if (++console->interrupts >= 2 && console->guest.shell->remote.pid)
			kill_foreground(console);
		else
			loop_arm(&console->loop, &console->interrupt_due, INTERRUPT_MS);
	}
}

static void give_keys(struct console *console, const char *keys, size_t len)
{
	if (remote_runs(&console->program))
		remote_send(&console->program, keys, len);
	else
		shell_keys(console->guest.shell, keys, len);
}

void console_give_held(struct console *console)
{
	struct buf *held = &console->prompt.held;

	if (buf_len(held))
		give_keys(console, (const char *)buf_head(held), buf_len(held));
	buf_consume(held, buf_len(held));
}

/* Nothing runs yet that could read it. */
static void interrupt_early(struct console *console)
{
	if (!guest_has_shell(&console->guest)) {
		/* Without its successor there would be a prompt, and nothing to run its lines. */
		die_of(console, SIGINT);
	} else if (console->guest.candidate) {
		guest_drop_candidate(&console->guest);
		console_done(console, 128 + SIGINT);
	} else if (console->guest.shell->state == SHELL_READING ||
		   console->guest.shell->state == SHELL_RUNNING) {
		/* What it was to print is not waited for. */
		console->capture = NULL;
		shell_interrupt(console->guest.shell);
	} else {
		/* A command of ours that asks the guest, or waits for its time. */
		side_cancel(&console->killer);
		console_done(console, 128 + SIGINT);
	}
}

static void take_keys(struct console *console, const char *keys, size_t len)
{
	struct shell *shell = console->guest.shell;
	bool stop = memchr(keys, CTRL_C, len);

	if (stop && console->watched) {
		free(console->watched);
		console->watched = NULL;
		loop_disarm(&console->loop, &console->watch_due);
	}
	if (remote_runs(&console->program)) {
		give_keys(console, keys, len);
	} else if (copy_runs(&console->copy)) {
		prompt_hold(&console->prompt, keys, len);
		if (stop)
			copy_cancel(&console->copy, 128 + SIGINT);
	} else if (shell && shell->state == SHELL_RUNNING && !console->capture) {
		give_keys(console, keys, len);
		count_interrupts(console, keys, len);
	} else {
		prompt_hold(&console->prompt, keys, len);
		if (stop)
			interrupt_early(console);
	}
	watch_answer(console, keys, len);
}

static void on_keys(struct stream *stream)
{
	struct console *console = stream->owner;
	char keys[4096];
	ssize_t n = stream_read(stream, keys, sizeof(keys));

	if (n == 0)
		die_of(console, SIGHUP);
	else if (n > 0)
		take_keys(console, keys, (size_t)n);
}

static void on_keys_due(struct loop_timer *timer)
{
	struct console *console = container_of(timer, struct console, keys_due);

	if (console->busy)
		stream_watch_input(&console->in, true);
}

/* ---- what the guest says ---- */

static void on_output(void *owner, const char *data, size_t len)
{
	console_print(owner, data, len);
}

/* Maybe something that was typed ahead. */
static void on_running(void *owner)
{
	struct console *console = owner;

	if (!console->busy) {
		prompt_put_aside(&console->prompt);
		become_busy(console);
	}
	prompt_remember(&console->prompt);
	if (console->guest.shell->loses_prompts)
		loop_arm(&console->loop, &console->interrupt_due, INTERRUPT_MS);
	if (!console->capture)
		console_give_held(console);
}

static void on_more(void *owner)
{
	struct console *console = owner;

	/* It cannot be run again before it is whole. */
	free(console->watched);
	console->watched = NULL;
	if (console->busy)
		ask_for_line(console, true);
}

static void end_capture(struct console *console)
{
	void (*then)(struct console *) = console->on_captured;

	console->capture = NULL;
	console->on_captured = NULL;
	then(console);
}

/* What has the keys then, whatever becomes of the shell. */
static bool runs_beside(const struct console *console)
{
	return remote_runs(&console->program) || copy_runs(&console->copy);
}

static void on_ready(void *owner, bool is_new)
{
	struct console *console = owner;

	if (is_new) {
		console->last_start_ms = loop_now_ms();
		console->used = false;
		if (!runs_beside(console))
			console_done(console, console->status);
		return;
	}
	if (console->capture) {
		end_capture(console);
		return;
	}
	/* What was to go on was ended by something else. */
	if (!console->busy && console->more) {
		prompt_put_aside(&console->prompt);
		console->status = console->guest.shell->status;
		ask_for_line(console, false);
	}
	if (!console->busy || console->guest.candidate || runs_beside(console))
		return;
	if (console->timing)
		console_say(console, "time: %.3f ms", (double)console->guest.shell->took_us / 1e3);
	save_ran(console);
	console_done(console, console->guest.shell->status);
}

static void on_failed(void *owner, int status, const char *why)
{
	struct console *console = owner;

	if (!guest_has_shell(&console->guest)) {
		finish(console, status, why);
		return;
	}
	guest_drop_candidate(&console->guest);
	console_say(console, CONSOLE ": %s", why);
	console_done(console, EXIT_FAILED);
}

/* A shell that was killed is followed by another one; one that has ended ends the console. */
static void on_gone(void *owner, int code, int signal)
{
	struct console *console = owner;
	char words[128];

	snprintf(words, sizeof(words), "the guest's shell was killed by SIG%s",
		 signal && signal_name(signal) ? signal_name(signal) : "?");
	if (!signal) {
		finish(console, code, NULL);
	} else if (!console->used && loop_now_ms() - console->last_start_ms < RESTART_MS) {
		finish(console, 128 + signal, words);
	} else {
		console->capture = NULL;
		console->busy = true;
		console->wants_line = false;
		guest_drop_candidate(&console->guest);
		prompt_stop(&console->prompt);
		console_say(console, CONSOLE ": %s; this is a new one", words);
		console->status = 128 + signal;
		guest_restart(&console->guest, console->guest.shell->cwd);
	}
}

static void on_lost(void *owner, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];

	finish(owner, EXIT_FAILED, err_sentence(err, words, sizeof(words)));
}

static void on_unanswered(void *owner, enum patience_step step)
{
	struct console *console = owner;
	struct client *client = guest_client(&console->guest);
	char words[256];

	if (console->finished)
		return;
	if (step == PATIENCE_END) {
		die_of(console, client->patience.signal);
	} else if (!console->opts->quiet) {
		patience_words(&client->patience, client->name, "the console", words,
			       sizeof(words));
		console_say(console, "%s" CONSOLE ": %s", console->modes.in_line ? "\r\n" : "",
			    words);
	}
}

/* ---- signals ---- */

static void on_interrupt(struct console *console)
{
	if (console->prompt.shown)
		prompt_interrupt(&console->prompt);
	else if (console->finished || !guest_has_shell(&console->guest))
		die_of(console, SIGINT);
	else
		/* The key came while the terminal was its own, as when we have just been continued. */
		take_keys(console, "\x03", 1);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct console *console = container_of(loop, struct console, loop);

	if (signal->number == SIGINT)
		on_interrupt(console);
	else if (signal->number == SIGTSTP)
		prompt_suspend(&console->prompt);
	else if (signal->number != SIGWINCH && signal->number != SIGQUIT)
		die_of(console, signal->number);
	if (signal->number == SIGTSTP && console->guest.peer)
		client_awake(guest_client(&console->guest));
	guest_resized(&console->guest);
	if (signal->number == SIGWINCH)
		prompt_resize(&console->prompt);
}

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

/* ---- life ---- */

static void set_up_guest(struct console *console)
{
	struct guest *guest = &console->guest;

	guest->loop = &console->loop;
	guest->spare = &console->spare;
	guest->opts = *console->opts;
	/* A prompt has no end. */
	guest->opts.timeout_ms = 0;
	guest->command = console->opts->shell;
	guest->owner = console;
	guest->sink = (struct shell_sink){console, on_output, on_running, on_more};
	guest->on_ready = on_ready;
	guest->on_gone = on_gone;
	guest->on_failed = on_failed;
	guest->on_lost = on_lost;
	guest->on_unanswered = on_unanswered;
	guest->waiting = waiting;
}

static void set_up_prompt(struct console *console)
{
	struct prompt *prompt = &console->prompt;

	console->complete = (struct complete){.loop = &console->loop,
					      .guest = &console->guest,
					      .prompt = prompt,
					      .finished = &console->finished,
					      .within_ms = console->opts->complete_ms};
	prompt->loop = &console->loop;
	prompt->in = &console->in;
	prompt->owner = console;
	prompt->on_line = on_line;
	prompt->on_interrupt = on_interrupted;
	prompt->on_hangup = on_hangup;
	prompt->on_tab = on_tab;
	prompt->is_quoted = is_quoted;
	prompt_init(prompt);
}

static void set_up(struct console *console, const struct opts *opts)
{
	console->opts = opts;
	console->busy = true;
	console->keys_due.on_due = on_keys_due;
	console->watch_due.on_due = on_watch_due;
	console->interrupt_due.on_due = on_interrupt_due;
	console->turn.on_run = on_turn;
	buf_init(&console->ran, OUTPUT_MAX, NULL);
	buf_init(&console->saved, OUTPUT_MAX, NULL);
	stream_init(&console->in, &console->loop, STDIN_FILENO, 0, &console->spare, console,
		    on_keys);
	stream_init(&console->out, &console->loop, STDOUT_FILENO, OUTPUT_MAX, &console->spare,
		    console, on_out);
	stream_init(&console->err, &console->loop, STDERR_FILENO, OUTPUT_MAX, &console->spare,
		    console, on_out);
	console->out.modes = isatty(STDOUT_FILENO) ? &console->modes : NULL;
	console->err.modes = isatty(STDERR_FILENO) ? &console->modes : NULL;
	lines_begin(&console->err);
	term_catch_stops();
	set_up_guest(console);
	set_up_prompt(console);
}

static void tear_down(struct console *console)
{
	say_last(console);
	lines_end(&console->err, LAST_WORDS_MS);
	side_release(&console->complete.side);
	side_release(&console->killer);
	remote_release(&console->program);
	copy_release(&console->copy);
	guest_release(&console->guest);
	prompt_release(&console->prompt);
	stream_release(&console->in);
	stream_release(&console->out);
	stream_release(&console->err);
	buf_release(&console->captured);
	buf_release(&console->ran);
	buf_release(&console->saved);
	free(console->watched);
	free(console->argument);
	loop_release(&console->loop);
	buf_spare_release(&console->spare);
}

static int talk(const struct opts *opts, int *ret_die_of)
{
	static struct console console;
	int r = loop_init(&console.loop);

	if (r == 0)
		r = signals_watch(&console.loop, watched, ARRAY_LEN(watched), on_signal);
	if (r < 0) {
		log_error("cannot set up the event loop");
		return EXIT_FAILED;
	}
	setlocale(LC_CTYPE, "");
	set_up(&console, opts);
	guest_connect(&console.guest, opts->endpoint);
	r = console.finished && !buf_len(&console.err.queue) ? 0 : loop_run(&console.loop);
	if (!console.finished)
		finish(&console, EXIT_FAILED, r < 0 ? strerror(-r) : "stopped");
	tear_down(&console);
	*ret_die_of = console.die_of;
	return console.exit_status;
}

static void print_help(void)
{
	puts("Usage: msb-exec-console [OPTION]...\n"
	     "A prompt in a guest: its own shell, with the host's line editing and history. "
	     "Without a\n"
	     "terminal on stdin, runs the lines it reads and stops at the first that fails.\n");
	opts_help_options(OPTS_CONSOLE);
	puts("\nAt the prompt, besides what the guest's shell knows:\n");
	commands_help(stdout);
	puts("\nIn scripts a line that begins with - may fail. The history is kept in\n"
	     "$MSB_EXEC_HISTFILE, by default ~/.local/state/msb-exec/history; where "
	     "--complete-timeout\n"
	     "is not given $MSB_EXEC_COMPLETE_TIMEOUT says how long.\n\n"
	     "Exit status: the shell's; in scripts that of the line that failed, 124 if they timed "
	     "out;\n"
	     "125 if the console or the agent failed.");
}

static void print_version(void)
{
	puts(CONSOLE
	     " " MSB_EXEC_VERSION "\n"
	     "This program is linked with GNU readline: as a whole it is under the GNU GPL,\n"
	     "version 3 or later. Its own sources are under the Apache License 2.0.");
}

/* Lines without a prompt are msb-exec's matter. */
static int run_lines(int argc, char *argv[])
{
	static const char *const places[] = {"msb-exec", "../../bin/msb-exec"};
	static const char option[] = "--console";
	char **all = calloc((size_t)argc + 2, sizeof(*all));
	int r = -ENOMEM;

	if (argc > 2 && strcmp(argv[1], option) == 0 && strcmp(argv[2], option) == 0) {
		/* It was it that started us, again and again. */
		log_error("this msb-exec is older than its console, and cannot run lines");
		r = 0;
	} else if (all) {
		all[1] = (char *)option;
		memcpy(all + 2, argv + 1, (size_t)(argc - 1) * sizeof(*all));
		r = process_become(places, ARRAY_LEN(places), all);
	}
	free(all);
	if (r < 0)
		log_error("cannot start msb-exec, which runs lines without a prompt: %s",
			  strerror(-r));
	return EXIT_FAILED;
}

static int run(const struct opts *opts)
{
	int status, signal = 0;

	log_init(CONSOLE, opts_log_level(opts));
	status = talk(opts, &signal);
	if (signal)
		signals_die_of(signal);
	return status;
}

int main(int argc, char *argv[])
{
	struct opts opts;
	struct err err;
	int status = 0;

	fd_open_standard();
	signals_begin();
	log_init(CONSOLE, LOG_LEVEL_WARN);
	if (opts_want_lines(argc, argv))
		return run_lines(argc, argv);
	if (opts_parse(argc, argv, OPTS_CONSOLE, &opts, &err) < 0) {
		log_err(&err);
		status = EXIT_FAILED;
	} else if (opts.help) {
		print_help();
	} else if (opts.version) {
		print_version();
	} else {
		status = run(&opts);
	}
	opts_release(&opts);
	return log_flushed_stdout() || status ? status : EXIT_FAILED;
}
