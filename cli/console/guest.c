/* The guest of the console: see guest.h. */
#include "guest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/exit.h"
#include "parting.h"
#include "shared/base.h"
#include "shared/log.h"
#include "shared/names.h"

#define RECONNECT_MS 60000	   /* if nothing else is said */
#define OUTPUT_AHEAD (1024 * 1024) /* of an agent without credit */

/* A shell that is ended, and by whose connection. */
struct farewell {
	struct parting parting;
	struct peer *peer; /* not owned */
	struct loop_grave grave;
};

static struct peer *peer_of(struct client *client)
{
	return container_of(client, struct peer, client);
}

static void peer_free(struct peer *peer)
{
	client_release(&peer->client);
	if (peer->owned)
		opts_release(&peer->opts);
	free(peer);
}

/* Only after the batch, as one of its callbacks may be what calls us. */
static void on_grave(struct loop_grave *grave)
{
	peer_free(container_of(grave, struct peer, grave));
}

static void bury(struct guest *guest, struct peer *peer)
{
	list_remove(&guest->retired, &peer->of_guest);
	client_abandon(&peer->client);
	loop_bury(guest->loop, &peer->grave, on_grave);
}

static void retire(struct guest *guest, struct peer *peer)
{
	peer->retired = true;
	list_append(&guest->retired, &peer->of_guest);
	if (!peer->partings)
		bury(guest, peer);
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

/* ---- the end of a shell ---- */

static void free_farewell(struct loop_grave *grave)
{
	free(container_of(grave, struct farewell, grave));
}

static void on_parted(struct parting *parting)
{
	struct farewell *farewell = container_of(parting, struct farewell, parting);
	struct guest *guest = parting->owner;
	struct peer *peer = farewell->peer;

	loop_bury(guest->loop, &farewell->grave, free_farewell);
	peer->partings--;
	guest->partings--;
	if (peer->retired && !peer->partings)
		bury(guest, peer);
	if (guest->leaving && !guest->partings)
		guest->on_left(guest->owner);
}

/* False: there is no memory to see to it. */
static bool part(struct guest *guest, struct shell *shell)
{
	/* -fanalyzer: no leak, it goes when what is in it has parted (on_parted) */
	struct farewell *farewell = calloc(1, sizeof(*farewell));

	if (!farewell)
		return false;
	farewell->peer = peer_of(shell->remote.session.client);
	farewell->parting.owner = guest;
	farewell->parting.on_done = on_parted;
	farewell->peer->partings++;
	guest->partings++;
	parting_begin(&farewell->parting, &shell->remote);
	shell_release(shell);
	return true;
}

static void hang_up(struct guest *guest, struct shell *shell)
{
	if (shell->keeps && remote_runs(&shell->remote) && part(guest, shell))
		return;
	remote_signal(&shell->remote, SIGHUP);
	remote_end_input(&shell->remote);
	remote_flush(&shell->remote);
	shell_release(shell);
}

/* It goes on without us: there is no way to it. */
static void leave_behind(struct guest *guest)
{
	char words[64];

	guest_way_back(guest, words, sizeof(words));
	log_warn("the shell at %s goes on: %s", guest_client(guest)->name, words);
	shell_release(guest->shell);
}

void guest_way_back(const struct guest *guest, char *out, size_t len)
{
	bool kept = guest_has_shell(guest) && guest->shell->remote.id[0];

	snprintf(out, len, kept ? "msb-exec --attach %s comes back to the shell" : "%s",
		 kept ? guest->shell->remote.id : "");
}

/* Of an agent that does not answer nothing is waited for; it may hear of it later. */
static void take_leave(struct guest *guest, struct shell *shell)
{
	struct client *client = shell->remote.session.client;

	if (client->lost)
		return;
	if (!client->patience.said) {
		part(guest, shell);
		return;
	}
	remote_signal(&shell->remote, SIGHUP);
	link_flush(&client->link);
}

bool guest_leave(struct guest *guest)
{
	bool stays = guest->opts.has_on_disconnect;

	for (size_t i = 0; i < 2; i++) {
		struct shell *shell = &guest->shells[i];

		if (shell->state == SHELL_NONE)
			continue;
		if (shell->keeps && remote_runs(&shell->remote) &&
		    !(stays && shell == guest->shell))
			take_leave(guest, shell);
		shell_release(shell);
	}
	guest->leaving = true;
	return guest->partings > 0;
}

/* ---- what the shells say ---- */

static uint64_t reconnect_ms(const struct opts *opts)
{
	return opts->has_reconnect ? opts->reconnect_ms : RECONNECT_MS;
}

void guest_use(struct guest *guest, const struct opts *opts)
{
	guest->opts = *opts;
	/* A prompt has no end. */
	guest->opts.timeout_ms = 0;
	guest->reconnect_ms = reconnect_ms(opts);
}

/* A guest with a name says by its line who one is there. */
static void move(struct guest *guest, const struct peer *peer)
{
	if (peer->opts.guest) {
		free(guest->user);
		guest->user = NULL;
	}
	guest_use(guest, &peer->opts);
}

/* The candidate is ready: what was before it is over. */
static void adopt(struct guest *guest)
{
	struct shell *old = guest->shell;

	if (old && old->state != SHELL_NONE && old->away)
		leave_behind(guest);
	else if (old && old->state != SHELL_NONE)
		hang_up(guest, old);
	guest->shell = guest->candidate;
	guest->candidate = NULL;
	guest->way = GUEST_CONNECTED;
	guest->asked = false;
	if (guest->peer && guest->peer != guest->candidate_peer) {
		move(guest, guest->candidate_peer);
		retire(guest, guest->peer);
	}
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

static void run_shell(struct guest *guest);

static void on_failed(void *owner, const char *why)
{
	struct guest *guest = owner;
	struct shell *shell = guest->candidate;

	/* It may keep no more sessions. */
	if (shell && shell->state == SHELL_NONE && shell->keeps &&
	    !guest->wanted.has_on_disconnect && shell->failure == MSG_FAILURE_RESOURCE_LIMIT) {
		log_info("%s; the shell ends with the connection", why);
		guest->wanted.on_disconnect = MSG_DISCONNECT_KILL;
		run_shell(guest);
		return;
	}
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

static void on_back(void *owner, uint64_t missed)
{
	struct guest *guest = owner;
	bool asked = guest->asked;

	guest->way = GUEST_CONNECTED;
	guest->asked = false;
	/* The one try that was asked for is no time to go by. */
	if (asked)
		guest->due_ms = 0;
	guest->on_back(guest->owner, missed, asked);
}

static void on_forgotten(void *owner, const char *why)
{
	struct guest *guest = owner;
	bool asked = guest->asked;

	guest->way = GUEST_CONNECTED;
	guest->asked = false;
	guest->on_forgotten(guest->owner, why, asked);
}

static void on_broken(void *owner, struct shell *shell)
{
	static const char *const why = "no memory for what it is told and says";
	struct guest *guest = owner;

	hang_up(guest, shell);
	if (shell == guest->candidate)
		guest->on_failed(guest->owner, EXIT_FAILED, "no memory for the guest's shell");
	else
		on_forgotten(guest, why);
}

/* ---- what the connections say ---- */

/* A private agent ends with us, and what it runs does, too. */
static bool goes_on(const struct peer *peer)
{
	const char *address = peer->opts.endpoint;

	return reconnect_ms(&peer->opts) && !(address && strcmp(address, "local:") == 0);
}

static void run_shell(struct guest *guest)
{
	struct shell *shell = guest->candidate;
	bool keeps = guest->wanted.on_disconnect == MSG_DISCONNECT_KEEP;
	uint64_t hold_ms = keeps ? reconnect_ms(&guest->wanted) : 0;
	struct remote_terms terms = {
		.tty = true, .term = guest->look.term, .hold_ms = hold_ms, .retains = hold_ms};
	struct err err;

	shell->loop = guest->loop;
	shell->owner = guest;
	shell->sink = guest->sink;
	shell->on_ready = on_ready;
	shell->on_gone = on_gone;
	shell->on_failed = on_failed;
	shell->on_back = on_back;
	shell->on_forgotten = on_forgotten;
	shell->on_broken = on_broken;
	if (shell_start(shell, &guest->candidate_peer->client, &guest->wanted, guest->wanted.shell,
			&terms, &err) < 0)
		candidate_failed(guest, &err);
}

static void start_shell(struct look *look, const struct err *failure)
{
	struct guest *guest = look->owner;

	if (failure) {
		candidate_failed(guest, failure);
		return;
	}
	if (!guest->wanted.has_on_disconnect && goes_on(guest->candidate_peer) &&
	    guest->candidate_peer->client.agent.features & MSG_FEATURE_SESSIONS)
		guest->wanted.on_disconnect = MSG_DISCONNECT_KEEP;
	run_shell(guest);
}

/* Once its folder is known to be there. */
static void prepare_shell(struct guest *guest)
{
	guest->look.owner = guest;
	guest->look.on_done = start_shell;
	look_at_guest(&guest->look, &guest->candidate_peer->client, &guest->wanted, true);
}

static void end_orphan(struct guest *guest)
{
	struct client *client = guest_client(guest);
	struct msg_session_signal end = {.session = {guest->orphan, strlen(guest->orphan)},
					 .signal = SIGHUP};

	if (guest->orphan[0])
		msg_put(link_out(&client->link), client_take_id(client), MSG_SESSION_SIGNAL, &end);
	guest->orphan[0] = '\0';
}

static void resume(struct guest *guest)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];
	struct err err;

	if (shell_resume(guest->shell, guest_client(guest), &err) == 0) {
		end_orphan(guest);
		return;
	}
	shell_release(guest->shell);
	on_forgotten(guest, err_sentence(&err, words, sizeof(words)));
}

/* What is left of the time to try. */
static uint64_t left_ms(const struct guest *guest)
{
	uint64_t now = loop_now_ms();

	if (guest->due_ms == DURATION_INFINITE)
		return DURATION_INFINITE;
	return guest->due_ms > now ? guest->due_ms - now : 0;
}

static void begin_trying(struct guest *guest)
{
	bool stopped = guest->candidate_peer == guest->peer;

	guest->way = GUEST_TRYING;
	/* An agent that takes us back and goes at once, again and again, has the time of one loss. */
	if (!guest->due_ms || !remote_was_brief(&guest->shell->remote))
		guest->due_ms = guest->reconnect_ms == DURATION_INFINITE
					? DURATION_INFINITE
					: loop_now_ms() + guest->reconnect_ms;
	if (stopped && guest->candidate->state != SHELL_NONE)
		memcpy(guest->orphan, guest->candidate->remote.id, sizeof(guest->orphan));
	if (stopped)
		guest_drop_candidate(guest);
	guest->on_away(guest->owner, stopped);
}

static void give_up(struct guest *guest, const struct err *err)
{
	char words[ERR_TEXT_MAX + 64 + ERR_HINT_MAX];

	if (!guest->asked) {
		guest->on_lost(guest->owner, err);
		return;
	}
	guest->way = GUEST_AWAY;
	guest->asked = false;
	guest->on_unreached(guest->owner, err_sentence(err, words, sizeof(words)));
}

/* The connection in use; or a try to get it back was the last, or came as far as a greeting. */
static void lose(struct guest *guest, const struct err *err)
{
	struct client *client = guest_client(guest);
	bool was_greeted = client->greeted, first = guest->way == GUEST_CONNECTED;

	if (first && !(goes_on(guest->peer) && guest->shell && shell_suspend(guest->shell))) {
		guest->on_lost(guest->owner, err);
		return;
	}
	shell_suspend(guest->shell);
	if (first)
		begin_trying(guest);
	/* Whoever heard of it may have left. */
	if (guest->way != GUEST_TRYING)
		return;
	if (was_greeted && left_ms(guest))
		client_reconnect(client, left_ms(guest));
	else
		give_up(guest, err);
}

void guest_stop(struct guest *guest)
{
	shell_suspend(guest->shell);
	client_abandon(guest_client(guest));
	guest_mark(guest);
	guest->way = GUEST_AWAY;
	guest->asked = false;
}

void guest_return(struct guest *guest)
{
	guest->asked = true;
	if (guest->way == GUEST_TRYING)
		return;
	guest->way = GUEST_TRYING;
	guest->due_ms = loop_now_ms();
	client_reconnect(guest_client(guest), 0);
}

static void on_greeted(struct client *client)
{
	struct guest *guest = client->owner;

	if (peer_of(client) == guest->peer)
		resume(guest);
	else if (peer_of(client) == guest->candidate_peer)
		prepare_shell(guest);
}

static void on_lost(struct client *client, const struct err *err)
{
	struct guest *guest = client->owner;

	if (peer_of(client)->retired || guest->leaving)
		client_abandon(client);
	else if (peer_of(client) == guest->peer)
		lose(guest, err);
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

static void connect_peer(struct guest *guest, struct peer *peer, const struct reach_terms *terms)
{
	struct client *client = &peer->client;

	choose_candidate(guest, &peer->opts);
	client->owner = guest;
	client->on_greeted = on_greeted;
	client->on_lost = on_lost;
	client->on_unanswered = on_unanswered;
	client->on_turn = on_turn;
	client->waiting = waiting;
	guest->candidate_peer = peer;
	client_connect(client, guest->loop, terms, peer->opts.keepalive_ms, guest->spare);
}

static struct peer *new_peer(struct guest *guest, const struct opts *opts)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct err err;

	if (peer) {
		peer->opts = *opts;
		peer->opts.timeout_ms = 0;
		return peer;
	}
	choose_candidate(guest, &guest->opts);
	err_set(&err, 0, NULL, "no memory");
	candidate_failed(guest, &err);
	return NULL;
}

void guest_connect(struct guest *guest)
{
	struct reach_terms terms = reach_terms_of(&guest->opts);
	struct peer *peer = new_peer(guest, &guest->opts);

	if (peer)
		connect_peer(guest, peer, &terms);
}

void guest_move(struct guest *guest, const struct opts *opts)
{
	struct reach_terms terms = reach_terms_of(opts);
	struct peer *peer = new_peer(guest, opts);

	if (!peer) {
		struct opts taken = *opts;

		opts_release(&taken);
		return;
	}
	peer->owned = true;
	if (!opts->guest && guest->user)
		peer->opts.user = guest->user;
	/* The guest may still be on its way when the console starts; a name that is typed has to be right. */
	terms.wait_ms = 0;
	terms.from = NULL;
	connect_peer(guest, peer, &terms);
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

int guest_become(struct guest *guest, const char *user, struct env_list *env)
{
	struct opts wanted = guest->opts;

	/* Only for a shell that comes does the user stay. */
	guest->candidate_user = strdup(user);
	/* No user at all would be the agent's own, root perhaps. */
	if (!guest->candidate_user)
		return -ENOMEM;
	guest->carried = *env;
	*env = (struct env_list){0};
	wanted.user = guest->candidate_user;
	wanted.workdir = guest->shell->cwd;
	wanted.env = guest->carried;
	start_beside(guest, &wanted);
	return 0;
}

void guest_drop_candidate(struct guest *guest)
{
	struct peer *peer = guest->candidate_peer;

	look_cancel(&guest->look);
	if (guest->candidate && guest->candidate->state != SHELL_NONE)
		hang_up(guest, guest->candidate);
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
	struct peer *peer, *next;

	look_cancel(&guest->look);
	for (size_t i = 0; i < 2; i++)
		if (guest->shells[i].loop)
			shell_release(&guest->shells[i]);
	list_each_safe(peer, next, &guest->retired, of_guest) {
		peer->retired = false;
		peer_free(peer);
	}
	guest->retired = (struct list){0};
	if (guest->candidate_peer && guest->candidate_peer != guest->peer)
		peer_free(guest->candidate_peer);
	if (guest->peer)
		peer_free(guest->peer);
	guest->peer = guest->candidate_peer = NULL;
	env_release(&guest->carried);
	free(guest->user);
	free(guest->candidate_user);
}
