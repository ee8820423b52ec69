/* What the console's shell says: marks, output, and how it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console_shell_inside.h"
#include "exec.h"

#define PROMPT_MS  1000	     /* for the prompt behind mark e, of a shell that has one */
#define SETTLE_MS  50	     /* the same, after it was lost: its stderr may be somewhere else */
#define ASK_CURSOR "\x1b[6n" /* busybox at its prompt; the answer would be typed into ours */

static void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void become_ready(struct shell *shell)
{
	loop_disarm(shell->loop, &shell->settle);
	shell->state = SHELL_READY;
	shell->on_ready(shell->owner);
}

void shell_on_settled(struct loop_timer *timer)
{
	struct shell *shell = (struct shell *)((char *)timer - offsetof(struct shell, settle));

	shell->prompts = false;
	become_ready(shell);
}

/* Mark e: the line has ended. */
static void line_ended(struct shell *shell, char *text)
{
	char *path;

	shell->status = atoi(mark_field(&text));
	set_text(shell->cwd, sizeof(shell->cwd), mark_field(&text));
	path = strdup(mark_field(&text));
	if (path) {
		free(shell->path);
		shell->path = path;
	}
	shell->took_us = loop_now_us() - shell->began_us;
	buf_consume(&shell->echo, buf_len(&shell->echo));
	shell->state = SHELL_SETTLING;
	/* A shell without a terminal has no prompt. What it says of its jobs stands before one. */
	loop_arm(shell->loop, &shell->settle,
		 !shell->tty	  ? 0
		 : shell->prompts ? PROMPT_MS
				  : SETTLE_MS);
}

static void on_hello(struct shell *shell, char *text)
{
	set_text(shell->user, sizeof(shell->user), mark_field(&text));
	set_text(shell->host, sizeof(shell->host), mark_field(&text));
	shell->bash = mark_field(&text)[0] != '\0';
	set_text(shell->home, sizeof(shell->home), mark_field(&text));
	shell->root = strcmp(mark_field(&text), "0") == 0;
}

/*
 * Mark p, the prompt: behind mark e the end, in the midst of a line its interruption. Ctrl-C that was
 * sent after the call may find the function reading: then mark i came, and what it was sent is of no
 * use to the prompt.
 */
static void on_prompt(struct shell *shell)
{
	shell->prompts = true;
	if (shell->state == SHELL_SETTLING)
		become_ready(shell);
	else if (shell->state == SHELL_CALLED && shell->missed)
		shell_call_again(shell);
	else if (shell->state == SHELL_RUNNING ||
		 ((shell->state == SHELL_CALLED || shell->state == SHELL_FED) &&
		  shell->interrupted))
		shell_ask(shell);
}

static void on_mark(void *owner, char kind, char *text)
{
	struct shell *shell = owner;

	if (kind == 'h') {
		on_hello(shell, text);
	} else if (kind == 'i' && shell->state == SHELL_CALLED) {
		shell_feed_line(shell);
	} else if (kind == 'c' && shell->state == SHELL_FED) {
		shell_feed_step(shell);
	} else if (kind == 's' && shell->state == SHELL_FED) {
		buf_consume(&shell->echo, buf_len(&shell->echo));
		shell->state = SHELL_RUNNING;
		if (shell->interrupted)
			shell_type(shell, "\x03", 1);
		shell->on_started(shell->owner);
	} else if (kind == 'e' && shell->state == SHELL_CALLED && !shell->interrupted) {
		shell->missed = shell->tty;
	} else if (kind == 'e' && shell->state != SHELL_READY && shell->state != SHELL_CALLED &&
		   shell->state != SHELL_SETTLING) {
		line_ended(shell, text);
	} else if (kind == 'p') {
		on_prompt(shell);
	}
}

/*
 * Between two lines the terminal repeats what we say; the rest is of jobs in the background. A
 * job's byte that happens to be the one that is awaited changes places with it, and none is lost.
 */
