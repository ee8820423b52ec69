/* A connection to an agent: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/options/hint.h"
#include "shared/base.h"

#define OUT_MAX	    (FRAME_WIRE_MAX + 1024 * 1024) /* a whole request, and input behind it */
#define ENDING_MS   1000 /* from the end of its stream to that of a process */
#define PATIENCE_MS 4000 /* the same, once more: a daemon gives its commands 2 s */

/* ---- what is lost ---- */

/* Told once; before the greeting the way to it decides whether it is tried again. */
static void lose(struct client *client, const struct err *err)
{
	if (client->lost)
		return;
	client->lost = true;
	client_mark(client);
	if (client->greeted) {
		client->on_lost(client, err);
		return;
	}
	loop_disarm(client->loop, &client->deadline);
	reach_fail(&client->reach, err);
}

static void on_failed(struct reach *reach, const struct err *err)
{
	struct client *client = container_of(reach, struct client, reach);

	client->lost = true;
	client->on_lost(client, err);
}

static bool quote(struct client *client, char *out, size_t len)
{
	return client->linked && !client->greeted &&
	       greeting_quote(link_in(&client->link), out, len);
}

static void say_ended(struct client *client, const char *how, int status)
{
	char said[GREETING_QUOTE_LEN + 32] = "", text[GREETING_QUOTE_LEN];
	struct err err;

	if (quote(client, text, sizeof(text)))
		snprintf(said, sizeof(said), "; it said \"%s\"", text);
	if (client->greeted) {
		err_set(&err, 0, NULL, "lost the connection to %s: %s%s", client->name,
			how ? "it ended with " : "the agent closed it", how ? how : "");
	} else if (how) {
		err_set(&err, 0, NULL, "%s ended with %s before an agent answered%s", client->name,
			how, said);
		if (status >= 0)
			hint_greeting(&client->reach.dial.endpoint, status, &err);
	} else {
		err_set(&err, 0, NULL, "%s closed the connection at once%s", client->name, said);
		err_hint(&err, "may uid %u connect? msb-execd --allow-uid lets it", geteuid());
	}
	lose(client, &err);
}

static void stop_waiting(struct client *client)
{
	int fd = client->ending.fd;

	if (fd < 0)
		return;
	loop_disarm(client->loop, &client->deadline);
	loop_remove(client->loop, &client->ending);
	close(fd);
}

