/* A session that is kept: see keep.h. */
#include "keep.h"

#include <stdio.h>
#include <string.h>

#include "shared/base.h"

/* All that may be on its way when a connection is lost is held by an agent, which holds 1 MiB by itself. */
#define KEPT_WINDOW   (512 * 1024)
#define RECONNECT_MS  60000 /* in a terminal, if nothing else is said */
#define UNANSWERED_MS 3000
#define REPAINT_MS    50 /* programs look at the size a moment after they hear of it */

/* ---- what is asked for ---- */

bool keep_has_command(const struct opts *opts)
{
	return opts->action == OPTS_RUN ? !opts->detach
					: opts->action == OPTS_ATTACH && !opts->watch;
}

bool keep_reads_stdin(const struct opts *opts)
{
	return opts->action == OPTS_SEND || (keep_has_command(opts) && !opts->no_stdin);
}

bool keep_is_private(const struct opts *opts)
{
	return opts->endpoint && strcmp(opts->endpoint, "local:") == 0;
}

/* Whether it is of use to get its connection back. */
static bool goes_on(const struct opts *opts)
{
	if (keep_is_private(opts))
		return false;
	if (opts->action == OPTS_RUN)
		return !opts->detach && opts->on_disconnect == MSG_DISCONNECT_KEEP;
	return opts->action == OPTS_ATTACH || opts->action == OPTS_WAIT;
}

static void on_unanswered(struct loop_timer *timer)
{
	struct keep *keep = container_of(timer, struct keep, unanswered);

	keep->on_unanswered(keep->owner);
}

static void on_repaint(struct loop_timer *timer)
{
	struct keep *keep = container_of(timer, struct keep, repaint);

	keep->on_repaint(keep->owner);
}

void keep_init(struct keep *keep, struct client *client, struct remote *remote,
	       const struct opts *opts, bool tty)
{
	keep->opts = opts;
	keep->client = client;
	keep->remote = remote;
	keep->unanswered.on_due = on_unanswered;
	keep->repaint.on_due = on_repaint;
	if (goes_on(opts))
		keep->reconnect_ms = opts->has_reconnect ? opts->reconnect_ms
				     : tty		 ? RECONNECT_MS
							 : 0;
}

/* ---- coming and leaving ---- */

void keep_terms(const struct keep *keep, struct remote_terms *terms)
{
	terms->hold_ms = keep->reconnect_ms;
	terms->retains = keep->reconnect_ms > 0;
	if (goes_on(keep->opts))
		terms->in_flight = KEPT_WINDOW;
}

int keep_attach(struct keep *keep, const struct remote_terms *terms, struct err *err)
{
	static const enum msg_attach modes[] = {
		[OPTS_ATTACH] = MSG_ATTACH_TAKE,
		[OPTS_WAIT] = MSG_ATTACH_WAIT,
		[OPTS_LOGS] = MSG_ATTACH_LOGS,
		[OPTS_SEND] = MSG_ATTACH_TAKE,
	};
	const struct opts *opts = keep->opts;
	struct remote_attach attach = {
		.session = opts->session,
		.mode = opts->watch ? MSG_ATTACH_WATCH : modes[opts->action],
		.input_only = opts->action == OPTS_SEND,
		.has_since = opts->has_since,
		.since = opts->since,
	};

	return remote_attach(keep->remote, keep->client, &attach, terms, err);
}

int keep_resume(struct keep *keep, const struct remote_terms *terms, struct err *err)
{
	return remote_resume(keep->remote, keep->client, terms, err);
}

void keep_leave(struct keep *keep, uint32_t modes, bool in_time)
{
	keep->detaching = true;
	remote_detach(keep->remote, modes);
	if (in_time)
		loop_arm(keep->client->loop, &keep->unanswered, UNANSWERED_MS);
}

void keep_answered(struct keep *keep)
{
	keep->detaching = false;
	loop_disarm(keep->client->loop, &keep->unanswered);
}

