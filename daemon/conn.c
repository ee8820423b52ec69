/* One client's connection: see conn.h. */
#include "conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/log.h"
#include "../shared/version.h"

#define FRAMES_A_TURN 64
/* Over this much output that nobody takes, not even the client's signals are read any more. */
#define CHOKED (JOB_OUTPUT_LIMIT + PUMP_READ_MAX + 256 * 1024)

#define FEATURES                                                                                   \
	(MSG_FEATURE_TIMEOUT | MSG_FEATURE_LINGER | MSG_FEATURE_ON_DISCONNECT |                    \
	 MSG_FEATURE_LOGIN_SHELL | MSG_FEATURE_USAGE | MSG_FEATURE_OUTPUT_CLOSE)

struct conn {
	struct conn_host *host;
	struct conn *next, *prev;
	struct link link;
	struct job_outlet outlet;
	struct loop_task turn;
	struct loop_grave grave;
	bool trusted;
	bool was_full;
	bool doomed; /* to be closed after this frame */
	char name[32];
};

/* A frame with what its envelope says. */
struct letter {
	const struct frame *frame;
	struct msg_envelope envelope;
};

static struct loop *loop_of(const struct conn *conn)
{
	return conn->host->jobs->loop;
}

static void free_conn(struct loop_grave *grave)
{
	free((char *)grave - offsetof(struct conn, grave));
}

static void conn_close(struct conn *conn, const char *why)
{
	struct conn_host *host = conn->host;

	log_info("%s: closed: %s", conn->name, why);
	job_lose_client(&conn->outlet);
	loop_unmark(loop_of(conn), &conn->turn);
	link_release(&conn->link);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		host->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	host->conn_count--;
	loop_bury(loop_of(conn), &conn->grave, free_conn);
	host->on_closed(host);
}

/* ---- answers ---- */

