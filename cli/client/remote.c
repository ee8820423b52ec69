/* One session as its client sees it: see remote.h. */
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal/term.h"
#include "request.h"
#include "shared/base.h"
#include "shared/modes.h"

#define INPUT_AHEAD   (256 * 1024) /* in the link's queue */
#define INPUT_CHUNK   (32 * 1024)
#define FEED_MAX      (64 * 1024 * 1024)
#define OUTPUT_WINDOW (1024 * 1024)
#define TTY_WINDOW    (256 * 1024) /* what still comes after Ctrl-C is short */
#define BRIEF_MS      1000
#define INPUT_WINDOW  (4 * 1024 * 1024) /* however much more the agent lets be in flight */

static const struct client_session_calls calls;

static struct remote *remote_of(struct client_session *session)
{
	return container_of(session, struct remote, session);
}

static struct buf *out_of(struct remote *remote)
{
	return link_out(&remote->session.client->link);
}

/* ---- its beginning and its end ---- */

static struct msg_exec_resize window(const struct client *client, bool tty)
{
	struct msg_exec_resize size = {.rows = 24, .cols = 80};

	if (tty)
		term_size_or_default(&size);
	if (!(client->agent.features & MSG_FEATURE_PIXELS))
		size.xpixel = size.ypixel = 0;
	return size;
}

/* All that it may have been before is forgotten. 0 or -errno with *err filled. */
static int prepare(struct remote *remote, struct client *client, const struct remote_terms *terms,
		   uint32_t *ret_id, struct err *err)
{
	uint32_t id = terms->is_first ? client->agent.id : client_take_id(client);

	remote_release(remote);
	if (!id)
		return err_set(err, 0, NULL, "no session is left on this connection");
	*ret_id = id;
	remote->tty = terms->tty;
	remote->merged = false;
	remote->size = (struct msg_exec_resize){0};
	remote->end_due = remote->end_sent = false;
	remote->id[0] = remote->name[0] = '\0';
	remote->mode = MSG_ATTACH_TAKE;
	remote->input_only = remote->attaches = false;
	remote->retains = terms->retains;
	remote->at[MSG_STREAM_STDOUT] = remote->at[MSG_STREAM_STDERR] = remote->input_at = 0;
	buf_init(&remote->feed, FEED_MAX, NULL);
	buf_init(&remote->sent, FEED_MAX, NULL);
	return 0;
}

/* What may be in flight, each way, on a new connection. */
static void open_windows(struct remote *remote, const struct client *client,
			 const struct remote_terms *terms)
{
	remote->input = (struct credit){0};
	remote->output = (struct credit_account){0};
	if (client->agent.features & MSG_FEATURE_STDIN_WINDOW)
		remote->input.window = MSG_INPUT_UNASKED;
	if (client->agent.features & MSG_FEATURE_OUTPUT_WINDOW)
		remote->output.window = terms->tty	   ? TTY_WINDOW
					: terms->in_flight ? terms->in_flight
							   : OUTPUT_WINDOW;
}

static void expect(struct remote *remote, struct client *client, uint32_t id)
{
	client_add(client, &remote->session, id, &calls);
	remote->state = REMOTE_ASKED;
	client_mark(client);
}

int remote_start(struct remote *remote, struct client *client, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err)
{
	struct request_terms request = {.features = client->agent.features,
					.tty = terms->tty,
					.size = window(client, terms->tty),
					.merges = terms->merges,
					.hold_ms = terms->hold_ms,
					.term = terms->term};
	uint32_t id = 0;
	int r = prepare(remote, client, terms, &id, err);

	if (r < 0)
		return r;
	remote->size = request.size;
	remote->merged = terms->merges && request.features & MSG_FEATURE_MERGE_OUTPUT;
	open_windows(remote, client, terms);
	request.output_window = remote->output.window;
	r = request_put(link_out(&client->link), id, opts, &request, err);
	if (r < 0)
		return r;
	expect(remote, client, id);
	return 0;
}

static int put_attach(struct remote *remote, struct client *client, uint32_t id,
		      struct msg_session_attach *attach, const struct remote_terms *terms,
		      struct err *err)
{
	enum msg_type type = remote->input_only ? MSG_SESSION_INPUT : MSG_SESSION_ATTACH;
	const char *mode = msg_attach_name(remote->mode);
	int r;

