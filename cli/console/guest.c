/* The guest of the console: see guest.h. */
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/exit.h"
#include "shared/base.h"
#include "shared/log.h"
#include "shared/names.h"

#define OUTPUT_AHEAD (1024 * 1024) /* of an agent without credit */

static struct peer *peer_of(struct client *client)
{
	return container_of(client, struct peer, client);
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
	peer_free(container_of(grave, struct peer, grave));
}

static void retire(struct guest *guest, struct peer *peer)
{
	client_abandon(&peer->client);
	loop_bury(guest->loop, &peer->grave, on_grave);
}

void guest_mark(struct guest *guest)
{
	if (guest->peer)
		client_mark(&guest->peer->client);
	if (guest->candidate_peer)
		client_mark(&guest->candidate_peer->client);
}

void guest_resized(struct guest *guest)
{
	guest->resized = true;
	guest_mark(guest);
}

bool guest_has_shell(const struct guest *guest)
{
	return guest->shell && guest->shell->state != SHELL_NONE;
}

void guest_ask(struct guest *guest, struct side *side, struct side_terms terms)
{
	terms.opts = &guest->opts;
	terms.beside = guest->shell->remote.pid;
	side_start(side, guest_client(guest), &terms);
}

/* ---- what the shells say ---- */

static void hang_up(struct shell *shell)
{
	remote_signal(&shell->remote, SIGHUP);
	remote_end_input(&shell->remote);
	remote_flush(&shell->remote);
	shell_release(shell);
}

/* The candidate is ready: what was before it is over. */
static void adopt(struct guest *guest)
{
	struct shell *old = guest->shell;

	guest->shell = guest->candidate;
	guest->candidate = NULL;
	if (old && old->state != SHELL_NONE)
		hang_up(old);
	if (guest->peer && guest->peer != guest->candidate_peer)
		retire(guest, guest->peer);
	guest->peer = guest->candidate_peer;
	guest->candidate_peer = NULL;
	/* The window may have changed since its shell was told. */
	guest_resized(guest);
	/* Its folder was for the first one. */
	guest->opts.workdir = NULL;
	env_release(&guest->carried);
	if (guest->candidate_user) {
		free(guest->user);
		guest->user = guest->candidate_user;
		guest->candidate_user = NULL;
		guest->opts.user = guest->user;
	}
	guest->shell->opts = &guest->opts;
}

static void on_ready(void *owner)
{
	struct guest *guest = owner;
	bool is_new = guest->candidate && guest->candidate->state == SHELL_READY;

	if (is_new)
		adopt(guest);
	guest->on_ready(guest->owner, is_new);
}

/* A line has room for what to do about it. */
static void candidate_failed(struct guest *guest, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];

	guest->on_failed(guest->owner, EXIT_FAILED, err_sentence(err, words, sizeof(words)));
}

static void on_failed(void *owner, const char *why)
{
	struct guest *guest = owner;

	guest->on_failed(guest->owner, EXIT_FAILED, why);
}

static void ended_early(struct guest *guest, int code, int signal)
{
	char *said = guest->candidate->said, words[400];
	size_t len = strlen(said);

	/* Its last line may say why. */
	while (len && strchr("\r\n", said[len - 1]))
		said[--len] = '\0';
	for (char *newline; (newline = strpbrk(said, "\r\n"));)
		said = newline + 1;
	log_clean(said, strlen(said));
	if (signal)
		snprintf(words, sizeof(words), "the guest's shell was killed by SIG%s",
			 signal_name(signal) ? signal_name(signal) : "?");
	else
		snprintf(words, sizeof(words), "the guest's shell ended before it was ready%s%s",
			 said[0] ? ": " : "", said);
	guest->on_failed(guest->owner, signal ? 128 + signal : code ? code : EXIT_FAILED, words);
}

static void on_gone(void *owner, int code, int signal)
{
	struct guest *guest = owner;

	if (guest->candidate && guest->candidate->state == SHELL_NONE &&
	    guest->candidate->remote.pid)
		ended_early(guest, code, signal);
	else if (guest->shell && guest->shell->state == SHELL_NONE)
		guest->on_gone(guest->owner, code, signal);
}

/* ---- what the connections say ---- */

static void start_shell(struct look *look, const struct err *failure)
{
	struct guest *guest = look->owner;
	struct shell *shell = guest->candidate;
	struct remote_terms terms = {.tty = true, .term = look->term};
	struct err err;

	if (failure) {
		candidate_failed(guest, failure);
		return;
	}
	shell->loop = guest->loop;
	shell->owner = guest;
	shell->sink = guest->sink;
	shell->on_ready = on_ready;
	shell->on_gone = on_gone;
	shell->on_failed = on_failed;
	if (shell_start(shell, &guest->candidate_peer->client, &guest->wanted, guest->command,
			&terms, &err) < 0)
		candidate_failed(guest, &err);
}