/* Says why a message was refused, to peers that know core.error, and ends the id for them. */
static void refuse(struct conn *conn, const struct letter *letter, enum msg_refusal kind,
		   const char *message)
{
	uint32_t id = letter->frame->id;
	struct job *job = job_find(&conn->outlet, id);

	log_info("%s: id %u: %s", conn->name, id, message);
	/* core.error is terminal: the client forgets the id, so the command must not go on. */
	if (job)
		job_abandon(job);
	if (id == 0)
		return;
	if (letter->envelope.v && letter->envelope.v < MSG_GENERATION_ERR) {
		/* It cannot decode core.error: silence, unless it would wait for ever. */
		conn->doomed |= letter->envelope.type == MSG_EXEC_REQUEST;
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

	if (job_find(&conn->outlet, letter->frame->id))
		return -EEXIST;
	if (decode(conn, letter, &request) == 0)
		job_start(conn->host->jobs, &conn->outlet, letter->frame->id, &request,
			  conn->host->max_jobs);
	return 0;
}

static int on_stdin(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_data data;

	if (decode(conn, letter, &data) == 0 && job)
		job_input(job, data.data);
	return 0;
}

static int on_resize(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_find(&conn->outlet, letter->frame->id);
	struct msg_exec_resize resize;

	if (decode(conn, letter, &resize) == 0 && job)
		job_resize(job, resize.rows, resize.cols);
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
	/* Not core.error: the SDK takes that for the end of an empty file. */
	return msg_put_fs_refusal(&conn->link.out, letter->frame->id,
				  "filesystem operations are not supported by this agent");
}

static int on_tcp_connect(struct conn *conn, const struct letter *letter)
{
	return msg_put_tcp_refusal(&conn->link.out, letter->frame->id,
				   "TCP forwarding is not supported by this agent");
}

/* What is for another place (a serial port), another direction, or for nobody any more. */
static int on_ignored(struct conn *conn, const struct letter *letter)
{
	log_debug("%s: %s ignored", conn->name, msg_name(letter->envelope.type));
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
	[MSG_CLOCK_SYNC] = {on_ignored, false, true},
	[MSG_PING] = {on_ping, true, true},
	[MSG_TOUCH] = {on_touch, true, true},
	[MSG_EXEC_REQUEST] = {on_request, true, false},
	[MSG_EXEC_STDIN] = {on_stdin, false, false},
	[MSG_EXEC_RESIZE] = {on_resize, false, false},
	[MSG_EXEC_SIGNAL] = {on_signal, false, false},
	[MSG_EXEC_OUTPUT_CLOSE] = {on_output_close, false, false},
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
		return -EPROTO;
	if (!handler->passive)
		conn->host->jobs->activity++;
	return handler->run ? handler->run(conn, letter) : on_ignored(conn, letter);
}

static int on_frame(struct conn *conn, const struct frame *frame)
{
	struct letter letter = {.frame = frame};

	if (frame->id >= CONN_ID_END)
		return -EPROTO;
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

/* ---- the turn: after each batch, everything is derived anew from the queues ---- */

static bool is_choked(const struct conn *conn)
{
	return conn->outlet.stalled || buf_len(&conn->link.out) >= CHOKED;
}

/* Takes frames while there is room for what they cause. 0, or -errno to close. */
static int take_frames(struct conn *conn)
{
	struct frame frame;
	int r;

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		if (is_choked(conn))
			return 0;
		r = link_next(&conn->link, &frame);
		if (r <= 0)
			return r;
		r = on_frame(conn, &frame);
		if (r == 0 && conn->doomed)
			r = -EPROTO;
		link_done(&conn->link, &frame);
		if (r < 0)
			return r;
	}
	loop_mark(loop_of(conn), &conn->turn);
	return 0;
}

static void send_frames(struct conn *conn)
{
	size_t before = buf_len(&conn->link.out);
	bool full;

	link_flush(&conn->link);
	full = buf_len(&conn->link.out) >= JOB_OUTPUT_LIMIT;
	if (before && !buf_len(&conn->link.out))
		conn->outlet.sent_ms = loop_now_ms();
	if (full != conn->was_full || (before && !buf_len(&conn->link.out)))
		job_outlet_moved(&conn->outlet);
	conn->was_full = full;
}

static void on_turn(struct loop_task *task)
{
	struct conn *conn = (struct conn *)((char *)task - offsetof(struct conn, turn));
	struct frame frame;
	int r = take_frames(conn);

	send_frames(conn);
	if (r < 0) {
		conn_close(conn, r == -EMSGSIZE || r == -EBADMSG ? "framing lost" : strerror(-r));
		return;
	}
	if (conn->link.broken) {
		conn_close(conn, "the client takes no more");
		return;
	}
	/* What came before the end is still acted upon, unless it waits behind a stalled session. */
	if (conn->link.ended && (is_choked(conn) || link_next(&conn->link, &frame) == 0)) {
		conn_close(conn, "the client is gone");
		return;
	}
	link_watch(&conn->link, !is_choked(conn));
}

static void on_ready(struct link *link, uint32_t ready)
{
	struct conn *conn = (struct conn *)((char *)link - offsetof(struct conn, link));

	if ((ready & LOOP_IN) && !link->ended)
		link_read(link);
	loop_mark(loop_of(conn), &conn->turn);
}

/* ---- opening ---- */

static int greet(struct conn *conn)
{
	static const char version[] = "msb-execd/" MSB_EXEC_VERSION;
	struct conn_host *host = conn->host;
	struct msg_ready ready = {
		.boot_time_ns = host->boot_time_ns,
		.init_time_ns = host->init_time_ns,
		.ready_time_ns = host->ready_time_ns,
		.agent_version = {version, sizeof(version) - 1},
		.features = FEATURES,
	};
	uint8_t range[8];
	int r;

	frame_put_u32(range, CONN_ID_MIN);
	frame_put_u32(range + 4, CONN_ID_END);
	r = buf_append(&conn->link.out, range, sizeof(range));
	return r < 0 ? r : msg_put_ready(&conn->link.out, &ready);
}

int conn_open(struct conn_host *host, int in_fd, int out_fd, bool trusted, const char *name)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn)
		return -ENOMEM;
	conn->host = host;
	conn->trusted = trusted;
	conn->turn.on_run = on_turn;
	snprintf(conn->name, sizeof(conn->name), "%s", name);
	r = link_init(&conn->link, host->jobs->loop, in_fd, out_fd, JOB_FRAMES_MAX,
		      &host->jobs->spare, on_ready);
	conn->outlet.frames = &conn->link.out;
	conn->outlet.flush = &conn->turn;
	if (r == 0)
		r = greet(conn);
	if (r < 0) {
		link_release(&conn->link);
		free(conn);
		return r;
	}
	conn->next = host->conns;
	if (host->conns)
		host->conns->prev = conn;
	host->conns = conn;
	host->conn_count++;
	/* At once: the client waits for it. */
	link_flush(&conn->link);
	link_watch(&conn->link, true);
	return 0;
}

size_t conn_flush_all(struct conn_host *host)
{
	size_t left = 0;

	for (struct conn *conn = host->conns; conn; conn = conn->next) {
		link_flush(&conn->link);
		left += conn->link.broken ? 0 : buf_len(&conn->link.out);
	}
	return left;
}

void conn_close_all(struct conn_host *host)
{
	while (host->conns)
		conn_close(host->conns, "the daemon ends");
}
