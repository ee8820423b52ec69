/*
 * The console's connections and its shells: the current one and, while \user, \connect or a
 * killed shell make another, its candidate. What was in use stays so until the new one is ready.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/log.h"
#include "../shared/names.h"
#include "console_inside.h"
#include "exec.h"
#include "term.h"

#define OUTPUT_AHEAD (1024 * 1024) /* of an agent without credit */
#define RESTART_MS   1000 /* a shell that lives shorter, and ran nothing, is not started again */

uint32_t peer_take_id(struct peer *peer)
{
	return client_take_id(&peer->client);
}

struct msg_exec_resize peer_size(const struct client *client)
{
	struct msg_exec_resize size;

	term_size_or_default(&size);
	if (!(client->features & MSG_FEATURE_PIXELS))
		size.xpixel = size.ypixel = 0;
	return size;
}

static struct peer *peer_of(struct client *client)
{
	return (struct peer *)((char *)client - offsetof(struct peer, client));
}

static void peer_free(struct peer *peer)
{
	client_release(&peer->client);
	free(peer->address);
	free(peer);
}

/* Only after the batch, as one of its callbacks may be what calls us. */
static void on_grave(struct loop_grave *grave)
{
	peer_free((struct peer *)((char *)grave - offsetof(struct peer, grave)));
}

static void retire(struct console *console, struct peer *peer)
{
	loop_bury(&console->loop, &peer->grave, on_grave);
	peer->client.lost = true;
}

void peers_release(struct console *console)
{
	if (console->candidate_peer && console->candidate_peer != console->peer)
		peer_free(console->candidate_peer);
	if (console->peer)
		peer_free(console->peer);
	console->peer = console->candidate_peer = NULL;
}

void peers_mark(struct console *console)
{
	if (console->peer)
		client_mark(&console->peer->client);
	if (console->candidate_peer)
		client_mark(&console->candidate_peer->client);
}

/* ---- what the shells say ---- */

static void on_output(void *owner, enum msg_type stream, const char *data, size_t len)
{
	console_print(owner, stream, data, len);
}

static void on_started(void *owner)
{
	struct console *console = owner;

	if (console->captured && !console->capture)
		console->capture = &console->captured_bytes;
	else
		console_give_held(console);
}

/* The candidate is ready: what was before it is over. */
static void adopt(struct console *console)
{
	struct shell *old = console->shell;

	console->shell = console->candidate;
	console->candidate = NULL;
	if (old && old->state != SHELL_NONE) {
		shell_signal(old, SIGHUP);
		shell_end(old);
	}
	if (console->peer && console->peer != console->candidate_peer)
		retire(console, console->peer);
	console->peer = console->candidate_peer;
	console->candidate_peer = NULL;
	/* It has still to be told who reads no more. */
	console->out_closed = console->err_closed = false;
	/* The window may have changed since its shell was told. */
	console->resized = true;
	peers_mark(console);
	console->last_start_ms = loop_now_ms();
	console->ran = false;
	/* Its folder was for the first one. */
	console->guest.workdir = NULL;
	env_release(&console->carried);
	if (console->candidate_user) {
		free(console->user);
		console->user = console->candidate_user;
		console->candidate_user = NULL;
		console->guest.user = console->user;
	}
}

static void on_ready(void *owner)
{
	struct console *console = owner;
	void (*captured)(struct console *) = console->captured;

	if (console->candidate && console->candidate->state == SHELL_READY) {
		adopt(console);
		console_done(console, console->shell->status);
		return;
	}
	if (console->capture) {
		console->capture = NULL;
		console->captured = NULL;
		captured(console);
		return;
	}
	if (!console->busy || console->candidate || console->program.id)
		return;
	if (console->timing)
		console_say(console, "time: %.3f ms", (double)console->shell->took_us / 1e3);
	console_done(console, console->shell->status);
}

static struct shell *gone_shell(struct console *console)
{
	if (console->candidate && console->candidate->state == SHELL_NONE)
		return console->candidate;
	return console->shell && console->shell->state == SHELL_NONE ? console->shell : NULL;
}

bool console_has_shell(const struct console *console)
{
	return console->shell && console->shell->state != SHELL_NONE;
}

static void candidate_failed(struct console *console, int status, const char *why)
{
	if (!console_has_shell(console)) {
		console_finish(console, status, why);
		return;
	}
	candidate_drop(console);
	console_say(console, CONSOLE ": %s", why);
	console_done(console, EXIT_FAILED);
}