	if (!(client->agent.features & MSG_FEATURE_SESSIONS))
		return err_set(err, 0, NULL, "this agent cannot keep sessions");
	remote->attaches = true;
	open_windows(remote, client, terms);
	attach->stdin_window = client->agent.features & MSG_FEATURE_STDIN_WINDOW;
	if (!remote->input_only) {
		attach->mode = (struct msg_text){mode, strlen(mode)};
		attach->output_window = remote->output.window;
	}
	if (!remote->input_only && remote->mode == MSG_ATTACH_TAKE)
		attach->hold_ms = terms->hold_ms;
	r = msg_put(link_out(&client->link), id, type, attach);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot ask for the session");
	expect(remote, client, id);
	return 0;
}

int remote_attach(struct remote *remote, struct client *client, const struct remote_attach *how,
		  const struct remote_terms *terms, struct err *err)
{
	struct msg_session_attach attach = {
		.session = {how->session, strlen(how->session)},
		.has_stdout_since = how->has_since,
		.stdout_since = how->since,
	};
	uint32_t id = 0;
	int r = prepare(remote, client, terms, &id, err);

	if (r < 0)
		return r;
	remote->mode = how->mode;
	remote->input_only = how->input_only;
	if (how->has_since) {
		/* Of stderr nothing was asked for, so that nothing of it is missed. */
		remote->at[MSG_STREAM_STDOUT] = how->since;
		remote->at[MSG_STREAM_STDERR] = UINT64_MAX;
	}
	return put_attach(remote, client, id, &attach, terms, err);
}

bool remote_suspend(struct remote *remote)
{
	if (!remote->id[0] || remote->input_only || !remote_runs(remote))
		return false;
	if (remote->state == REMOTE_STARTED)
		remote->in_flight = remote->input.sent - remote->input.consumed;
	client_remove(&remote->session);
	remote->state = REMOTE_AWAY;
	return true;
}

int remote_resume(struct remote *remote, struct client *client, const struct remote_terms *terms,
		  struct err *err)
{
	struct msg_session_attach attach = {
		.session = {remote->id, strlen(remote->id)},
		.turn = remote->turn,
		.has_stdout_since = true,
		.stdout_since = remote->at[MSG_STREAM_STDOUT],
		.has_stderr_since = true,
		.stderr_since = remote->at[MSG_STREAM_STDERR],
	};

	if (remote->size.rows) {
		remote->size = window(client, true);
		attach.rows = remote->size.rows;
		attach.cols = remote->size.cols;
		attach.xpixel = remote->size.xpixel;
		attach.ypixel = remote->size.ypixel;
	}
	return put_attach(remote, client, client->agent.id, &attach, terms, err);
}

static uint64_t output_so_far(const struct remote *remote)
{
	return remote->at[MSG_STREAM_STDOUT] + remote->at[MSG_STREAM_STDERR];
}

bool remote_was_brief(const struct remote *remote)
{
	return loop_now_ms() - remote->back_ms < BRIEF_MS &&
	       output_so_far(remote) == remote->back_at;
}

static void leave(struct remote *remote)
{
	client_remove(&remote->session);
	remote->state = REMOTE_NONE;
	buf_release(&remote->feed);
	buf_release(&remote->sent);
}

void remote_release(struct remote *remote)
{
	leave(remote);
	remote->pid = 0;
}

/* ---- to it ---- */

void remote_mark(struct remote *remote)
{
	if (remote_runs(remote))
		client_mark(remote->session.client);
}

/* Without memory for what it is to have, nothing says that it goes on: better a connection that is lost. */
static int told(struct remote *remote, int result)
{
	if (result == -ENOMEM && remote_runs(remote))
		link_give_up(&remote->session.client->link, ENOMEM);
	remote_mark(remote);
	return result;
}

int remote_send(struct remote *remote, const void *data, size_t len)
{
	return told(remote, remote_try_to_send(remote, data, len));
}

int remote_try_to_send(struct remote *remote, const void *data, size_t len)
{
	int r = remote->state == REMOTE_NONE ? 0 : buf_append(&remote->feed, data, len);

	remote_mark(remote);
	return r;
}

/* By another connection, which has not said yet where it stands: what to send first is not known. */
static bool is_back(const struct remote *remote)
{
	return remote->state == REMOTE_ASKED && remote->id[0];
}

static void put_end(struct remote *remote)
{
	uint8_t *space;

	remote->end_due = false;
	remote->end_sent = true;
	if (told(remote, msg_data_begin(out_of(remote), 0, &space)) == 0)
		msg_data_end(out_of(remote), remote->session.id, MSG_EXEC_STDIN, 0);
}

