/* The console's shell in the guest: see console_shell.h. */
#include "console_shell_inside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../shared/log.h"
#include "console_guest.h"
#include "exec.h"
#include "request.h"

#define INPUT_UNASKED (64 * 1024)
#define INPUT_AHEAD   (256 * 1024) /* in the link's queue */
#define INPUT_CHUNK   (32 * 1024)
#define FEED_MAX      (64 * 1024 * 1024)
#define OUTPUT_WINDOW (1024 * 1024)
#define TTY_WINDOW    (256 * 1024) /* what still comes after Ctrl-C is short */
#define KILL_LINE     "\x15"
#define CTRL_C	      '\x03'

static int make_nonce(char *nonce)
{
	unsigned char bytes[MARK_NONCE_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(nonce + 2 * i, "%02x", bytes[i]);
	return 0;
}

/* ---- to the shell ---- */

/* Sends what we say; its terminal, if it echoes, will say it again. */
static void say(struct shell *shell, const char *text, size_t len)
{
	if (buf_append(&shell->feed, text, len) < 0)
		return;
	client_mark(shell->client);
	if (!shell->tty)
		return;
	for (size_t i = 0; i < len; i++)
		buf_append(&shell->echo, text[i] == '\n' ? "\r\n" : text + i,
			   text[i] == '\n' ? 2 : 1);
}

void shell_flush(struct shell *shell)
{
	struct link *link = &shell->client->link;

	while (buf_len(&shell->feed) && link_unsent(link) < INPUT_AHEAD) {
		size_t len = buf_len(&shell->feed);
		uint8_t *space;

		len = credit_room(&shell->input, len < INPUT_CHUNK ? len : INPUT_CHUNK);
		if (!len || msg_data_begin(&link->out, len, &space) < 0)
			return;
		memcpy(space, buf_head(&shell->feed), len);
		msg_data_end(&link->out, shell->id, MSG_EXEC_STDIN, len);
		buf_consume(&shell->feed, len);
		shell->input.sent += len;
	}
	if (shell->ended && !buf_len(&shell->feed) && shell->state != SHELL_NONE) {
		uint8_t *space;

		shell->ended = false;
		if (msg_data_begin(&link->out, 0, &space) == 0)
			msg_data_end(&link->out, shell->id, MSG_EXEC_STDIN, 0);
	}
}

void shell_on_turn(struct shell *shell, size_t waiting)
{
	uint64_t consumed;

	if (shell->state == SHELL_NONE)
		return;
	shell_flush(shell);
	if (credit_due(&shell->output, waiting, &consumed))
		msg_put_credit(&shell->client->link.out, shell->id, MSG_EXEC_OUTPUT_CREDIT,
			       consumed);
}

int shell_run(struct shell *shell, const char *line)
{
	const char *run = shell->tty ? GUEST_RUN_TTY : GUEST_RUN_SCRIPT;

	free(shell->line);
	shell->line = strdup(line);
	if (!shell->line)
		return -ENOMEM;
	shell->state = SHELL_CALLED;
	shell->interrupted = false;
	shell->began_us = loop_now_us();
	shell->missed = false;
	/* The unfinished rest of a line that was typed ahead. */
	if (shell->typed)
		shell_type(shell, KILL_LINE, 1);
	shell->typed = false;
	say(shell, run, strlen(run));
	return 0;
}

void shell_call_again(struct shell *shell)
{
	shell->missed = false;
	say(shell, GUEST_RUN_TTY, strlen(GUEST_RUN_TTY));
}

/* The function that reads the data waits for it now. */
void shell_feed_line(struct shell *shell)
{
	buf_consume(&shell->data, buf_len(&shell->data));
	shell->state = SHELL_FED;
	if (guest_put_text(&shell->data, shell->line) == 0)
		shell_feed_step(shell);
}

void shell_feed_step(struct shell *shell)
{
	static const char step[] = "\n" GUEST_STEP;
	const char *data = (const char *)buf_head(&shell->data);
	size_t len = buf_len(&shell->data);
	const char *end = len ? memmem(data, len, step, strlen(step)) : NULL;

	if (end)
		len = (size_t)(end - data) + strlen(step);
	say(shell, data, len);
	buf_consume(&shell->data, len);
}

void shell_ask(struct shell *shell)
{
	buf_consume(&shell->feed, buf_len(&shell->feed));
	/* What the interruption has not let through will not be repeated any more. */
	buf_consume(&shell->echo, buf_len(&shell->echo));
	shell->state = SHELL_ASKED;
	say(shell, GUEST_ASK, strlen(GUEST_ASK));
}

void shell_type(struct shell *shell, const char *keys, size_t len)
{
	buf_append(&shell->feed, keys, len);
	client_mark(shell->client);
}

void shell_keys(struct shell *shell, const char *keys, size_t len)
{
	bool stop = memchr(keys, CTRL_C, len) != NULL;

	if (shell->state == SHELL_RUNNING) {
		shell->typed = true;
		shell_type(shell, keys, len);
	} else if (stop && shell->state == SHELL_CALLED) {
		/* Something that was typed ahead runs instead. */
		shell->interrupted = true;
		shell_type(shell, "\x03", 1);
	} else if (stop && shell->state == SHELL_FED) {
		shell->interrupted = true;
	}
}

void shell_resize(struct shell *shell, const struct msg_exec_resize *size)
{
	if (shell->state == SHELL_NONE || !shell->tty)
		return;
	msg_put_exec_resize(&shell->client->link.out, shell->id, size);
	client_mark(shell->client);
}

void shell_signal(struct shell *shell, int signal)
{
	if (shell->state == SHELL_NONE)
		return;
	msg_put_exec_signal(&shell->client->link.out, shell->id, signal);
	client_mark(shell->client);
}

void shell_end(struct shell *shell)
{
	shell->ended = true;
	client_mark(shell->client);
}

/* ---- life ---- */

int shell_start(struct shell *shell, uint32_t id, bool tty, const struct shell_terms *terms,
		struct err *err)
{
	char *command[] = {(char *)"/bin/sh", (char *)"-c",
			   (char *)(tty ? GUEST_START_TTY : GUEST_START_SCRIPT), NULL};
	struct client *client = shell->client;
	struct request_terms request = {
		.features = client->features, .tty = tty, .size = terms->size, .term = terms->term};
	struct opts opts = *terms->opts;
	char nonce[MARK_NONCE_LEN + 1];
	struct buf functions;
	int r;

	opts.command = command;
	opts.command_len = 3;
	if (make_nonce(nonce) < 0)
		return err_set(err, EIO, NULL, "no random numbers");
	shell->id = id;
	shell->tty = tty;
	shell->pid = 0;
	shell->ended = false;
	shell->prompts = false;
	shell->settle.on_due = shell_on_settled;
	marks_release(&shell->marks);
	marks_init(&shell->marks, nonce);
	buf_release(&shell->feed);
	buf_release(&shell->data);
	buf_release(&shell->echo);
	buf_init(&shell->feed, FEED_MAX, NULL);
	buf_init(&shell->data, FEED_MAX, NULL);
	buf_init(&shell->echo, FEED_MAX, NULL);
	shell->input = (struct credit){.window = INPUT_UNASKED};
	if (!(client->features & MSG_FEATURE_STDIN_WINDOW))
		shell->input.window = 0;
	shell->output = (struct credit_account){0};
	if (client->features & MSG_FEATURE_OUTPUT_WINDOW)
		shell->output.window = tty ? TTY_WINDOW : OUTPUT_WINDOW;
	request.output_window = shell->output.window;
	r = request_put(&client->link.out, id, &opts, &request, err);
	if (r < 0)
		return r;
	shell->state = SHELL_STARTING;
	buf_init(&functions, FEED_MAX, NULL);
	if (guest_put_functions(&functions, nonce, tty, terms->status) == 0)
		shell_type(shell, (const char *)buf_head(&functions), buf_len(&functions));
	buf_release(&functions);
	client_mark(client);
	return 0;
}

void shell_release(struct shell *shell)
{
	loop_disarm(shell->loop, &shell->settle);
	marks_release(&shell->marks);
	buf_release(&shell->feed);
	buf_release(&shell->data);
	buf_release(&shell->echo);
	free(shell->line);
	free(shell->path);
	shell->line = shell->path = NULL;
	shell->state = SHELL_NONE;
}
