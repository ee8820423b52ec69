/*
 * The way of a line: from the prompt or a script, through the question whether it is whole, to the
 * shell; and the keys that are typed while it runs.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console_inside.h"
#include "console_lex.h"
#include "exec.h"
#include "term.h"

#define OUTPUT_MAX    (16 * 1024 * 1024)
#define KEYS_AFTER_MS 100 /* what is typed until then may be the next line and not for this one */
#define ENDS_MS	      2000
#define TEXT_MAX      (32 * 1024 * 1024)
#define CTRL_C	      '\x03'

#define OWNER(ptr, member) ((struct console *)((char *)(ptr)-offsetof(struct console, member)))

/* ---- a line ---- */

void console_done(struct console *console, int status)
{
	static const char newline[] = "\r\n";

	console->status = status;
	console->busy = false;
	loop_disarm(&console->loop, &console->keys_due);
	stream_watch_input(&console->in, false);
	/* What it has not killed by now is not what it was to kill. */
	side_cancel(&console->killer);
	if (console->interactive) {
		if (!console->at_margin)
			console_print(console, MSG_EXEC_STDOUT, newline, 2);
		term_restore();
	}
	console->wants_line = true;
	console_go_on(console);
}

void console_run(struct console *console, const char *text)
{
	console->interrupts = 0;
	console->at_margin = true;
	console->ran = true;
	if (!console->shell || shell_run(console->shell, text) < 0)
		console_done(console, EXIT_FAILED);
}

void console_capture(struct console *console, const char *text,
		     void (*then)(struct console *console))
{
	buf_release(&console->captured_bytes);
	buf_init(&console->captured_bytes, OUTPUT_MAX, &console->spare);
	console->captured = then;
	console_run(console, text);
}

static bool is_exit(const char *text)
{
	return strncmp(text, "exit", 4) == 0 && (!text[4] || strchr(" \t\n", text[4])) &&
	       !strpbrk(text, ";&|");
}

/* All of the text is there. */
static void run_text(struct console *console)
{
	/* To bash it is only asked again if nothing came between; ours do, but jobs is no matter. */
	static const char insist[] = "jobs >/dev/null 2>&1;";
	bool again = console->asked_exit;
	char *text = console->text, *whole = NULL;

	console->text = NULL;
	console->asked_exit = is_exit(text);
	if (again && console->asked_exit && asprintf(&whole, "%s%s", insist, text) > 0) {
		free(text);
		text = whole;
	}
	console_run(console, text);
	free(text);
}

static void ask_for_more(struct console *console)
{
	/* The answer may have taken so long that keys were read already; now they are readline's. */
	loop_disarm(&console->loop, &console->keys_due);
	if (console->interactive)
		stream_watch_input(&console->in, false);
	console->busy = false;
	if (console->interactive)
		term_restore();
	console->wants_line = true;
	console_go_on(console);
}

static void on_checked(struct side *side, int status)
{
	struct console *console = side->owner;
	bool open = status >= 0 && buf_len(&side->err) &&
		    lex_missed_end((char *)buf_head(&side->err), buf_len(&side->err));

	if (!console->text)
		return;
	/* Without more lines the shell may say what is missing. */
	if (open && !(console->script.at_end && !buf_len(&console->script.text)))
		ask_for_more(console);
	else
		run_text(console);
}

/*
 * Only the guest's own parser knows where its if has its fi. A guest that takes long is not taken
 * for one that says it is whole; Ctrl-C gives the question up.
 */
static void check_text(struct console *console)
{
	const char *argv[] = {console->shell->bash ? "bash" : "/bin/sh", "-n", NULL};
	struct side_terms terms = {.opts = &console->guest,
				   .beside = console->shell->pid,
				   .argv = argv,
				   .input = console->text,
				   .within_ms = DURATION_INFINITE};

	if (strlen(console->text) > SIDE_INPUT_MAX) {
		run_text(console);
		return;
	}
	console->check.owner = console;
	console->check.on_done = on_checked;
	side_start(&console->check, &console->peer->client, peer_take_id(console->peer), &terms);
}

/* Adds the line to what there is; false if there is no memory or too much. */
static bool add_line(struct console *console, const char *line)
{
	size_t had = console->text ? strlen(console->text) : 0, len = strlen(line);
	char *text;

	if (had + len > TEXT_MAX)
		return false;
	text = realloc(console->text, had + len + 2);
	if (!text)
		return false;
	if (had)
		text[had++] = '\n';
	memcpy(text + had, line, len + 1);
	console->text = text;
	return true;
}

static bool is_blank(const char *line)
{
	return line[strspn(line, " \t")] == '\0';
}