void remote_end_input(struct remote *remote)
{
	remote->end_due = true;
	remote_flush(remote);
	remote_mark(remote);
}

static size_t room(const struct remote *remote, size_t want)
{
	bool is_full = link_unsent(&remote->session.client->link) >= INPUT_AHEAD;

	return is_full ? 0 : credit_room(&remote->input, want);
}

void remote_flush(struct remote *remote)
{
	struct buf *feed = &remote->feed;
	uint8_t *space;

	if (!remote_runs(remote) || is_back(remote))
		return;
	while (buf_len(feed)) {
		const uint8_t *from = buf_head(feed);
		size_t len = buf_len(feed);

		len = room(remote, len < INPUT_CHUNK ? len : INPUT_CHUNK);
		if (!len || told(remote, remote_begin(remote, len, &space)) < 0)
			return;
		memcpy(space, from, len);
		remote_commit(remote, len);
		buf_consume(feed, len);
	}
	if (remote->end_due && !buf_len(feed))
		put_end(remote);
}

size_t remote_room(const struct remote *remote, size_t want)
{
	/* Behind what waits: that is older. */
	if (!remote_runs(remote) || is_back(remote) || buf_len(&remote->feed))
		return 0;
	return room(remote, want);
}

int remote_begin(struct remote *remote, size_t max, uint8_t **ret_space)
{
	int r = msg_data_begin(out_of(remote), max, ret_space);

	remote->space = r < 0 ? NULL : *ret_space;
	return r;
}

/* Without memory for it input may get lost with the connection, and is not before that. */
static void retain(struct remote *remote, const uint8_t *data, size_t len)
{
	if (remote->retains && buf_append(&remote->sent, data, len) < 0) {
		remote->retains = false;
		buf_release(&remote->sent);
	}
}

void remote_commit(struct remote *remote, size_t len)
{
	if (!len) {
		buf_settle(out_of(remote));
		return;
	}
	retain(remote, remote->space, len);
	msg_data_end(out_of(remote), remote->session.id, MSG_EXEC_STDIN, len);
	remote->input.sent += len;
}

ssize_t remote_move(struct remote *remote, int fd, size_t max)
{
	struct bulk *bulk = link_bulk(&remote->session.client->link);
	ssize_t n;
	int r;

	if (bulk->refused)
		return -EOPNOTSUPP;
	n = bulk_fill(bulk, fd, remote_room(remote, max));
	if (n <= 0)
		return n;
	r = msg_data_head(out_of(remote), remote->session.id, MSG_EXEC_STDIN, (size_t)n);
	bulk->before = buf_len(out_of(remote));
	remote->input.sent += (size_t)n;
	return r < 0 ? r : n;
}

bool remote_is_moving(const struct remote *remote)
{
	return remote_runs(remote) && link_bulk(&remote->session.client->link)->len;
}

bool remote_has_sent_all(const struct remote *remote)
{
	return remote->state == REMOTE_STARTED && !buf_len(&remote->feed) && !remote->end_due;
}

bool remote_may_be_stuck(const struct remote *remote)
{
	return !remote->input.window && remote->input.sent > MSG_INPUT_UNASKED;
}

void remote_signal(struct remote *remote, int signal)
{
	if (!remote_runs(remote))
		return;
	told(remote, msg_put_exec_signal(out_of(remote), remote->session.id, signal));
}

static void resize(struct remote *remote, const struct msg_exec_resize *size)
{
	if (told(remote, msg_put(out_of(remote), remote->session.id, MSG_EXEC_RESIZE, size)) == 0)
		remote->size = *size;
}

static struct msg_exec_resize with_other_rows(struct msg_exec_resize size)
{
	size.rows = (uint16_t)(size.rows > 1 ? size.rows - 1 : size.rows + 1);
	return size;
}

void remote_tell_other(struct remote *remote)
{
	struct msg_exec_resize size = with_other_rows(window(remote->session.client, true));

	resize(remote, &size);
}

bool remote_tell_window(struct remote *remote, bool repaint)
{
	struct client *client = remote->session.client;
	struct msg_exec_resize size = window(client, true), other = size;

	if (memcmp(&size, &remote->size, sizeof(size)) == 0 && !repaint)
		return false;
	if (client->agent.features & MSG_FEATURE_PIXELS)
		other.ypixel ^= 1;
	else
		other = with_other_rows(size);
	if (repaint)
		resize(remote, &other);
	resize(remote, &size);
	return true;
}