/* A line has room for what to do about it. */
static void candidate_failed_by(struct console *console, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];

	candidate_failed(console, EXIT_FAILED, err_sentence(err, words, sizeof(words)));
}

static void on_failed(void *owner, int status, const char *why)
{
	struct console *console = owner;

	if (gone_shell(console))
		candidate_failed(console, status, why);
}

/* A shell that was killed is followed by another one; one that has ended ends the console. */
static void on_gone(void *owner, int code, int signal)
{
	struct console *console = owner;
	struct shell *gone = gone_shell(console);
	char words[128];

	/* An old one has made room for its candidate. */
	if (!gone)
		return;
	snprintf(words, sizeof(words), "the guest's shell was killed by SIG%s",
		 signal && signal_name(signal) ? signal_name(signal) : "?");
	if (gone == console->candidate) {
		candidate_failed(console,
				 signal ? 128 + signal
				 : code ? code
					: EXIT_FAILED,
				 signal ? words : "the guest's shell ended before it was ready");
	} else if (console->forwarded && (signal == SIGINT || code == 128 + SIGINT)) {
		/* Of one that we passed on we die too, so that a script's loop stops. */
		console->die_of = SIGINT;
		console_finish(console, 128 + SIGINT, NULL);
	} else if (!signal) {
		console_finish(console, code, NULL);
	} else if (!console->interactive ||
		   (!console->ran && loop_now_ms() - console->last_start_ms < RESTART_MS)) {
		console_finish(console, 128 + signal, words);
	} else {
		console->capture = NULL;
		console->captured = NULL;
		console->busy = true;
		console_say(console, CONSOLE ": %s; this is a new one", words);
		read_stop(console);
		free(console->text);
		console->text = NULL;
		console->shell->status = 128 + signal;
		console->guest.workdir = console->shell->cwd;
		candidate_start(console, NULL, false, &console->guest);
	}
}

/* ---- what the connections say ---- */

static void start_shell(struct look *look, const struct err *failure)
{
	struct console *console = look->owner;
	struct peer *peer = console->candidate_peer;
	struct shell *shell = console->candidate;
	struct shell_terms terms = {.opts = &console->wanted,
				    .status = console->shell ? console->shell->status : 0};
	struct err err;
	uint32_t id = failure ? 0 : peer_take_id(peer);

	if (failure) {
		candidate_failed_by(console, failure);
		return;
	}
	terms.term = look->term;
	terms.size = peer_size(&peer->client);
	shell->loop = &console->loop;
	shell->client = &peer->client;
	shell->owner = console;
	shell->on_output = on_output;
	shell->on_started = on_started;
	shell->on_ready = on_ready;
	shell->on_gone = on_gone;
	shell->on_failed = on_failed;
	if (!id)
		err_set(&err, 0, NULL, "no session is left on this connection");
	if (!id || shell_start(shell, id, console->interactive, &terms, &err) < 0)
		candidate_failed_by(console, &err);
}

/* Once its folder is known to be there. */
static void prepare_shell(struct console *console, struct peer *peer)
{
	console->look.owner = console;
	console->look.on_done = start_shell;
	look_at_guest(&console->look, &peer->client, &console->wanted, console->interactive);
}

static void on_greeted(struct client *client)
{
	struct console *console = client->owner;
	struct peer *peer = peer_of(client);

	if (peer == console->candidate_peer)
		prepare_shell(console, peer);
}

static void on_lost(struct client *client, const struct err *err)
{
	struct console *console = client->owner;
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];

	if (peer_of(client) == console->peer)
		console_finish(console, EXIT_FAILED, err_sentence(err, words, sizeof(words)));
	else if (peer_of(client) == console->candidate_peer)
		candidate_failed_by(console, err);
}

static void on_unanswered(struct client *client, enum patience_step step)
{
	struct console *console = client->owner;

	if (console->finished || peer_of(client) != console->peer)
		return;
	if (step == PATIENCE_END)
		console_die_of(console, client->patience.signal);
	else if (!console->guest.quiet)
		console_say_unanswered(console, client);
}