static void on_process_ended(struct loop_source *source, uint32_t ready)
{
	struct client *client = container_of(source, struct client, ending);
	char words[64];
	int status;

	(void)ready;
	stop_waiting(client);
	if (waitpid(client->process, &status, WNOHANG) != client->process) {
		say_ended(client, NULL, -1);
		return;
	}
	client->process = 0;
	say_ended(client, process_words(status, words, sizeof(words)),
		  WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* The agent ended the stream; if a process carried it, how that ended is waited for a moment. */
static void lose_ended(struct client *client, int error)
{
	struct err err;
	int fd;

	if (client->lost)
		return;
	/* What was not sent goes nowhere, and its end would be there to be read for ever. */
	link_stop(&client->link);
	if (error && client->process <= 0) {
		err_set(&err, error, NULL, "lost the connection to %s", client->name);
		lose(client, &err);
		return;
	}
	/* From Linux 5.3 on; without it the line says a little less. */
	fd = client->process > 0 ? (int)syscall(SYS_pidfd_open, client->process, 0) : -1;
	if (fd < 0) {
		say_ended(client, NULL, -1);
		return;
	}
	loop_source_init(&client->ending, fd, on_process_ended);
	loop_want(client->loop, &client->ending, LOOP_IN);
	loop_arm(client->loop, &client->deadline, ENDING_MS);
}

static void on_deadline(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, deadline);
	char text[GREETING_QUOTE_LEN];
	struct err err;

	if (client->ending.fd >= 0) {
		stop_waiting(client);
		say_ended(client, NULL, -1);
		return;
	}
	if (quote(client, text, sizeof(text)))
		err_set(&err, ETIMEDOUT, NULL, "no greeting from %s, which said \"%s\"",
			client->name, text);
	else
		err_set(&err, ETIMEDOUT, NULL, "%s %s",
			client->greeted ? "no answer from" : "no greeting from", client->name);
	/* It is in the background, and what reads or sets a terminal there the kernel stops. */
	if (client->process > 0 && process_is_stopped(client->process))
		err_hint(&err, "it was stopped, maybe because it asks for a password, and the "
			       "terminal is the command's; use a key");
	else if (!client->greeted)
		hint_greeting(&client->reach.dial.endpoint, -1, &err);
	lose(client, &err);
}

void client_expect(struct client *client, uint64_t within_ms)
{
	loop_arm(client->loop, &client->deadline, within_ms);
}

/* ---- sessions ---- */

void client_add(struct client *client, struct client_session *session, uint32_t id,
		const struct client_session_calls *calls)
{
	*session = (struct client_session){.client = client, .id = id, .calls = calls};
	list_append(&client->sessions, &session->of_client);
}

void client_remove(struct client_session *session)
{
	struct client *client = session->client;

	if (!client)
		return;
	list_remove(&client->sessions, &session->of_client);
	if (client->body_of == session)
		client->body_of = NULL;
	session->client = NULL;
	/* In the turn of one before it: those behind it wait for the next. */
	client_mark(client);
}

static void drop(struct client *client)
{
	struct client_session *session;

	while ((session = list_first(&client->sessions, struct client_session, of_client))) {
		client_remove(session);
		if (session->calls->on_dropped)
			session->calls->on_dropped(session);
	}
}

void client_abandon(struct client *client)
{
	drop(client);
	reach_cancel(&client->reach);
	client->lost = true;
}

static bool has_id(const struct client *client)
{
	return client->greeted &&
	       (!client->agent.ids_end || client->agent.ids_end - client->last_id > 1);
}

uint32_t client_take_id(struct client *client)
{
	return has_id(client) ? ++client->last_id : 0;
}

/* ---- a sign of life, which is asked for when nothing has come for long ---- */

/* It knows pings, and an id is left for one. */
static bool can_ask(const struct client *client)
{
	return client->agent.generation >= MSG_GENERATION_PING && has_id(client);
}

/* The id of the answer, or 0. */
static uint32_t ping(struct client *client)
{
	uint32_t id = can_ask(client) ? client_take_id(client) : 0;

	if (!id || msg_put_empty(link_out(&client->link), id, MSG_PING) < 0)
		return 0;
	client_mark(client);
	return id;
}

static void on_alive(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, alive);
	struct liveness *liveness = &client->liveness;
	enum liveness_step step;
	uint64_t wait_ms;
	struct err err;

	if (!client->listens || client->may_be_stuck || (!liveness->asked && !can_ask(client)))
		liveness_heard(liveness, loop_now_ms());
	step = liveness_look(liveness, loop_now_ms(), &wait_ms);
	if (step == LIVENESS_LOST) {
		err_set(&err, 0, NULL,
			"lost the connection to %s: the agent has not answered for %g s",
			client->name, (double)liveness->limit_ms * 2 / 1e3);
		lose(client, &err);
		return;
	}
	/* The answer is not waited for: whatever comes is a sign of life. */
	if (step == LIVENESS_ASK)
		ping(client);
	loop_arm(client->loop, &client->alive, wait_ms);
}

static void put_off(struct client *client)
{
	if (client->liveness.limit_ms)
		liveness_heard(&client->liveness, loop_now_ms());
}

/* ---- the answer to a signal: patience decides, this is what it hears of the link ---- */

/* All that has come was read, and nothing more is there. */
static bool is_dry(const struct client *client)
{
	return client->listens && link_is_dry(&client->link);
}

static void put_off_patience(struct client *client)
{
	if (patience_runs(&client->patience))
		patience_deaf(&client->patience, loop_now_ms());
}

static void on_patience_due(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, patience_due);
	struct patience *patience = &client->patience;
	enum patience_step step;
	uint64_t wait_ms = 0;

	if (!patience_runs(patience) || client->lost)
		return;
	if (!client->listens)
		put_off_patience(client);
	patience->dry |= is_dry(client);
	step = patience_look(patience, loop_now_ms(), &wait_ms);
	if (step != PATIENCE_END)
		loop_arm(client->loop, &client->patience_due, wait_ms);
	if (step != PATIENCE_WAIT)
		client->on_unanswered(client, step);
}

bool client_signalled(struct client *client, int signal)
{
	struct patience *patience = &client->patience;
	bool runs = patience_runs(patience);

	if (!client->on_unanswered || !client->greeted || client->lost)
		return false;
	if (patience_signal(patience, signal, false, is_dry(client), loop_now_ms()) == PATIENCE_END)
		return true;
	if (runs)
		return false;
	/* The signal first, then the question: its answer says that both were read. */
	client->answer_id = ping(client);
	patience->asked = client->answer_id != 0;
	loop_arm(client->loop, &client->patience_due, PATIENCE_SILENT_MS);
	client->signal_end = link_queued(&client->link);
	return false;
}