void remote_tell_all(struct client *client)
{
	struct msg_exec_resize size = window(client, true);
	struct client_session *session;

	list_each(session, &client->sessions, of_client)
		if (session->calls == &calls && remote_of(session)->tty)
			resize(remote_of(session), &size);
}

void remote_close_output(struct remote *remote, enum msg_stream stream)
{
	if (remote_runs(remote))
		told(remote, msg_put_output_close(out_of(remote), remote->session.id, stream));
}

void remote_detach(struct remote *remote, uint32_t modes)
{
	struct msg_session_detach detach = {0};
	char text[MODES_TEXT_MAX];

	if (!remote_runs(remote))
		return;
	/* Of one that is kept already the agent knows them itself. */
	if (remote->tty && !remote->id[0])
		detach.restore = (struct msg_bytes){(uint8_t *)text, modes_on(modes, text)};
	told(remote, msg_put(out_of(remote), remote->session.id, MSG_SESSION_DETACH, &detach));
}

static void on_dropped(struct client_session *session)
{
	remote_release(remote_of(session));
}

static void on_turn(struct client_session *session)
{
	struct remote *remote = remote_of(session);
	struct client *client = session->client;
	uint64_t consumed;
	size_t waiting;

	if (remote->on_room && buf_len(&remote->feed) < REMOTE_FEED_LOW)
		remote->on_room(remote);
	if (!remote_runs(remote))
		return;
	remote_flush(remote);
	waiting = client->waiting ? client->waiting(client, session) : 0;
	if (credit_due(&remote->output, waiting, &consumed))
		told(remote,
		     msg_put_credit(out_of(remote), session->id, MSG_EXEC_OUTPUT_CREDIT, consumed));
}

/* ---- what it says ---- */

/* Whether somebody was told. */
static bool is_garbled(struct remote *remote, int r, const char *what)
{
	if (r == 0 || !remote->on_garbled)
		return false;
	remote->on_garbled(remote, what);
	return true;
}

/* People are told to type it: what is neither an id nor a name is nothing. */
static void take_names(struct remote *remote, struct msg_text id, struct msg_text name)
{
	remote->id[0] = remote->name[0] = '\0';
	if (id.ptr && msg_is_session_id(id))
		snprintf(remote->id, sizeof(remote->id), "%.*s", (int)id.len, id.ptr);
	if (name.ptr && msg_is_session_name(name))
		snprintf(remote->name, sizeof(remote->name), "%.*s", (int)name.len, name.ptr);
}

/* Of what counts no credit nothing is ever acknowledged; and what is in flight is held, if anything is. */
static void open_input(struct remote *remote, uint64_t input_window)
{
	remote->input.window = input_window < INPUT_WINDOW ? input_window : INPUT_WINDOW;
	if (!input_window)
		remote->retains = false;
}

static void on_started(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, envelope->payload, &started) < 0)
		return;
	remote->state = REMOTE_STARTED;
	remote->pid = started.pid;
	take_names(remote, started.session, (struct msg_text){0});
	remote->turn = started.turn;
	open_input(remote, started.stdin_window);
	if (remote->on_started)
		remote->on_started(remote);
}

/*
 * The agent has its input up to there: what was sent behind that is sent again, before what waits. False if
 * that is not held. More than was sent is somebody else's.
 */
static bool go_back(struct remote *remote, uint64_t input_at)
{
	struct buf *sent = &remote->sent, feed = remote->feed;
	uint64_t had;

	if (input_at < remote->input_at)
		return false;
	had = input_at - remote->input_at;
	if (had < remote->in_flight && buf_len(sent) < remote->in_flight)
		return false;
	buf_consume(sent, had < buf_len(sent) ? (size_t)had : buf_len(sent));
	if (buf_len(&feed) && buf_append(sent, buf_head(&feed), buf_len(&feed)) < 0)
		return false;
	buf_consume(&feed, buf_len(&feed));
	remote->feed = *sent;
	remote->sent = feed;
	return true;
}

/* Bytes of the output that was wanted that are gone before what comes. */
static void begin_output(struct remote *remote, const struct msg_session_attached *attached,
			 uint64_t ret_missed[2])
{
	const uint64_t at[] = {[MSG_STREAM_STDOUT] = attached->stdout_at,
			       [MSG_STREAM_STDERR] = attached->stderr_at};

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		ret_missed[i] = at[i] > remote->at[i] ? at[i] - remote->at[i] : 0;
		remote->at[i] = at[i];
	}
}