static void on_frame(struct client *client, const struct frame *frame)
{
	struct console *console = client->owner;
	struct side *sides[] = {&console->check, &console->complete, &console->killer};
	struct msg_envelope envelope;

	if (console->finished || msg_open(frame, &envelope) < 0)
		return;
	if (peer_of(client) == console->candidate_peer &&
	    look_on_frame(&console->look, frame, &envelope))
		return;
	for (size_t i = 0; i < 2; i++) {
		struct shell *shell = &console->shells[i];

		if (shell->state != SHELL_NONE && shell->client == client &&
		    shell->id == frame->id) {
			shell_on_frame(shell, &envelope);
			return;
		}
	}
	if (peer_of(client) != console->peer)
		return;
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		if (sides[i]->id == frame->id) {
			side_on_frame(sides[i], &envelope);
			return;
		}
	}
	if (console->program.id == frame->id)
		program_on_frame(console, &envelope);
}

/* Not while others wait to be sent: what a window is dragged through is nobody's matter. */
static void tell_size(struct console *console, struct client *client)
{
	struct msg_exec_resize size;

	if (!console->resized || link_unsent(&client->link))
		return;
	console->resized = false;
	size = peer_size(client);
	for (size_t i = 0; i < 2; i++)
		if (console->shells[i].client == client)
			shell_resize(&console->shells[i], &size);
	program_resize(console, &size);
}

/*
 * Our reader is gone: what runs is to learn it as it would locally. A terminal that is gone is no
 * reader of anything.
 */
static void close_output(struct console *console, const struct stream *stream, bool *closed,
			 enum msg_stream which)
{
	struct client *client = &console->peer->client;

	if (!stream->gone || *closed || !console_has_shell(console) || console->finished)
		return;
	*closed = true;
	if (stream->is_terminal) {
		console_die_of(console, SIGHUP);
		return;
	}
	/* Its shell's one terminal cannot lose its output alone. */
	if (console->interactive) {
		console_finish(console, 128 + SIGPIPE, NULL);
		return;
	}
	if (client->features & MSG_FEATURE_OUTPUT_CLOSE) {
		msg_put_output_close(&client->link.out, console->shell->id, which);
		client_mark(client);
	} else {
		shell_signal(console->shell, SIGPIPE);
		console_finish(console, 128 + SIGPIPE, NULL);
	}
}

static bool on_turn(struct client *client)
{
	struct console *console = client->owner;
	size_t waiting = buf_len(&console->out.queue) + buf_len(&console->err.queue);

	for (size_t i = 0; i < 2; i++)
		if (console->shells[i].client == client)
			shell_on_turn(&console->shells[i], waiting);
	if (peer_of(client) == console->peer) {
		close_output(console, &console->out, &console->out_closed, MSG_STREAM_STDOUT);
		close_output(console, &console->err, &console->err_closed, MSG_STREAM_STDERR);
		tell_size(console, client);
		program_on_turn(console);
	}
	return waiting < OUTPUT_AHEAD;
}

/* ---- candidates ---- */

static void connect_to(struct console *console, const char *address)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer && address)
		peer->address = strdup(address);
	if (!peer || (address && !peer->address)) {
		free(peer);
		candidate_failed(console, EXIT_FAILED, "no memory");
		return;
	}
	peer->client.owner = console;
	peer->client.on_greeted = on_greeted;
	peer->client.on_frame = on_frame;
	peer->client.on_lost = on_lost;
	peer->client.on_unanswered = on_unanswered;
	peer->client.on_turn = on_turn;
	peer->client.connect_ms = console->guest.connect_ms;
	/* The guest may still be on its way when the console starts; a name that is typed has to be right. */
	peer->client.wait_ms = console->peer ? 0 : console->guest.wait_ms;
	peer->client.from = console->peer ? NULL : opts_endpoint_variable(&console->guest);
	peer->client.liveness.limit_ms = console->guest.keepalive_ms;
	console->candidate_peer = peer;
	client_connect(&peer->client, &console->loop, peer->address, &console->spare);
}

void candidate_start(struct console *console, const char *address, bool connect,
		     const struct opts *wanted)
{
	bool second = console->shell == &console->shells[0];

	console->wanted = *wanted;
	console->candidate = &console->shells[second];
	if (connect) {
		connect_to(console, address);
		return;
	}
	console->candidate_peer = console->peer;
	prepare_shell(console, console->peer);
}

void candidate_drop(struct console *console)
{
	struct peer *peer = console->candidate_peer;

	if (console->candidate && console->candidate->state != SHELL_NONE) {
		shell_signal(console->candidate, SIGHUP);
		shell_end(console->candidate);
	}
	console->candidate = NULL;
	console->candidate_peer = NULL;
	look_cancel(&console->look);
	env_release(&console->carried);
	free(console->candidate_user);
	console->candidate_user = NULL;
	if (peer && peer != console->peer)
		retire(console, peer);
}
