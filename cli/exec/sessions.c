/* Kept sessions, listed, signalled and removed: see sessions.h. */
#include "sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/question.h"
#include "cli/options/exit.h"
#include "columns.h"
#include "ending.h"
#include "entries.h"
#include "shared/base.h"
#include "shared/log.h"

#define ANSWER_MS 10000 /* without an entry or the end of the answer */

struct sessions {
	struct client client;
	struct client_session session;
	const struct opts *opts;
	struct entries entries;
	bool over; /* what else comes in the same turn is of no interest */
	int status;
};

static void finish(struct sessions *sessions, int status)
{
	sessions->over = true;
	sessions->status = status;
	loop_stop(sessions->client.loop);
}

static void fail(struct sessions *sessions, const char *words)
{
	log_error("%s", words);
	finish(sessions, EXIT_FAILED);
}

/* ---- the answer ---- */

static int print(struct sessions *sessions)
{
	entries_sort(&sessions->entries);
	if (!sessions->opts->json)
		return entries_table(&sessions->entries, stdout, columns_of_terminal());
	return entries_json(&sessions->entries, stdout);
}

static void on_done(struct sessions *sessions)
{
	if (sessions->opts->action == OPTS_SESSIONS && print(sessions) < 0)
		fail(sessions, "no memory for the list of sessions");
	else
		finish(sessions, 0);
}

static void on_entry(struct sessions *sessions, const struct msg_envelope *envelope)
{
	int r = entries_add(&sessions->entries, envelope->payload);

	/* There is an end to the list: what else may come brings it no nearer. */
	client_expect(&sessions->client, ANSWER_MS);
	if (r == -EBADMSG)
		fail(sessions, "the agent's list of sessions makes no sense");
	else if (r == -E2BIG)
		fail(sessions, "the agent's list of sessions is too long");
	else if (r < 0)
		fail(sessions, "no memory for the list of sessions");
}

static void on_refused(struct sessions *sessions, const struct msg_envelope *envelope)
{
	const char *of = sessions->opts->session;
	struct msg_error error;

	if (msg_decode(MSG_ERROR, envelope->payload, &error) < 0 || !error.message.len)
		log_error("the agent refused it and did not say why");
	else if (!of)
		log_error("%.*s", (int)error.message.len, error.message.ptr);
	else if (ending_is_no_session(error.message))
		log_error("no such session: %s", of);
	else
		log_error("%s: %.*s", of, (int)error.message.len, error.message.ptr);
	finish(sessions, EXIT_FAILED);
}

static void on_frame(struct client_session *session, const struct msg_envelope *envelope)
{
	struct sessions *sessions = container_of(session, struct sessions, session);

	if (sessions->over)
		return;
	if (envelope->type == MSG_SESSION_DONE)
		on_done(sessions);
	else if (envelope->type == MSG_ERROR)
		on_refused(sessions, envelope);
	else if (envelope->type == MSG_SESSION_ENTRY && sessions->opts->action == OPTS_SESSIONS)
		on_entry(sessions, envelope);
}

/* ---- the question ---- */

static int put_question(struct sessions *sessions, uint32_t id)
{
	const struct opts *opts = sessions->opts;
	struct buf *out = link_out(&sessions->client.link);
	struct msg_text session = {opts->session, opts->session ? strlen(opts->session) : 0};

	if (opts->action == OPTS_KILL)
		return msg_put(out, id, MSG_SESSION_SIGNAL,
			       &(struct msg_session_signal){.session = session,
							    .signal = opts->timeout_signal});
	if (opts->action == OPTS_REMOVE)
		return msg_put(out, id, MSG_SESSION_REMOVE,
			       &(struct msg_session_remove){.session = session});
	return msg_put(out, id, MSG_SESSION_LIST, &(struct msg_session_list){0});
}

static void on_greeted(struct client *client)
{
	static const struct client_session_calls calls = {.on_frame = on_frame};
	struct sessions *sessions = client->owner;
	int r;

	if (!(client->agent.features & MSG_FEATURE_SESSIONS)) {
		fail(sessions, "this agent cannot keep sessions");
		return;
	}
	client_add(client, &sessions->session, client->agent.id, &calls);
	client_expect(client, ANSWER_MS);
	r = put_question(sessions, client->agent.id);
	if (r < 0)
		fail(sessions, strerror(-r));
}

static void on_lost(struct client *client, const struct err *err)
{
	struct sessions *sessions = client->owner;

	if (sessions->over)
		return;
	log_err(err);
	finish(sessions, EXIT_FAILED);
}

static bool on_turn(struct client *client)
{
	(void)client;
	return true;
}

int sessions_run(const struct opts *opts, struct loop *loop, struct buf_spare *spare)
{
	struct sessions sessions = {
		.opts = opts,
		.status = EXIT_FAILED,
		.client = {.on_greeted = on_greeted, .on_lost = on_lost, .on_turn = on_turn},
	};

	sessions.client.owner = &sessions;
	question_put(&sessions.client, loop, opts, spare);
	entries_release(&sessions.entries);
	return sessions.status;
}