static void on_skipped(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_session_skipped skipped;
	int stream;

	if (msg_decode(MSG_SESSION_SKIPPED, envelope->payload, &skipped) < 0)
		return;
	stream = msg_stream_parse(skipped.stream);
	if (stream < 0)
		return;
	if (__builtin_add_overflow(remote->at[stream], skipped.bytes, &remote->at[stream]))
		remote->at[stream] = UINT64_MAX;
	if (remote->on_skipped)
		remote->on_skipped(remote, (enum msg_stream)stream, skipped.bytes);
}

static void on_stays(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_session_refused refused = {0};

	msg_decode(MSG_SESSION_REFUSED, envelope->payload, &refused);
	if (remote->on_stays)
		remote->on_stays(remote, refused.message);
}

static void take_output(struct remote *remote, enum msg_stream stream, size_t len)
{
	remote->output.received += len;
	remote->at[stream] += len;
}

static void on_data(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_data data;
	int r = msg_decode(envelope->type, envelope->payload, &data);

	if (is_garbled(remote, r, "output") || r < 0)
		return;
	if (remote->on_part)
		link_limit_readahead(&remote->session.client->link, 0);
	take_output(remote, msg_stream_of(envelope->type), data.data.len);
	if (remote->on_data)
		remote->on_data(remote, envelope->type, (const char *)data.data.ptr, data.data.len);
}

static bool on_part(struct client_session *session, const struct buf *in, size_t *ret_head,
		    size_t *ret_body)
{
	struct remote *remote = remote_of(session);
	struct client *client = session->client;
	enum msg_type type = MSG_EXEC_STDOUT;
	size_t len;

	if (!remote->on_part)
		return false;
	*ret_head = msg_peek_data(in, session->id, type, ret_body);
	if (!*ret_head) {
		type = MSG_EXEC_STDERR;
		*ret_head = msg_peek_data(in, session->id, type, ret_body);
	}
	len = buf_len(in) - *ret_head;
	if (!*ret_head ||
	    !remote->on_part(remote, type, (const char *)buf_head(in) + *ret_head, len))
		return false;
	remote->moving = msg_stream_of(type);
	take_output(remote, remote->moving, len);
	link_limit_readahead(&client->link, MSG_BULK_HEAD_OUTPUT);
	return true;
}

static ssize_t on_body(struct client_session *session, int fd, size_t len)
{
	struct remote *remote = remote_of(session);
	ssize_t n = remote->on_body(remote, fd, len);

	if (n > 0)
		take_output(remote, remote->moving, (size_t)n);
	return n;
}

static void on_input_error(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_stdin_error error;

	if (remote->on_input_error &&
	    msg_decode(MSG_EXEC_STDIN_ERROR, envelope->payload, &error) == 0)
		remote->on_input_error(remote, &error);
}

static void on_input_credit(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_credit credit;

	uint64_t before = remote->input.consumed;
	size_t more, held = buf_len(&remote->sent);

	if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) < 0)
		return;
	credit_consumed(&remote->input, credit.consumed);
	more = (size_t)(remote->input.consumed - before);
	remote->input_at += more;
	buf_consume(&remote->sent, more < held ? more : held);
}

static void finish(struct remote *remote, struct remote_end *end)
{
	struct msg_text *said = &end->failed.message;

	if (!said->ptr)
		said->ptr = "";
	snprintf(end->line, sizeof(end->line), "%.*s", (int)said->len, said->ptr);
	if (end->how == REMOTE_DETACHED)
		end->why = "it was detached";
	else if (end->how != REMOTE_EXITED)
		end->why = end->line[0] ? end->line
					: "the agent refused the session, and does not say why";
	end->had_started = remote->state == REMOTE_STARTED;
	leave(remote);
	if (remote->on_end)
		remote->on_end(remote, end);
}

static void on_exited(struct remote *remote, const struct msg_envelope *envelope)
{
	struct remote_end end = {.how = REMOTE_EXITED};
	int r = msg_decode(MSG_EXEC_EXITED, envelope->payload, &end.exited);

	if (is_garbled(remote, r, "an exit"))
		return;
	if (r < 0)
		end.exited = (struct msg_exec_exited){.code = -1};
	finish(remote, &end);
}

