/*
 * What becomes of each frame that a client sends: one handler a type, and the answers to what is
 * wrong or not ours to do.
 */
#include <errno.h>
#include <stdio.h>

#include "../shared/log.h"
#include "conn_inside.h"

/* A frame with what its envelope says. */
struct letter {
	const struct frame *frame;
	struct msg_envelope envelope;
};

/* ---- answers ---- */

/* Says why a message was refused, to peers that know core.error, and ends the id for them. */
static void refuse(struct conn *conn, const struct letter *letter, enum msg_refusal kind,
		   const char *message)
{
	uint32_t id = letter->frame->id;
	struct job *job = job_find(&conn->outlet, id);

	log_info("%s: id %u: %s", conn->name, id, message);
	if (conn->serial && kind != MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE)
		serial_refused(conn, letter->frame, letter->envelope.type, message);
	/* core.error is terminal: the client forgets the id, so the command must not go on. */
	if (job)
		job_abandon(job);
	if (id == 0)
		return;
	if (letter->envelope.v < MSG_GENERATION_ERR) {
		/* It cannot decode core.error: silence, unless it would wait for ever. */
		bool waits = job || letter->envelope.type == MSG_EXEC_REQUEST;

		if (waits && conn->serial)
			msg_put_exec_failed(&conn->link.out, id, MSG_FAILURE_OTHER, 0, message,
					    NULL);
		else
			conn->doomed |= waits;
		return;
	}
	msg_put_error(&conn->link.out, id, kind, message, letter->envelope.type_name);
}

/* Decodes the payload, or refuses. */
static int decode(struct conn *conn, const struct letter *letter, void *ret_struct)
{
	char message[160];

	if (msg_decode(letter->envelope.type, letter->envelope.payload, ret_struct) == 0)
		return 0;
	snprintf(message, sizeof(message), "the payload of %s does not decode",
		 msg_name(letter->envelope.type));
	refuse(conn, letter, MSG_REFUSAL_INVALID_PAYLOAD, message);
	return -EBADMSG;
}

/* ---- one handler a type: 0, or -errno to close the connection ---- */

static int on_request(struct conn *conn, const struct letter *letter)
{
	struct msg_exec_request request;

	if (job_find(&conn->outlet, letter->frame->id)) {
		if (!conn->serial)
			return -EEXIST;
		/* An answer would end the live one for its client. */
		log_warn("%s: id %u is in use; a second request for it is dropped", conn->name,
			 letter->frame->id);
		return 0;
	}
	conn->used = true;
	if (decode(conn, letter, &request) == 0)
		job_start(conn->host->jobs, &conn->outlet, letter->frame->id, &request,
			  conn->host->max_jobs);
	return 0;
}

static int on_stdin(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_data data;

	if (decode(conn, letter, &data) < 0 || !job)
		return 0;
	/* More of that size may be moved, if the link reads their heads alone. */
	if (data.data.len >= BULK_WORTH && conn->link.in_socket && job_can_move_input(job))
		conn->link.narrow = MSG_BULK_HEAD_STDIN;
	job_input(job, data.data);
	return 0;
}

static int on_resize(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_exec_resize resize;

	if (decode(conn, letter, &resize) == 0 && job)
		job_resize(job, &resize);
	return 0;
}

static int on_signal(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_exec_signal signal;

	if (decode(conn, letter, &signal) == 0 && job)
		job_signal(job, signal.signal);
	return 0;
}

static int on_output_close(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_output_close close;
	int stream;

	if (decode(conn, letter, &close) < 0)
		return 0;
	stream = msg_stream_parse(close.stream);
	if (stream < 0)
		refuse(conn, letter, MSG_REFUSAL_INVALID_PAYLOAD, "no such output stream");
	else if (job)
		job_close_output(job, (enum msg_stream)stream);
	return 0;
}

static int on_output_credit(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_credit credit;

	if (decode(conn, letter, &credit) == 0 && job)
		job_output_credit(job, credit.consumed);
	return 0;
}

static int on_ping(struct conn *conn, const struct letter *letter)
{
	if (decode(conn, letter, NULL) < 0)
		return 0;
	return msg_put_empty(&conn->link.out, letter->frame->id, MSG_PONG);
}

static int on_touch(struct conn *conn, const struct letter *letter)
{
	if (decode(conn, letter, NULL) < 0)
		return 0;
	return msg_put_touched(&conn->link.out, letter->frame->id, ++conn->host->jobs->activity);
}

static int on_shutdown(struct conn *conn, const struct letter *letter)
{
	(void)letter;
	if (conn->trusted)
		conn->host->on_shutdown(conn->host);
	else
		log_warn("%s: may not shut down the agent", conn->name);
	return 0;
}

static int on_fs_request(struct conn *conn, const struct letter *letter)
{
	conn->host->jobs->activity++;
	/* Not core.error: the SDK takes that for the end of an empty file. */
	return msg_put_fs_refusal(&conn->link.out, letter->frame->id,
				  "filesystem operations are not supported by this agent");
}

static int on_tcp_connect(struct conn *conn, const struct letter *letter)
{
	conn->host->jobs->activity++;
	return msg_put_tcp_refusal(&conn->link.out, letter->frame->id,
				   "TCP forwarding is not supported by this agent");
}

