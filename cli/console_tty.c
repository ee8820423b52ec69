/*
 * \tty: a program on a terminal of its own, in a session beside the shell's. It gets the shell's
 * folder and what it exports, and cannot change the shell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/utf8.h"
#include "console_inside.h"
#include "exec.h"
#include "request.h"

#define INPUT_UNASKED (64 * 1024)
#define WINDOW	      (256 * 1024)
#define INPUT_AHEAD   (256 * 1024) /* in the link's queue */
#define KEYS_MAX      (64 * 1024 * 1024)

/* The terminal made each newline two bytes. */
static size_t without_returns(char *text, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++)
		if (!(text[i] == '\r' && i + 1 < len && text[i + 1] == '\n'))
			text[to++] = text[i];
	return to;
}

void environ_read(struct console *console, struct env_list *list)
{
	struct buf *bytes = &console->captured_bytes;
	char *text = (char *)buf_head(bytes);
	size_t len = text ? without_returns(text, buf_len(bytes)) : 0;
	struct err err;

	/* An entry that the terminal cut, or that cannot be sent, is left out. */
	for (char *end; len && (end = memchr(text, '\0', len)); text = end + 1) {
		len -= (size_t)(end + 1 - text);
		if (strchr(text, '=') && utf8_valid(text, strlen(text)))
			env_add(list, text, &err);
	}
	buf_release(bytes);
}

void program_start(struct console *console)
{
	char *command[] = {(char *)(console->shell->bash ? "bash" : "/bin/sh"), (char *)"-c",
			   console->argument, NULL};
	struct client *client = &console->peer->client;
	struct request_terms terms = {.features = client->features, .tty = true};
	struct program *program = &console->program;
	struct opts opts = console->guest;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct env_list list = {0};
	struct err err;
	int r;

	environ_read(console, &list);
	opts.command = command;
	opts.command_len = 3;
	opts.env = list;
	opts.workdir = console->shell->cwd;
	*program = (struct program){.id = peer_take_id(console->peer)};
	buf_init(&program->keys, KEYS_MAX, NULL);
	program->input.window = client->features & MSG_FEATURE_STDIN_WINDOW ? INPUT_UNASKED : 0;
	program->output.window = client->features & MSG_FEATURE_OUTPUT_WINDOW ? WINDOW : 0;
	terms.output_window = program->output.window;
	terms.size = peer_size(client);
	r = program->id ? request_put(&client->link.out, program->id, &opts, &terms, &err)
			: err_set(&err, 0, NULL, "no session is left on this connection");
	env_release(&list);
	if (r < 0) {
		program_release(console);
		console_say(console, "\\tty: %s", err_sentence(&err, words, sizeof(words)));
		console_done(console, EXIT_FAILED);
	} else {
		console_give_held(console);
	}
	client_mark(client);
}

void program_keys(struct console *console, const char *keys, size_t len)
{
	buf_append(&console->program.keys, keys, len);
	client_mark(&console->peer->client);
}

/* As far as the program takes them; the rest goes with the next credit. */
static void send_keys(struct console *console)
{
	struct program *program = &console->program;
	struct link *link = &console->peer->client.link;

	while (buf_len(&program->keys) && link_unsent(link) < INPUT_AHEAD) {
		size_t len = credit_room(&program->input, buf_len(&program->keys));
		uint8_t *space;

		if (len > INPUT_UNASKED)
			len = INPUT_UNASKED;
		if (!len || msg_data_begin(&link->out, len, &space) < 0)
			return;
		memcpy(space, buf_head(&program->keys), len);
		msg_data_end(&link->out, program->id, MSG_EXEC_STDIN, len);
		buf_consume(&program->keys, len);
		program->input.sent += len;
	}
}

void program_release(struct console *console)
{
	buf_release(&console->program.keys);
	console->program.id = 0;
}

void program_resize(struct console *console, const struct msg_exec_resize *size)
{
	struct client *client = &console->peer->client;

	if (!console->program.id)
		return;
	msg_put_exec_resize(&client->link.out, console->program.id, size);
	client_mark(&console->peer->client);
}

static void end(struct console *console, int status, const struct msg_text *why)
{
	program_release(console);
	if (why)
		console_say(console, "\\tty: %.*s", (int)why->len, why->ptr);
	console_done(console, status);
}

void program_on_frame(struct console *console, const struct msg_envelope *envelope)
{
	struct program *program = &console->program;
	struct msg_exec_failed failed = {0};
	struct msg_exec_started started;
	struct msg_exec_exited exited = {.code = EXIT_NO_SIGNAL};
	struct msg_credit credit;
	struct msg_data data;

	switch (envelope->type) {
	case MSG_EXEC_STARTED:
		if (msg_decode(MSG_EXEC_STARTED, envelope->payload, &started) == 0)
			program->input.window = started.stdin_window;
		break;
	case MSG_EXEC_STDOUT:
		if (msg_decode(MSG_EXEC_STDOUT, envelope->payload, &data) < 0)
			break;
		program->output.received += data.data.len;
		console_print(console, MSG_EXEC_STDOUT, (char *)data.data.ptr, data.data.len);
		break;
	case MSG_EXEC_STDIN_CREDIT:
		if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
			credit_consumed(&program->input, credit.consumed);
		break;
	case MSG_EXEC_EXITED:
		msg_decode(MSG_EXEC_EXITED, envelope->payload, &exited);
		end(console, exit_status(&exited), NULL);
		break;
	case MSG_EXEC_FAILED:
	case MSG_ERROR:
		msg_decode(MSG_EXEC_FAILED, envelope->payload, &failed);
		end(console, EXIT_FAILED, &failed.message);
		break;
	default:
		break;
	}
}

void program_on_turn(struct console *console)
{
	struct program *program = &console->program;
	uint64_t consumed;

	if (!program->id)
		return;
	send_keys(console);
	if (credit_due(&program->output, buf_len(&console->out.queue), &consumed))
		msg_put_credit(&console->peer->client.link.out, program->id, MSG_EXEC_OUTPUT_CREDIT,
			       consumed);
}