void keep_stop(struct keep *keep)
{
	if (!keep->client || !keep->client->loop)
		return;
	keep_answered(keep);
	loop_disarm(keep->client->loop, &keep->repaint);
}

void keep_repaint(struct keep *keep)
{
	remote_tell_other(keep->remote);
	loop_arm(keep->client->loop, &keep->repaint, REPAINT_MS);
}

/* ---- a connection that is lost ---- */

static void say_lost(const struct keep *keep, char *line, size_t len)
{
	char within[40] = "";

	if (keep->reconnect_ms != DURATION_INFINITE)
		snprintf(within, sizeof(within), " for %g s", (double)keep->reconnect_ms / 1e3);
	snprintf(line, len, "lost the connection to %s; trying again%s; Ctrl-C leaves",
		 keep->client->name, within);
}

bool keep_lost(struct keep *keep, const struct err *err, char *line, size_t len)
{
	uint64_t now = loop_now_ms(), left;

	line[0] = '\0';
	if (!keep->reconnect_ms || !remote_suspend(keep->remote))
		return false;
	/* An agent that takes us back and goes at once, again and again, has the time of one loss. */
	if (!keep->away && !(keep->due_ms && remote_was_brief(keep->remote))) {
		err_words(err, keep->lost, sizeof(keep->lost));
		say_lost(keep, line, len);
		keep->due_ms = keep->reconnect_ms == DURATION_INFINITE ? DURATION_INFINITE
								       : now + keep->reconnect_ms;
	}
	keep->away = true;
	left = keep->due_ms == DURATION_INFINITE ? DURATION_INFINITE
	       : keep->due_ms > now		 ? keep->due_ms - now
						 : 0;
	if (left)
		client_reconnect(keep->client, left);
	return left > 0;
}

void keep_is_attached(struct keep *keep)
{
	keep->away = false;
}

/* ---- words ---- */

const char *keep_label(const struct keep *keep)
{
	const struct remote *remote = keep->remote;
	const char *asked = keep->opts->session;

	if (remote->name[0])
		return remote->name;
	if (!remote->id[0])
		return asked ? asked : "";
	return keep->opts->name ? keep->opts->name : remote->id;
}

bool keep_is_kept(const struct keep *keep)
{
	return keep->remote->id[0] && !keep_is_private(keep->opts);
}

bool keep_farewell(const struct keep *keep, bool detach, char *out, size_t len)
{
	static const char *const fates[] = {
		[MSG_DISCONNECT_KILL] = "the agent ends the command",
		[MSG_DISCONNECT_HANGUP] = "the agent hangs up on the command",
		[MSG_DISCONNECT_KEEP] = "the command runs on",
	};
	const char *how = detach ? "detached" : "disconnected", *more = "";
	enum msg_on_disconnect what = keep->opts->on_disconnect;
	bool has_process = keep->client->process > 0, is_private = keep_is_private(keep->opts);
	bool kept = keep_is_kept(keep) || (what == MSG_DISCONNECT_KEEP && !is_private);
	char way[128];

	if (detach && keep_is_kept(keep) && !has_process) {
		keep_way_back(keep, way, sizeof(way));
		snprintf(out, len, "%s: %s", how, way);
		return true;
	}
	/* A private agent ends with us, and ends what it runs. */
	what = is_private ? MSG_DISCONNECT_KILL : kept ? MSG_DISCONNECT_KEEP : what;
	if (detach && !kept)
		more = !is_private && keep->client->agent.features & MSG_FEATURE_ON_DISCONNECT
			       ? "; with --on-disconnect keep it would run on"
			       : "; this one cannot keep it";
	snprintf(out, len, "%s: %s%s", how,
		 kept && has_process ? "the command runs on if its agent does" : fates[what], more);
	return kept;
}

void keep_way_back(const struct keep *keep, char *out, size_t len)
{
	snprintf(out, len, "msb-exec --attach %s comes back", keep_label(keep));
}