static void on_failed(struct remote *remote, const struct msg_envelope *envelope)
{
	struct remote_end end = {.how = REMOTE_FAILED};
	int r = msg_decode(MSG_EXEC_FAILED, envelope->payload, &end.failed);

	if (is_garbled(remote, r, "a failure"))
		return;
	if (r < 0)
		end.failed = (struct msg_exec_failed){0};
	finish(remote, &end);
}

static void on_refused(struct remote *remote, const struct msg_envelope *envelope)
{
	struct remote_end end = {.how = REMOTE_REFUSED};
	struct msg_error error;

	if (msg_decode(MSG_ERROR, envelope->payload, &error) == 0)
		end.failed.message = error.message;
	finish(remote, &end);
}

static void lose_input(struct remote *remote)
{
	static const char why[] = "it has less of the input than it took";
	struct remote_end end = {.how = REMOTE_REFUSED, .failed.message = {why, sizeof(why) - 1}};

	finish(remote, &end);
}

static void on_attached(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_session_attached attached;
	int r = msg_decode(MSG_SESSION_ATTACHED, envelope->payload, &attached);
	uint64_t missed[2];

	if (is_garbled(remote, r, "a session") || r < 0)
		return;
	if (is_back(remote) && remote->mode == MSG_ATTACH_TAKE &&
	    !go_back(remote, attached.stdin_at)) {
		lose_input(remote);
		return;
	}
	begin_output(remote, &attached, missed);
	take_names(remote, attached.session, attached.name);
	remote->state = REMOTE_STARTED;
	remote->pid = attached.pid;
	remote->tty = attached.tty;
	remote->input_at = attached.stdin_at;
	remote->end_due |= remote->end_sent;
	remote->turn = attached.turn;
	open_input(remote, attached.stdin_window);
	remote->back_ms = loop_now_ms();
	remote->back_at = output_so_far(remote);
	if (remote->on_attached)
		remote->on_attached(remote, &attached, missed);
	remote_mark(remote);
}

static void on_detached(struct remote *remote, const struct msg_envelope *envelope)
{
	struct remote_end end = {.how = REMOTE_DETACHED};
	struct msg_session_detached detached;
	int r = msg_decode(MSG_SESSION_DETACHED, envelope->payload, &detached);
	int why = r < 0 ? r : msg_detached_parse(detached.why);

	if (is_garbled(remote, why < 0 ? why : 0, "a detaching"))
		return;
	end.detached = why < 0 ? MSG_DETACHED_REMOVED : (enum msg_detached)why;
	if (r == 0)
		take_names(remote, detached.session, detached.name);
	finish(remote, &end);
}

/*
 * Whether it can be said now: what was asked for decides how it begins, once, and what is kept is spoken of
 * once it is. The rest is told by who has ended, and has no session any more.
 */
static bool is_in_order(const struct remote *remote, enum msg_type type)
{
	switch (type) {
	case MSG_EXEC_STARTED:
		return remote->state == REMOTE_ASKED && !remote->attaches;
	case MSG_SESSION_ATTACHED:
		return remote->state == REMOTE_ASKED && remote->attaches;
	case MSG_SESSION_SKIPPED:
	case MSG_SESSION_REFUSED:
		return remote->state == REMOTE_STARTED;
	default:
		return true;
	}
}

static void on_frame(struct client_session *session, const struct msg_envelope *envelope)
{
	static void (*const takes[MSG_TYPE_COUNT])(struct remote *, const struct msg_envelope *) = {
		[MSG_EXEC_STARTED] = on_started,
		[MSG_EXEC_STDOUT] = on_data,
		[MSG_EXEC_STDERR] = on_data,
		[MSG_EXEC_STDIN_ERROR] = on_input_error,
		[MSG_EXEC_STDIN_CREDIT] = on_input_credit,
		[MSG_EXEC_EXITED] = on_exited,
		[MSG_EXEC_FAILED] = on_failed,
		[MSG_SESSION_ATTACHED] = on_attached,
		[MSG_SESSION_SKIPPED] = on_skipped,
		[MSG_SESSION_REFUSED] = on_stays,
		[MSG_SESSION_DETACHED] = on_detached,
		[MSG_ERROR] = on_refused,
	};

	/* A newer agent may say more than we know. */
	if (takes[envelope->type] && is_in_order(remote_of(session), envelope->type))
		takes[envelope->type](remote_of(session), envelope);
}

static const struct client_session_calls calls = {
	.on_frame = on_frame,
	.on_turn = on_turn,
	.on_part = on_part,
	.on_body = on_body,
	.on_dropped = on_dropped,
};
