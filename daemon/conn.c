/* One client's connection: see conn.h. */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "../shared/version.h"
#include "conn_inside.h"

#define FRAMES_A_TURN 256
/* Over this much output that nobody takes, not even the client's signals are read any more. */
#define CHOKED (JOB_OUTPUT_LIMIT + PUMP_READ_MAX + 256 * 1024)

#define FEATURES                                                                  \
	(MSG_FEATURE_TIMEOUT | MSG_FEATURE_LINGER | MSG_FEATURE_ON_DISCONNECT |   \
	 MSG_FEATURE_LOGIN_SHELL | MSG_FEATURE_USAGE | MSG_FEATURE_OUTPUT_CLOSE | \
	 MSG_FEATURE_STDIN_WINDOW | MSG_FEATURE_OUTPUT_WINDOW | MSG_FEATURE_PIXELS)

static struct loop *loop_of(const struct conn *conn)
{
	return conn->host->jobs->loop;
}

static void free_conn(struct loop_grave *grave)
{
	free(container_of(grave, struct conn, grave));
}

void conn_close(struct conn *conn, const char *why)
{
	struct conn_host *host = conn->host;

	log_info("%s: closed: %s", conn->name, why);
	job_lose_client(&conn->outlet);
	loop_unmark(loop_of(conn), &conn->turn);
	frame_clock_stop(&conn->clock);
	link_release(&conn->link);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		host->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	host->conn_count--;
	if (conn->open)
		--*conn->open;
	loop_bury(loop_of(conn), &conn->grave, free_conn);
	if (conn->serial)
		serial_close(conn);
	host->on_closed(host);
}

/* ---- the turn: after each batch, everything is derived anew from the queues ---- */

bool conn_is_choked(const struct conn *conn)
{
	return conn->outlet.stalled || buf_len(&conn->link.out) >= CHOKED;
}

/* The beginning of a large frame of input: the rest goes to the command without our memory. */
static bool take_part(struct conn *conn)
{
	struct link *link = &conn->link;
	struct job *job;
	size_t head_len, len;
	struct msg_bytes have;

	if (!link->in_socket || buf_len(&link->in) < FRAME_HEADER_LEN)
		return false;
	conn->body_id = frame_u32(buf_head(&link->in) + FRAME_PREFIX_LEN);
	job = job_find(&conn->outlet, conn->body_id);
	head_len = msg_peek_data(&link->in, conn->body_id, MSG_EXEC_STDIN, &len);
	if (!head_len || !job || !job_can_move_input(job))
		return false;
	have = (struct msg_bytes){buf_head(&link->in) + head_len, buf_len(&link->in) - head_len};
	if (have.len)
		job_input(job, have);
	buf_consume(&link->in, head_len + have.len);
	link->body = len - have.len;
	link->narrow = MSG_BULK_HEAD_STDIN;
	conn->host->jobs->activity++;
	return true;
}

/* Whether all of it is taken. */
static bool move_body(struct conn *conn)
{
	struct link *link = &conn->link;

	while (link->body && !conn_is_choked(conn)) {
		ssize_t n = job_move_input(job_find(&conn->outlet, conn->body_id), link->in_fd,
					   link->body);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return false;
		if (n <= 0) {
			link->ended = true;
			link->error = (int)-n;
			link->body = 0;
			return false;
		}
		link->body -= (size_t)n;
	}
	return !link->body;
}

/* Takes frames while there is room for what they cause. 0, or -errno to close. */
static int take_frames(struct conn *conn)
{
	struct frame frame;
	int r;

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		if (conn_is_choked(conn) || !move_body(conn))
			return 0;
		r = link_next(&conn->link, &frame);
		if (r == 0 && take_part(conn))
			continue;
		if (r <= 0)
			return r;
		if (frame.wire_len < BULK_WORTH)
			conn->link.narrow = 0;
		r = dispatch_frame(conn, &frame);
		if (r == 0 && conn->doomed)
			r = -EPROTO;
		link_done(&conn->link, &frame);
		if (r < 0)
			return r;
	}
	return 0;
}

static void send_frames(struct conn *conn)
{
	bool unsent = link_unsent(&conn->link) > 0;

	link_flush(&conn->link);
	if (unsent && !link_unsent(&conn->link))
		conn->outlet.sent_ms = loop_now_ms();
	job_outlet_moved(&conn->outlet);
}