bool client_typed(struct client *client, int signal)
{
	return can_ask(client) && client_signalled(client, signal);
}

static void settle_patience(struct client *client)
{
	if (patience_runs(&client->patience))
		return;
	client->answer_id = 0;
	loop_disarm(client->loop, &client->patience_due);
}

/*
 * What a command prints whose input nobody takes does not say that the agent reads what we send:
 * then only the answer counts, or, where there is none, what comes once the signal has gone out.
 */
static void on_read(struct link *link)
{
	struct client *client = container_of(link, struct client, link);

	put_off(client);
	if (!patience_runs(&client->patience) ||
	    (client->may_be_stuck && (client->answer_id || link_sent(link) < client->signal_end)))
		return;
	patience_heard(&client->patience, loop_now_ms());
	settle_patience(client);
}

void client_awake(struct client *client)
{
	put_off(client);
	put_off_patience(client);
}

/* ---- the greeting ---- */

/* What is no greeting: something else than an agent is there, and what it said tells what. */
static void lose_to_other(struct client *client, int num)
{
	char text[GREETING_QUOTE_LEN];
	struct err err;

	if (quote(client, text, sizeof(text)))
		err_set(&err, 0, NULL, "no agent answers at %s: it said \"%s\"", client->name,
			text);
	else
		err_set(&err, num, NULL, "no agent answers at %s", client->name);
	hint_greeting(&client->reach.dial.endpoint, -1, &err);
	reach_want_no_more(&client->reach);
	lose(client, &err);
}

/* An agent that has no room for us says so instead of being ready. */
static void lose_refused(struct client *client, struct msg_text why)
{
	struct err err;

	err_set(&err, 0, NULL, "%s refuses the connection%s%.*s", client->name, why.len ? ": " : "",
		(int)why.len, why.ptr);
	lose(client, &err);
}

static int on_bytes(struct link *link, struct buf *in)
{
	struct client *client = container_of(link, struct client, link);
	struct msg_error refusal;
	int r = greeting_take(in, &client->agent, &refusal);

	if (r == -ECONNREFUSED)
		lose_refused(client, refusal.message);
	else if (r < 0)
		lose_to_other(client, r == -EMSGSIZE || r == -EBADMSG ? EPROTO : -r);
	if (r <= 0)
		return 0;
	client->greeted = true;
	client->last_id = client->agent.id;
	link_take_raw(link, false);
	loop_disarm(client->loop, &client->deadline);
	put_off(client);
	if (client->liveness.limit_ms && client->agent.generation >= MSG_GENERATION_PING)
		loop_arm(client->loop, &client->alive, client->liveness.limit_ms);
	client->on_greeted(client);
	return 1;
}

/* ---- frames ---- */

static enum link_wish wish(struct link *link)
{
	struct client *client = container_of(link, struct client, link);
	struct client_session *session, *next;

	if (client->lost)
		return LINK_WAIT;
	if (!client->greeted)
		return LINK_TAKE;
	list_each_safe(session, next, &client->sessions, of_client)
		if (session->client && session->calls->on_turn)
			session->calls->on_turn(session);
	return client->on_turn(client) ? LINK_TAKE : LINK_WAIT;
}

static int on_frame(struct link *link, const struct frame *frame)
{
	struct client *client = container_of(link, struct client, link);
	struct client_session *session;
	struct msg_envelope envelope;

	if (client->answer_id && frame->id == client->answer_id) {
		patience_answered(&client->patience);
		settle_patience(client);
	}
	list_each(session, &client->sessions, of_client)
		if (session->id == frame->id)
			break;
	if (session && msg_open(frame, &envelope) == 0)
		session->calls->on_frame(session, &envelope);
	return 0;
}

static bool on_part(struct link *link, const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	struct client *client = container_of(link, struct client, link);
	struct client_session *session;

	list_each(session, &client->sessions, of_client)
		if (session->calls->on_part &&
		    session->calls->on_part(session, in, ret_head, ret_body))
			break;
	client->body_of = session;
	return session;
}

