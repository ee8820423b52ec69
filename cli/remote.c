/* One session as its client sees it: see remote.h. */
#include "remote.h"

#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "request.h"

#define INPUT_UNASKED (64 * 1024)  /* what may go before the agent has said what its window is */
#define INPUT_AHEAD   (256 * 1024) /* in the link's queue */
#define INPUT_CHUNK   (32 * 1024)
#define FEED_MAX      (64 * 1024 * 1024)
#define OUTPUT_WINDOW (1024 * 1024)
#define TTY_WINDOW    (256 * 1024) /* what still comes after Ctrl-C is short */

int remote_start(struct remote *remote, struct connection *on, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err)
{
	struct client *client = on->client;
	struct request_terms request = {.features = client->features,
					.tty = terms->tty,
					.size = terms->size,
					.term = terms->term};
	uint32_t id = client_take_id(client);
	int r;

	remote_release(remote);
	if (!id)
		return err_set(err, 0, NULL, "no session is left on this connection");
	remote->on = on;
	remote->pid = 0;
	remote->tty = terms->tty;
	remote->end_due = false;
	buf_init(&remote->feed, FEED_MAX, NULL);
	remote->input = (struct credit){0};
	remote->output = (struct credit_account){0};
	if (client->features & MSG_FEATURE_STDIN_WINDOW)
		remote->input.window = INPUT_UNASKED;
	if (client->features & MSG_FEATURE_OUTPUT_WINDOW)
		remote->output.window = terms->tty ? TTY_WINDOW : OUTPUT_WINDOW;
	request.output_window = remote->output.window;
	r = request_put(link_out(&client->link), id, opts, &request, err);
	if (r < 0)
		return r;
	remote->id = id;
	remote->next = on->first;
	on->first = remote;
	client_mark(client);
	return 0;
}

void remote_release(struct remote *remote)
{
	struct remote **at = remote->on ? &remote->on->first : NULL;

	while (at && *at && *at != remote)
		at = &(*at)->next;
	if (at && *at)
		*at = remote->next;
	remote->on = NULL;
	remote->id = 0;
	buf_release(&remote->feed);
}

/* ---- to it ---- */

int remote_send(struct remote *remote, const void *data, size_t len)
{
	if (!remote->id)
		return 0;
	client_mark(remote->on->client);
	return buf_append(&remote->feed, data, len);
}

void remote_end_input(struct remote *remote)
{
	if (!remote->id)
		return;
	remote->end_due = true;
	client_mark(remote->on->client);
}

void remote_signal(struct remote *remote, int signal)
{
	if (!remote->id)
		return;
	msg_put_exec_signal(link_out(&remote->on->client->link), remote->id, signal);
	client_mark(remote->on->client);
}

void remote_resize(struct remote *remote, const struct msg_exec_resize *size)
{
	if (!remote->id)
		return;
	msg_put_exec_resize(link_out(&remote->on->client->link), remote->id, size);
	client_mark(remote->on->client);
}

void remote_flush(struct remote *remote)
{
	struct link *link;
	uint8_t *space;

	if (!remote->id)
		return;
	link = &remote->on->client->link;
	while (buf_len(&remote->feed) && link_unsent(link) < INPUT_AHEAD) {
		size_t len = buf_len(&remote->feed);

		len = credit_room(&remote->input, len < INPUT_CHUNK ? len : INPUT_CHUNK);
		if (!len || msg_data_begin(link_out(link), len, &space) < 0)
			return;
		memcpy(space, buf_head(&remote->feed), len);
		msg_data_end(link_out(link), remote->id, MSG_EXEC_STDIN, len);
		buf_consume(&remote->feed, len);
		remote->input.sent += len;
	}
	if (remote->end_due && !buf_len(&remote->feed)) {
		remote->end_due = false;
		if (msg_data_begin(link_out(link), 0, &space) == 0)
			msg_data_end(link_out(link), remote->id, MSG_EXEC_STDIN, 0);
	}
}

static void on_turn(struct remote *remote, size_t waiting)
{
	uint64_t consumed;

	if (remote->on_room && buf_len(&remote->feed) < REMOTE_FEED_LOW)
		remote->on_room(remote);
	if (!remote->id)
		return;
	remote_flush(remote);
	if (credit_due(&remote->output, waiting, &consumed))
		msg_put_credit(link_out(&remote->on->client->link), remote->id,
			       MSG_EXEC_OUTPUT_CREDIT, consumed);
}

void connection_on_turn(struct connection *connection, size_t waiting)
{
	for (struct remote *remote = connection->first, *next; remote; remote = next) {
		next = remote->next;
		on_turn(remote, waiting);
	}
}

/* ---- what it says ---- */

static void on_started(struct remote *remote, struct msg_bytes payload)
{
	struct msg_exec_started started;

	if (msg_decode(MSG_EXEC_STARTED, payload, &started) < 0)
		return;
	remote->pid = started.pid;
	remote->input.window = started.stdin_window;
}

static void on_data(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_data data;

	if (msg_decode(envelope->type, envelope->payload, &data) < 0)
		return;
	remote->output.received += data.data.len;
	remote->on_data(remote, envelope->type, (const char *)data.data.ptr, data.data.len);
}

static void on_exited(struct remote *remote, struct msg_bytes payload)
{
	struct msg_exec_exited exited = {.code = EXIT_NO_SIGNAL};

	msg_decode(MSG_EXEC_EXITED, payload, &exited);
	remote_release(remote);
	remote->on_end(remote, &exited, NULL);
}

static void on_failed(struct remote *remote, const struct msg_envelope *envelope)
{
	struct msg_exec_exited none = {0};
	struct msg_exec_failed failed = {0};
	struct msg_error error = {0};
	char why[512];

	if (envelope->type == MSG_EXEC_FAILED)
		msg_decode(MSG_EXEC_FAILED, envelope->payload, &failed);
	else if (msg_decode(MSG_ERROR, envelope->payload, &error) == 0)
		failed.message = error.message;
	snprintf(why, sizeof(why), "%.*s", (int)failed.message.len, failed.message.ptr);
	remote_release(remote);
	remote->on_end(remote, &none,
		       why[0] ? why : "the agent refused the session, and does not say why");
}

void connection_on_frame(struct connection *connection, const struct frame *frame,
			 const struct msg_envelope *envelope)
{
	struct remote *remote = connection->first;
	struct msg_credit credit;

	while (remote && remote->id != frame->id)
		remote = remote->next;
	if (!remote)
		return;
	switch (envelope->type) {
	case MSG_EXEC_STARTED:
		on_started(remote, envelope->payload);
		break;
	case MSG_EXEC_STDOUT:
	case MSG_EXEC_STDERR:
		on_data(remote, envelope);
		break;
	case MSG_EXEC_STDIN_CREDIT:
		if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
			credit_consumed(&remote->input, credit.consumed);
		break;
	case MSG_EXEC_EXITED:
		on_exited(remote, envelope->payload);
		break;
	case MSG_EXEC_FAILED:
	case MSG_ERROR:
		on_failed(remote, envelope);
		break;
	default:
		break;
	}
}