/* Once its folder is known to be there. */
static void prepare_shell(struct guest *guest)
{
	guest->look.owner = guest;
	guest->look.on_done = start_shell;
	look_at_guest(&guest->look, &guest->candidate_peer->client, &guest->wanted, true);
}

static void on_greeted(struct client *client)
{
	struct guest *guest = client->owner;

	if (peer_of(client) == guest->candidate_peer)
		prepare_shell(guest);
}

static void on_lost(struct client *client, const struct err *err)
{
	struct guest *guest = client->owner;

	if (peer_of(client) == guest->peer)
		guest->on_lost(guest->owner, err);
	else if (peer_of(client) == guest->candidate_peer)
		candidate_failed(guest, err);
}

static void on_unanswered(struct client *client, enum patience_step step)
{
	struct guest *guest = client->owner;

	if (peer_of(client) == guest->peer)
		guest->on_unanswered(guest->owner, step);
}

/* Not while others wait to be sent: what a window is dragged through is nobody's matter. */
static void tell_size(struct guest *guest, struct client *client)
{
	if (!guest->resized || link_unsent(&client->link))
		return;
	guest->resized = false;
	remote_tell_all(client);
}

static size_t waiting(struct client *client, const struct client_session *session)
{
	struct guest *guest = client->owner;

	(void)session;
	return guest->waiting(guest->owner);
}

static bool on_turn(struct client *client)
{
	struct guest *guest = client->owner;

	if (peer_of(client) == guest->peer)
		tell_size(guest, client);
	return guest->waiting(guest->owner) < OUTPUT_AHEAD;
}

/* ---- candidates ---- */

static void choose_candidate(struct guest *guest, const struct opts *wanted)
{
	bool second = guest->shell == &guest->shells[0];

	guest->wanted = *wanted;
	guest->candidate = &guest->shells[second];
	remote_release(&guest->candidate->remote);
}

void guest_connect(struct guest *guest, const char *address)
{
	struct reach_terms terms = {.connect_ms = guest->opts.connect_ms};
	struct peer *peer = calloc(1, sizeof(*peer));
	struct err err;
	struct client *client;

	choose_candidate(guest, &guest->opts);
	if (peer && address)
		peer->address = strdup(address);
	if (!peer || (address && !peer->address)) {
		free(peer);
		err_set(&err, 0, NULL, "no memory");
		candidate_failed(guest, &err);
		return;
	}
	client = &peer->client;
	client->owner = guest;
	client->on_greeted = on_greeted;
	client->on_lost = on_lost;
	client->on_unanswered = on_unanswered;
	client->on_turn = on_turn;
	client->waiting = waiting;
	/* The guest may still be on its way when the console starts; a name that is typed has to be right. */
	if (!guest->peer) {
		terms.wait_ms = guest->opts.wait_ms;
		terms.from = opts_endpoint_variable(&guest->opts);
	}
	terms.address = peer->address;
	guest->candidate_peer = peer;
	client_connect(client, guest->loop, &terms, guest->opts.keepalive_ms, guest->spare);
}

static void start_beside(struct guest *guest, const struct opts *wanted)
{
	choose_candidate(guest, wanted);
	guest->candidate_peer = guest->peer;
	prepare_shell(guest);
}

void guest_restart(struct guest *guest, const char *folder)
{
	struct opts wanted = guest->opts;

	wanted.workdir = folder;
	start_beside(guest, &wanted);
}

void guest_become(struct guest *guest, const char *user, struct env_list *env)
{
	struct opts wanted = guest->opts;

	/* Only for a shell that comes does the user stay. */
	guest->candidate_user = strdup(user);
	guest->carried = *env;
	*env = (struct env_list){0};
	wanted.user = guest->candidate_user;
	wanted.workdir = guest->shell->cwd;
	wanted.env = guest->carried;
	start_beside(guest, &wanted);
}

void guest_drop_candidate(struct guest *guest)
{
	struct peer *peer = guest->candidate_peer;

	look_cancel(&guest->look);
	if (guest->candidate && guest->candidate->state != SHELL_NONE)
		hang_up(guest->candidate);
	guest->candidate = NULL;
	guest->candidate_peer = NULL;
	env_release(&guest->carried);
	free(guest->candidate_user);
	guest->candidate_user = NULL;
	if (peer && peer != guest->peer)
		retire(guest, peer);
}

void guest_release(struct guest *guest)
{
	look_cancel(&guest->look);
	for (size_t i = 0; i < 2; i++)
		if (guest->shells[i].loop)
			shell_release(&guest->shells[i]);
	if (guest->candidate_peer && guest->candidate_peer != guest->peer)
		peer_free(guest->candidate_peer);
	if (guest->peer)
		peer_free(guest->peer);
	guest->peer = guest->candidate_peer = NULL;
	env_release(&guest->carried);
	free(guest->user);
	free(guest->candidate_user);
}