void console_take_line(struct console *console, char *line)
{
	const struct command *command = NULL;
	const char *argument;
	enum lex_verdict verdict;

	if (!line) {
		console_finish(console, EXIT_FAILED, "no memory for the line");
		return;
	}
	console->busy = true;
	if (console->interactive) {
		term_make_raw(STDIN_FILENO);
		loop_arm(&console->loop, &console->keys_due, KEYS_AFTER_MS);
	}
	if (!console->text)
		command = commands_find(line, &argument);
	if (command) {
		console->asked_exit = false;
		command->run(console, argument);
	} else if (!console->text && is_blank(line)) {
		console_done(console, console->status);
	} else if (!add_line(console, line)) {
		console_finish(console, EXIT_FAILED, "no memory for the line");
	} else {
		verdict = lex_judge(console->text, strlen(console->text));
		if (verdict == LEX_WHOLE || (console->script.at_end && verdict == LEX_OPEN &&
					     !buf_len(&console->script.text)))
			run_text(console);
		else if (verdict == LEX_OPEN)
			ask_for_more(console);
		else
			check_text(console);
	}
	free(line);
}

/* ---- keys while something runs ---- */

/* Of what has the shell's terminal, but not of what reads keys itself, as editors do. */
static void kill_foreground(struct console *console)
{
	static const char script[] =
		"read -r s </proc/$1/stat||exit;set -- $1 ${s##*) };"
		"[ $4 != $7 ]||exit;"
		"case $(stty -a </proc/$1/fd/0 2>/dev/null) in *-icanon*|*-isig*)exit;;esac;"
		"kill -KILL -$7";
	char pid[16];
	const char *argv[] = {"/bin/sh", "-c", script, "sh", pid, NULL};
	struct side_terms terms = {.opts = &console->guest,
				   .beside = console->shell->pid,
				   .argv = argv,
				   .within_ms = DURATION_INFINITE};

	snprintf(pid, sizeof(pid), "%u", console->shell->pid);
	/* A key that came after the kill would be for the shell. */
	shell_flush(console->shell);
	side_start(&console->killer, &console->peer->client, peer_take_id(console->peer), &terms);
}

void console_on_killed(struct side *side, int status)
{
	(void)side;
	(void)status;
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
		if (++console->interrupts == 2 && console->shell->pid)
			kill_foreground(console);
	}
}

/*
 * Ctrl-C is for what runs, unless the agent that is to tell it is not there. One that has brought
 * the prompt back has done all that it was for, and there the next one is for the line.
 */
static void watch_answer(struct console *console, const char *keys, size_t len)
{
	int signal = patience_key((const uint8_t *)keys, len);

	if (signal && console->busy && console->peer &&
	    client_typed(&console->peer->client, signal))
		console_die_of(console, signal);
}

/* The question whether it is whole has no answer yet. */
static void give_up_text(struct console *console)
{
	side_cancel(&console->check);
	free(console->text);
	console->text = NULL;
	console_done(console, 128 + SIGINT);
}

/*
 * Nothing runs yet that could read them, or it is not known whether anything will. As a terminal
 * does, Ctrl-C forgets what was typed before it.
 */
static void hold(struct console *console, const char *keys, size_t len)
{
	const char *stop = memrchr(keys, CTRL_C, len);
	struct buf *held = &console->held;
	size_t room;

	if (stop) {
		buf_consume(held, buf_len(held));
		len -= (size_t)(stop + 1 - keys);
		keys = stop + 1;
	}
	room = held->max - buf_len(held);
	buf_append(held, keys, len < room ? len : room);
}

void console_give_held(struct console *console)
{
	struct buf *held = &console->held;
	const char *keys = (const char *)buf_head(held);

	if (!buf_len(held))
		return;
	if (console->program.id)
		program_keys(console, keys, buf_len(held));
	else
		shell_keys(console->shell, keys, buf_len(held));
	buf_consume(held, buf_len(held));
}

static void take_keys(struct console *console, const char *keys, size_t len)
{
	struct shell *shell = console->shell;
	bool stop = memchr(keys, CTRL_C, len);

	if (console->program.id) {
		program_keys(console, keys, len);
		return;
	}
	if (shell && shell->state == SHELL_RUNNING && !console->capture) {
		shell_keys(shell, keys, len);
		count_interrupts(console, keys, len);
		return;
	}
	hold(console, keys, len);
	if (!stop)
		return;
	if (!console_has_shell(console)) {
		/* Without its successor there would be a prompt, and nothing to run its lines. */
		console_die_of(console, SIGINT);
	} else if (console->candidate) {
		candidate_drop(console);
		console_done(console, 128 + SIGINT);
	} else if (console->check.id) {
		give_up_text(console);
	} else {
		shell_keys(shell, "\x03", 1);
		count_interrupts(console, keys, len);
	}
}

void console_take_keys(struct console *console, const char *keys, size_t len)
{
	take_keys(console, keys, len);
	watch_answer(console, keys, len);
}

void console_on_keys(struct stream *stream)
{
	struct console *console = stream->owner;
	char keys[4096];
	ssize_t n;

	if (!console->interactive) {
		script_on_input(console);
		return;
	}
	n = stream_read(stream, keys, sizeof(keys));
	if (n == 0)
		console_die_of(console, SIGHUP);
	if (n <= 0)
		return;
	console_take_keys(console, keys, (size_t)n);
}

void console_on_keys_due(struct loop_timer *timer)
{
	struct console *console = OWNER(timer, keys_due);

	if (console->busy)
		stream_watch_input(&console->in, true);
}