static void without_echo(struct shell *shell, const char *data, size_t len)
{
	size_t plain = 0;

	if (len >= strlen(ASK_CURSOR) && memcmp(data, ASK_CURSOR, strlen(ASK_CURSOR)) == 0) {
		data += strlen(ASK_CURSOR);
		len -= strlen(ASK_CURSOR);
	}
	for (size_t i = 0; i < len; i++) {
		bool echoed = buf_len(&shell->echo) && *buf_head(&shell->echo) == (uint8_t)data[i];
		size_t erased = len - i >= 3 && memcmp(data + i, "\b \b", 3) == 0 ? 3 : 0;

		/* KILL_LINE is repeated as the erasure of what was typed ahead. */
		if ((echoed || erased) && i > plain)
			shell->on_output(shell->owner, MSG_EXEC_STDOUT, data + plain, i - plain);
		if (echoed) {
			buf_consume(&shell->echo, 1);
			plain = i + 1;
		} else if (erased) {
			plain = i + erased;
			i += erased - 1;
		}
	}
	if (len > plain)
		shell->on_output(shell->owner, MSG_EXEC_STDOUT, data + plain, len - plain);
}

static void on_bytes(void *owner, const char *data, size_t len)
{
	struct shell *shell = owner;

	if (shell->state == SHELL_STARTING)
		return;
	if (shell->tty && shell->state != SHELL_RUNNING)
		without_echo(shell, data, len);
	else
		shell->on_output(shell->owner, shell->tty ? MSG_EXEC_STDOUT : MSG_EXEC_STDERR, data,
				 len);
}

static struct marks_sink sink_of(struct shell *shell)
{
	return (struct marks_sink){.owner = shell, .on_bytes = on_bytes, .on_mark = on_mark};
}

/* Marks come on the terminal, or, without one, on stderr. */
static void on_data(struct shell *shell, const struct msg_envelope *envelope)
{
	struct marks_sink sink = sink_of(shell);
	struct msg_data data;

	if (msg_decode(envelope->type, envelope->payload, &data) < 0)
		return;
	shell->output.received += data.data.len;
	if (!shell->tty && envelope->type == MSG_EXEC_STDOUT)
		shell->on_output(shell->owner, MSG_EXEC_STDOUT, (char *)data.data.ptr,
				 data.data.len);
	else
		marks_feed(&shell->marks, (char *)data.data.ptr, data.data.len, &sink);
}

static void on_started(struct shell *shell, struct msg_bytes payload)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, payload, &started) < 0)
		return;
	shell->pid = started.pid;
	shell->input.window = started.stdin_window;
}

static void on_exited(struct shell *shell, struct msg_bytes payload)
{
	struct marks_sink sink = sink_of(shell);
	struct msg_exec_exited exited = {.code = EXIT_NO_SIGNAL};

	msg_decode(MSG_EXEC_EXITED, payload, &exited);
	marks_end(&shell->marks, &sink);
	loop_disarm(shell->loop, &shell->settle);
	shell->state = SHELL_NONE;
	shell->on_gone(shell->owner, exit_signal(&exited) ? 0 : exit_status(&exited),
		       exit_signal(&exited));
}

static void on_failed(struct shell *shell, const struct msg_envelope *envelope)
{
	struct msg_exec_failed failed = {.message = {"the agent refused the session", 29}};
	struct msg_error error;
	char why[512];

	if (envelope->type == MSG_EXEC_FAILED)
		msg_decode(MSG_EXEC_FAILED, envelope->payload, &failed);
	else if (msg_decode(MSG_ERROR, envelope->payload, &error) == 0 && error.message.len)
		failed.message = error.message;
	snprintf(why, sizeof(why), "%.*s", (int)failed.message.len, failed.message.ptr);
	if (!why[0])
		strcpy(why, "the agent could not start the shell, and does not say why");
	shell->state = SHELL_NONE;
	shell->on_failed(shell->owner, EXIT_FAILED, why);
}

void shell_on_frame(struct shell *shell, const struct msg_envelope *envelope)
{
	struct msg_credit credit;

	switch (envelope->type) {
	case MSG_EXEC_STARTED:
		on_started(shell, envelope->payload);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		on_data(shell, envelope);
		break;
	case MSG_EXEC_STDIN_CREDIT:
		if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
			credit_consumed(&shell->input, credit.consumed);
		break;
	case MSG_EXEC_EXITED:
		on_exited(shell, envelope->payload);
		break;
	case MSG_EXEC_FAILED:
	case MSG_ERROR:
		on_failed(shell, envelope);
		break;
	default:
		break;
	}
}