/* What is for another place (a serial port), another direction, or for nobody any more. */
static int on_ignored(struct conn *conn, const struct letter *letter)
{
	log_debug("%s: %s ignored", conn->name, msg_name(letter->envelope.type));
	return 0;
}

/* ---- from the host on a serial stream, never from a client behind it, whose ids are not 0 ---- */

static bool is_hosts(const struct conn *conn, const struct letter *letter)
{
	return conn->serial && letter->frame->id == 0;
}

static int on_bootstrap(struct conn *conn, const struct letter *letter)
{
	struct msg_bootstrap bootstrap;

	if (!is_hosts(conn, letter))
		return on_ignored(conn, letter);
	if (decode(conn, letter, &bootstrap) == 0)
		serial_boot(conn, &bootstrap);
	return 0;
}

static int on_init_ack(struct conn *conn, const struct letter *letter)
{
	if (!is_hosts(conn, letter))
		return on_ignored(conn, letter);
	serial_ack(conn);
	return 0;
}

static int on_client_disconnected(struct conn *conn, const struct letter *letter)
{
	struct msg_id_range range;

	if (!is_hosts(conn, letter))
		return on_ignored(conn, letter);
	/* Whatever they still write: an answer to a later ping comes behind their last frame. */
	if (decode(conn, letter, &range) == 0)
		job_lose_ids(&conn->outlet, range.start, range.end);
	return 0;
}

static int on_unknown(struct conn *conn, const struct letter *letter)
{
	refuse(conn, letter, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
	       "this agent does not know such a message");
	return 0;
}

struct handler {
	int (*run)(struct conn *conn, const struct letter *letter);
	bool starts;  /* opens a session or asks for one answer: needs an id of the range */
	bool passive; /* does not count as activity */
};

static const struct handler handlers[MSG_TYPE_COUNT] = {
	[MSG_UNKNOWN] = {on_unknown, false, false},
	[MSG_SHUTDOWN] = {on_shutdown, false, false},
	[MSG_BOOTSTRAP] = {on_bootstrap, false, false},
	[MSG_INIT_ACK] = {on_init_ack, false, false},
	[MSG_RELAY_CLIENT_DISCONNECTED] = {on_client_disconnected, false, false},
	[MSG_CLOCK_SYNC] = {on_ignored, false, true},
	[MSG_PING] = {on_ping, true, true},
	[MSG_TOUCH] = {on_touch, true, true},
	[MSG_EXEC_REQUEST] = {on_request, true, false},
	[MSG_EXEC_STDIN] = {on_stdin, false, false},
	[MSG_EXEC_RESIZE] = {on_resize, false, false},
	[MSG_EXEC_SIGNAL] = {on_signal, false, false},
	[MSG_EXEC_OUTPUT_CLOSE] = {on_output_close, false, false},
	[MSG_EXEC_OUTPUT_CREDIT] = {on_output_credit, false, true},
	[MSG_FS_REQUEST] = {on_fs_request, true, false},
	[MSG_TCP_CONNECT] = {on_tcp_connect, true, false},
};

static bool check_flags(struct conn *conn, const struct letter *letter)
{
	uint8_t expected = msg_flags(letter->envelope.type), got = letter->frame->flags;
	char message[160];

	if (letter->envelope.type == MSG_UNKNOWN || got == expected)
		return true;
	snprintf(message, sizeof(message), "invalid flags for %s: got %u, expected %u",
		 msg_name(letter->envelope.type), got, expected);
	refuse(conn, letter, MSG_REFUSAL_INVALID_FLAGS, message);
	return false;
}

static int dispatch(struct conn *conn, const struct letter *letter)
{
	const struct handler *handler = &handlers[letter->envelope.type];

	if (!check_flags(conn, letter))
		return 0;
	/* Id 0 is for what concerns the agent as a whole, and only its own types may use it. */
	if (handler->starts && letter->frame->id == 0)
		return conn->serial ? on_ignored(conn, letter) : -EPROTO;
	if (!handler->passive)
		conn->host->jobs->activity++;
	return handler->run ? handler->run(conn, letter) : on_ignored(conn, letter);
}

int dispatch_frame(struct conn *conn, const struct frame *frame)
{
	struct letter letter = {.frame = frame, .envelope.v = MSG_GENERATION};

	if (!conn->serial && frame->id >= CONN_ID_END)
		return -EPROTO;
	/* What was meant for another host's agent, or by one whose bootstrap was no good. */
	if (conn->serial && !conn->greeted && frame->id) {
		log_info("%s: id %u: dropped, since ready is still to come", conn->name, frame->id);
		return 0;
	}
	if (frame->flags & FRAME_BULK) {
		refuse(conn, &letter, MSG_REFUSAL_INVALID_FLAGS, "bulk records are not supported");
		return 0;
	}
	if (msg_open(frame, &letter.envelope) < 0) {
		refuse(conn, &letter, MSG_REFUSAL_MALFORMED_MESSAGE,
		       "the message is not a map of v, t and p");
		return 0;
	}
	return dispatch(conn, &letter);
}
