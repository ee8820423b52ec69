/* One session as its client sees it: see remote.h. */
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal/term.h"
#include "request.h"
#include "shared/base.h"

#define INPUT_AHEAD   (256 * 1024) /* in the link's queue */
#define INPUT_CHUNK   (32 * 1024)
#define FEED_MAX      (64 * 1024 * 1024)
#define OUTPUT_WINDOW (1024 * 1024)
#define TTY_WINDOW    (256 * 1024) /* what still comes after Ctrl-C is short */

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

int remote_start(struct remote *remote, struct client *client, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err)
{
	struct request_terms request = {.features = client->agent.features,
					.tty = terms->tty,
					.size = window(client, terms->tty),
					.term = terms->term};
	uint32_t id = terms->is_first ? client->agent.id : client_take_id(client);
	int r;

	remote_release(remote);
	if (!id)
		return err_set(err, 0, NULL, "no session is left on this connection");
	remote->tty = terms->tty;
	remote->size = request.size;
	remote->end_due = false;
	buf_init(&remote->feed, FEED_MAX, NULL);
	remote->input = (struct credit){0};
	remote->output = (struct credit_account){0};
	if (client->agent.features & MSG_FEATURE_STDIN_WINDOW)
		remote->input.window = MSG_INPUT_UNASKED;
	if (client->agent.features & MSG_FEATURE_OUTPUT_WINDOW)
		remote->output.window = terms->tty	   ? TTY_WINDOW
					: terms->in_flight ? terms->in_flight
							   : OUTPUT_WINDOW;
	request.output_window = remote->output.window;
	r = request_put(link_out(&client->link), id, opts, &request, err);
	if (r < 0)
		return r;
	client_add(client, &remote->session, id, &calls);
	remote->state = REMOTE_ASKED;
	client_mark(client);
	return 0;
}

static void leave(struct remote *remote)
{
	client_remove(&remote->session);
	remote->state = REMOTE_NONE;
	buf_release(&remote->feed);
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

int remote_send(struct remote *remote, const void *data, size_t len)
{
	if (!remote_runs(remote))
		return 0;
	remote_mark(remote);
	return buf_append(&remote->feed, data, len);
}

static void put_end(struct remote *remote)
{
	uint8_t *space;

	remote->end_due = false;
	if (msg_data_begin(out_of(remote), 0, &space) == 0)
		msg_data_end(out_of(remote), remote->session.id, MSG_EXEC_STDIN, 0);
}

void remote_end_input(struct remote *remote)
{
	remote->end_due = true;
	remote_flush(remote);
	remote_mark(remote);
}

void remote_flush(struct remote *remote)
{
	struct buf *feed = &remote->feed;
	uint8_t *space;

	if (!remote_runs(remote))
		return;
	while (buf_len(feed)) {
		size_t len = buf_len(feed);

		len = remote_room(remote, len < INPUT_CHUNK ? len : INPUT_CHUNK);
		if (!len || remote_begin(remote, len, &space) < 0)
			return;
		memcpy(space, buf_head(feed), len);
		remote_commit(remote, len);
		buf_consume(feed, len);
	}
	if (remote->end_due && !buf_len(feed))
		put_end(remote);
}

size_t remote_room(const struct remote *remote, size_t want)
{
	bool is_full = link_unsent(&remote->session.client->link) >= INPUT_AHEAD;

	return is_full ? 0 : credit_room(&remote->input, want);
}

int remote_begin(struct remote *remote, size_t max, uint8_t **ret_space)
{
	return msg_data_begin(out_of(remote), max, ret_space);
}

void remote_commit(struct remote *remote, size_t len)
{
	if (!len) {
		buf_settle(out_of(remote));
		return;
	}
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

bool remote_may_be_stuck(const struct remote *remote)
{
	return !remote->input.window && remote->input.sent > MSG_INPUT_UNASKED;
}

void remote_signal(struct remote *remote, int signal)
{
	if (!remote_runs(remote))
		return;
	msg_put_exec_signal(out_of(remote), remote->session.id, signal);
	remote_mark(remote);
}

static void resize(struct remote *remote, const struct msg_exec_resize *size)
{
	if (msg_put(out_of(remote), remote->session.id, MSG_EXEC_RESIZE, size) == 0)
		remote->size = *size;
	remote_mark(remote);
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
		other.rows = (uint16_t)(size.rows > 1 ? size.rows - 1 : size.rows + 1);
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
		msg_put_output_close(out_of(remote), remote->session.id, stream);
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
		msg_put_credit(out_of(remote), session->id, MSG_EXEC_OUTPUT_CREDIT, consumed);
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

static void on_started(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, envelope->payload, &started) < 0)
		return;
	remote->state = REMOTE_STARTED;
	remote->pid = started.pid;
	remote->input.window = started.stdin_window;
	if (remote->on_started)
		remote->on_started(remote);
}

static void on_data(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_data data;
	int r = msg_decode(envelope->type, envelope->payload, &data);

	if (is_garbled(remote, r, "output") || r < 0)
		return;
	if (remote->on_part)
		link_limit_readahead(&remote->session.client->link, 0);
	remote->output.received += data.data.len;
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
	remote->output.received += len;
	link_limit_readahead(&client->link, MSG_BULK_HEAD_OUTPUT);
	return true;
}

static ssize_t on_body(struct client_session *session, int fd, size_t len)
{
	struct remote *remote = remote_of(session);
	ssize_t n = remote->on_body(remote, fd, len);

	if (n > 0)
		remote->output.received += (size_t)n;
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

	if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
		credit_consumed(&remote->input, credit.consumed);
}

static void finish(struct remote *remote, struct remote_end *end)
{
	struct msg_text *said = &end->failed.message;

	if (!said->ptr)
		said->ptr = "";
	snprintf(end->line, sizeof(end->line), "%.*s", (int)said->len, said->ptr);
	if (end->how != REMOTE_EXITED)
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
		[MSG_ERROR] = on_refused,
	};

	/* A newer agent may say more than we know. */
	if (takes[envelope->type])
		takes[envelope->type](remote_of(session), envelope);
}

static const struct client_session_calls calls = {
	.on_frame = on_frame,
	.on_turn = on_turn,
	.on_part = on_part,
	.on_body = on_body,
	.on_dropped = on_dropped,
};