static ssize_t on_body(struct link *link, int fd, size_t len)
{
	struct client *client = container_of(link, struct client, link);
	char waste[4096];
	ssize_t n;

	if (client->body_of)
		return client->body_of->calls->on_body(client->body_of, fd, len);
	n = recv(fd, waste, len < sizeof(waste) ? len : sizeof(waste), MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static void on_flushed(struct link *link, bool emptied)
{
	(void)emptied;
	/* Its end, or what nobody takes, would be there to be read for ever. */
	if (container_of(link, struct client, link)->lost)
		link_stop(link);
}

/* The silence that counts begins where the link has been read dry. */
static void on_watched(struct link *link, bool reads)
{
	struct client *client = container_of(link, struct client, link);

	if (!reads || !client->listens)
		client_awake(client);
	client->listens = reads;
}

/* What the agent said before it went counts, its exit status above all: all that was taken by now. */
static void on_end(struct link *link, enum link_end how, int error)
{
	struct client *client = container_of(link, struct client, link);
	struct err err;

	if (how != LINK_SENSELESS) {
		lose_ended(client, error);
		return;
	}
	err_set(&err, EPROTO, NULL, "the frames make no sense from %s", client->name);
	lose(client, &err);
}

void client_mark(struct client *client)
{
	if (client->linked)
		link_mark(&client->link);
}

/* ---- life ---- */

static void on_stream(struct reach *reach, int fd, pid_t process)
{
	static const struct link_calls calls = {
		.wish = wish,
		.on_frame = on_frame,
		.on_bytes = on_bytes,
		.on_part = on_part,
		.on_body = on_body,
		.on_read = on_read,
		.on_flushed = on_flushed,
		.on_watched = on_watched,
		.on_end = on_end,
	};
	struct client *client = container_of(reach, struct client, reach);
	uint64_t left = reach_left_ms(reach);

	client->process = process;
	link_init(&client->link, client->loop, fd, fd, OUT_MAX, client->spare, &calls,
		  LINK_TO_THE_LAST);
	link_take_raw(&client->link, true);
	client->linked = true;
	client->lost = false;
	if (left != DIAL_FOREVER)
		loop_arm(client->loop, &client->deadline, left);
}

static void end_link(struct client *client)
{
	stop_waiting(client);
	if (client->linked)
		link_release(&client->link);
	client->linked = false;
}

/* The program that carried the last try ends beside the loop, which serves signals. */
static bool clear(struct reach *reach)
{
	struct client *client = container_of(reach, struct client, reach);

	end_link(client);
	if (client->process > 0)
		process_end_on(&client->old, client->loop, client->process, 0);
	client->process = 0;
	if (client->old.pid)
		return false;
	client->lost = false;
	return true;
}

void client_connect(struct client *client, struct loop *loop, const struct reach_terms *terms,
		    uint64_t keepalive_ms, struct buf_spare *spare)
{
	client->loop = loop;
	client->spare = spare;
	client->name = client->reach.name;
	client->liveness.limit_ms = keepalive_ms;
	client->deadline.on_due = on_deadline;
	client->alive.on_due = on_alive;
	client->patience_due.on_due = on_patience_due;
	client->ending.fd = -1;
	client->reach.on_stream = on_stream;
	client->reach.on_failed = on_failed;
	client->reach.clear = clear;
	reach_start(&client->reach, loop, terms);
}

void client_reconnect(struct client *client, uint64_t within_ms)
{
	drop(client);
	loop_disarm(client->loop, &client->deadline);
	loop_disarm(client->loop, &client->alive);
	patience_answered(&client->patience);
	settle_patience(client);
	client->liveness.asked = client->listens = client->may_be_stuck = false;
	client->greeted = false;
	reach_again(&client->reach, within_ms);
}

/* Of an agent that said nothing or no more there is nothing to wait for. */
static unsigned patience_for_end(const struct client *client)
{
	return client->greeted && !client->lost && !client->patience.said ? PATIENCE_MS : 0;
}

static void end_all(struct client *client)
{
	drop(client);
	reach_cancel(&client->reach);
	loop_disarm(client->loop, &client->deadline);
	loop_disarm(client->loop, &client->alive);
	loop_disarm(client->loop, &client->patience_due);
	end_link(client);
}

bool client_part(struct client *client)
{
	unsigned patience_ms = patience_for_end(client);

	end_all(client);
	if (client->process > 0 && !client->old.pid) {
		process_end_on(&client->old, client->loop, client->process, patience_ms);
		client->process = 0;
	}
	return client->process <= 0 && !client->old.pid;
}

void client_release(struct client *client)
{
	unsigned patience_ms = patience_for_end(client);

	end_all(client);
	if (client->process > 0)
		process_end(client->process, patience_ms);
	process_end_now(&client->old);
}