static void on_turn(struct loop_task *task)
{
	struct conn *conn = container_of(task, struct conn, turn);
	struct frame frame;
	int r = take_frames(conn);

	if (conn->serial) {
		serial_turn(conn, r);
		r = 0;
	}
	send_frames(conn);
	if (r < 0) {
		conn_close(conn, r == -EMSGSIZE || r == -EBADMSG ? "framing lost" : strerror(-r));
		return;
	}
	if (conn->link.broken) {
		conn_close(conn, "the client takes no more");
		return;
	}
	/* What came before the end is still acted upon, unless it waits behind a stalled session.
	 */
	if (conn->link.ended && (conn_is_choked(conn) || link_next(&conn->link, &frame) == 0)) {
		conn_close(conn, "the client is gone");
		return;
	}
	if (!conn->serial)
		frame_clock_run(&conn->clock, &conn->link, !conn_is_choked(conn));
	/* Derived after the flush: what choked us may have gone out just now. */
	if (link_watch(&conn->link, !conn_is_choked(conn), true))
		loop_mark(loop_of(conn), &conn->turn);
}

static void on_ready(struct link *link, uint32_t ready)
{
	struct conn *conn = container_of(link, struct conn, link);

	if ((ready & LOOP_IN) && !link->ended)
		link_read(link);
	/* While its input is not read: what it still had to say was for commands that end now. */
	if ((ready & LOOP_HUP) && conn->serial)
		serial_hang_up(conn);
	if (ready & LOOP_HUP)
		link->ended = true;
	loop_mark(loop_of(conn), &conn->turn);
}

static void on_frame_late(struct loop_timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, clock.timer);
	const char *why = frame_clock_late(&conn->clock, &conn->link);

	link_flush(&conn->link);
	conn_close(conn, why);
}

/* ---- opening ---- */

int conn_greet(struct conn *conn)
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

	return msg_put_ready(&conn->link.out, &ready);
}

static int tell_range(struct conn *conn)
{
	uint8_t range[8];

	frame_put_u32(range, CONN_ID_MIN);
	frame_put_u32(range + 4, CONN_ID_END);
	return buf_append(&conn->link.out, range, sizeof(range));
}

static void add_to_host(struct conn *conn)
{
	struct conn_host *host = conn->host;

	conn->next = host->conns;
	if (host->conns)
		host->conns->prev = conn;
	host->conns = conn;
	host->conn_count++;
}

struct conn *conn_new(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(in_fd);
		if (out_fd != in_fd)
			close(out_fd);
		return NULL;
	}
	conn->host = host;
	conn->trusted = peer->trusted;
	conn->open = peer->open;
	if (conn->open)
		++*conn->open;
	conn->turn.on_run = on_turn;
	snprintf(conn->name, sizeof(conn->name), "%s", peer->name);
	conn->outlet.frames = &conn->link.out;
	conn->outlet.bulk = &conn->link.bulk;
	conn->outlet.flush = &conn->turn;
	link_init(&conn->link, host->jobs->loop, in_fd, out_fd, JOB_FRAMES_MAX, &host->jobs->spare,
		  on_ready);
	add_to_host(conn);
	return conn;
}

int conn_open(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer)
{
	struct conn *conn = conn_new(host, in_fd, out_fd, peer);

	if (!conn)
		return -ENOMEM;
	frame_clock_start(&conn->clock, loop_of(conn), host->budget, on_frame_late);
	if (tell_range(conn) < 0 || conn_greet(conn) < 0) {
		conn_close(conn, "no memory");
		return -ENOMEM;
	}
	/* At once: the client waits for it. */
	link_flush(&conn->link);
	link_watch(&conn->link, true, true);
	return 0;
}

size_t conn_flush_all(struct conn_host *host)
{
	size_t left = 0;

	for (struct conn *conn = host->conns; conn; conn = conn->next) {
		send_frames(conn);
		left += conn->link.broken ? 0 : link_unsent(&conn->link);
	}
	return left;
}

void conn_close_all(struct conn_host *host)
{
	while (host->conns)
		conn_close(host->conns, "the daemon ends");
}
