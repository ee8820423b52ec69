/* One client's connection: see conn.h. */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/version.h"

/* Over this much output that nobody takes, not even the client's signals are read any more. */
#define CHOKED (JOB_OUTPUT_LIMIT + PUMP_READ_MAX + 256 * 1024)

#define FEATURES                                                                     \
	(MSG_FEATURE_TIMEOUT | MSG_FEATURE_LINGER | MSG_FEATURE_ON_DISCONNECT |      \
	 MSG_FEATURE_LOGIN_SHELL | MSG_FEATURE_USAGE | MSG_FEATURE_OUTPUT_CLOSE |    \
	 MSG_FEATURE_STDIN_WINDOW | MSG_FEATURE_OUTPUT_WINDOW | MSG_FEATURE_PIXELS | \
	 MSG_FEATURE_MERGE_OUTPUT | MSG_FEATURE_USER_SHELL | MSG_FEATURE_CGROUP)

static struct loop *loop_of(const struct conn *conn)
{
	return conn->host->jobs->loop;
}

static void free_conn(struct loop_grave *grave)
{
	free(container_of(grave, struct conn, grave));
}

static void close_conn(struct conn *conn, const char *why)
{
	struct conn_host *host = conn->host;

	log_rate_end(&conn->said, conn->name);
	log_caused(LOG_LEVEL_INFO, "%s: closed: %s", conn->name, why);
	outlet_lose(&conn->outlet, 0, UINT64_MAX);
	frame_clock_stop(&conn->clock);
	loop_disarm(loop_of(conn), &conn->rest);
	link_release(&conn->link);
	list_remove(&host->conns, &conn->in_host);
	host->conn_count--;
	if (conn->use)
		conn->use->connections--;
	if (conn->calls->on_closed)
		conn->calls->on_closed(conn);
	else
		loop_bury(loop_of(conn), &conn->grave, free_conn);
	host->on_closed(host);
}

/* ---- the turn: after each batch, everything is derived anew from the queues ---- */

bool conn_is_choked(struct conn *conn)
{
	return outlet_is_stalled(&conn->outlet) || buf_len(link_out(&conn->link)) >= CHOKED;
}

static uint64_t rest_us(const struct conn *conn)
{
	return conn->use ? share_rest(&conn->use->share, loop_now_us()) : 0;
}

static enum link_wish wish(struct link *link)
{
	struct conn *conn = container_of(link, struct conn, link);

	conn->rests = rest_us(conn) > 0;
	if (conn_is_choked(conn))
		return LINK_CHOKED;
	return conn->rests ? LINK_WAIT : LINK_TAKE;
}

static void on_rested(struct loop_timer *timer)
{
	link_mark(&container_of(timer, struct conn, rest)->link);
}

/* Of one user's connections those are heard first that were not in this turn. */
static void rest(struct conn *conn)
{
	/* It may be over since it was asked for. */
	if (conn->rests && !conn->rest.armed)
		loop_arm(loop_of(conn), &conn->rest, rest_us(conn) / 1000 + 1 + conn->heard);
	conn->heard = false;
}

/* The beginning of a large frame of input: the rest goes to the command without our memory. */
static bool on_part(struct link *link, const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	struct conn *conn = container_of(link, struct conn, link);
	struct outlet_member *member;
	struct msg_bytes have;

	conn->body_id = frame_u32(buf_head(in) + FRAME_PREFIX_LEN);
	member = outlet_find(&conn->outlet, conn->body_id);
	*ret_head = msg_peek_data(in, conn->body_id, MSG_EXEC_STDIN, ret_body);
	if (!*ret_head || !member || !member->calls->can_move(member))
		return false;
	have = (struct msg_bytes){buf_head(in) + *ret_head, buf_len(in) - *ret_head};
	if (have.len)
		member->calls->on_input(member, have);
	link_limit_readahead(link, MSG_BULK_HEAD_STDIN);
	conn->host->jobs->activity++;
	return true;
}

static ssize_t on_body(struct link *link, int fd, size_t len)
{
	struct conn *conn = container_of(link, struct conn, link);

	return outlet_move(outlet_find(&conn->outlet, conn->body_id), fd, len);
}

static int on_frame(struct link *link, const struct frame *frame)
{
	struct conn *conn = container_of(link, struct conn, link);

	uint64_t begun_us = loop_now_us();
	struct peer_use *use = conn->use;
	int r;

	if (frame->wire_len < CONN_BULK_MIN)
		link_limit_readahead(link, 0);
	conn->heard = true;
	r = conn->calls->on_frame(conn, frame);
	if (use)
		share_spend(&use->share, begun_us, loop_now_us());
	return r;
}

static void on_flushed(struct link *link, bool emptied)
{
	struct conn *conn = container_of(link, struct conn, link);

	outlet_flushed(&conn->outlet, emptied);
}

static void on_watched(struct link *link, bool reads)
{
	struct conn *conn = container_of(link, struct conn, link);

	rest(conn);
	if (conn->calls->on_turn)
		conn->calls->on_turn(conn);
	else
		frame_clock_run(&conn->clock, link, reads);
}

/* Of a peer that left there is nothing to say. */
static void tell_failure(const struct conn *conn, const char *what, int error)
{
	if (error && error != EPIPE && error != ECONNRESET)
		log_warn("%s: %s: %s", conn->name, what, strerror(error));
}

static void on_end(struct link *link, enum link_end how, int error)
{
	struct conn *conn = container_of(link, struct conn, link);

	if (how != LINK_SENSELESS || error == ENOMEM)
		tell_failure(conn, how == LINK_ENDED ? "cannot read" : "cannot send", error);

	if (how == LINK_ENDED)
		close_conn(conn, "the client is gone");
	else if (how == LINK_BROKEN)
		close_conn(conn, "the client takes no more");
	else if (conn->calls->on_framing_lost)
		conn->calls->on_framing_lost(conn);
	else
		close_conn(conn, error == EMSGSIZE || error == EBADMSG ? "framing lost"
								       : strerror(error));
}

static const struct link_calls link_calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_part = on_part,
	.on_body = on_body,
	.on_flushed = on_flushed,
	.on_watched = on_watched,
	.on_end = on_end,
};

static void on_frame_late(struct loop_timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, clock.timer);
	const char *why = frame_clock_late(&conn->clock, &conn->link);

	link_flush(&conn->link);
	close_conn(conn, why);
}

/* ---- opening ---- */

int conn_greet(struct conn *conn, uint32_t frame_mark)
{
	static const char version[] = "msb-execd/" MSB_EXEC_VERSION;
	struct conn_host *host = conn->host;
	struct msg_ready ready = {
		.boot_time_ns = host->boot_time_ns,
		.init_time_ns = host->ready_time_ns - host->boot_time_ns,
		.ready_time_ns = host->ready_time_ns,
		.agent_version = {version, sizeof(version) - 1},
		.features = FEATURES | (host->jobs->keeper.keeps ? MSG_FEATURE_SESSIONS : 0u) |
			    (conn->relayed ? MSG_FEATURE_FRAME_MARK : 0u),
		.frame_mark = frame_mark,
	};

	return msg_put(link_out(&conn->link), 0, MSG_READY, &ready);
}

static enum owner_way way_of(const struct peer *peer)
{
	if (peer->kind == PEER_PORT)
		return OWNER_BY_SERIAL;
	if (peer->kind == PEER_USER)
		return OWNER_BY_UNIX;
	return peer->cid ? OWNER_BY_VSOCK : OWNER_BY_STDIO;
}

static struct owner owner_of(const struct peer *peer)
{
	static const enum owner_kind kinds[] = {
		[PEER_HOST] = OWNER_HOST,
		[PEER_PORT] = OWNER_HOST,
		[PEER_USER] = OWNER_USER,
		[PEER_MACHINE] = OWNER_MACHINE,
	};

	return (struct owner){
		.kind = kinds[peer->kind],
		.number = peer->number,
		.running = peer->use ? &peer->use->sessions : NULL,
		.way = way_of(peer),
		.pid = peer->pid,
		.cid = peer->cid,
		.port = peer->port,
	};
}

void conn_init(struct conn *conn, struct conn_host *host, int in_fd, int out_fd,
	       const struct peer *peer, enum link_manner manner, const struct conn_calls *calls)
{
	*conn = (struct conn){
		.host = host,
		.calls = calls,
		.trusted = peer->trusted,
		.owner = owner_of(peer),
		.relayed = peer->kind == PEER_PORT,
		.comes_once = way_of(peer) == OWNER_BY_STDIO,
		.use = peer->use,
		.rest.on_due = on_rested,
	};
	snprintf(conn->name, sizeof(conn->name), "%s", peer->name);
	outlet_init(&conn->outlet, &conn->link);
	link_init(&conn->link, loop_of(conn), in_fd, out_fd, JOB_FRAMES_MAX,
		  peer_memory(peer, &host->jobs->spare), &link_calls, manner);
	if (conn->use)
		conn->use->connections++;
	list_append(&host->conns, &conn->in_host);
	host->conn_count++;
}

int conn_open(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer)
{
	struct conn *conn = malloc(sizeof(*conn));
	uint8_t range[8];

	if (!conn) {
		close(in_fd);
		if (out_fd != in_fd)
			close(out_fd);
		return -ENOMEM;
	}
	conn_init(conn, host, in_fd, out_fd, peer, LINK_HEARS_HANGUP, host->calls);
	lively_stir(&host->jobs->lively, &conn->outlet, NULL, loop_now_us());
	frame_clock_start(&conn->clock, loop_of(conn), host->budget, on_frame_late);
	frame_put_u32(range, CONN_ID_MIN);
	frame_put_u32(range + 4, CONN_ID_END);
	if (buf_append(link_out(&conn->link), range, sizeof(range)) < 0 ||
	    conn_greet(conn, 0) < 0) {
		close_conn(conn, "no memory");
		return -ENOMEM;
	}
	/* At once: the client waits for it. */
	link_flush(&conn->link);
	link_mark(&conn->link);
	return 0;
}

bool conn_make_room(struct conn_host *host, const struct peer_use *of)
{
	struct conn *conn, *found = NULL;
	uint64_t longest = BUDGET_SILENCE_US - 1, silence;
	const char *why;

	list_each(conn, &host->conns, in_host) {
		if (conn->comes_once || (of && conn->use != of))
			continue;
		silence = frame_clock_silence(&conn->clock, &conn->link);
		if (silence <= longest)
			continue;
		longest = silence;
		found = conn;
	}
	if (!found)
		return false;
	why = budget_make_way(&found->link);
	link_flush(&found->link);
	close_conn(found, why);
	return true;
}

size_t conn_flush_all(struct conn_host *host)
{
	struct conn *conn;
	size_t left = 0;

	list_each(conn, &host->conns, in_host) {
		on_flushed(&conn->link, link_flush(&conn->link));
		left += link_is_broken(&conn->link) ? 0 : link_unsent(&conn->link);
	}
	return left;
}

void conn_close_all(struct conn_host *host)
{
	struct conn *conn;

	while ((conn = list_first(&host->conns, struct conn, in_host)))
		close_conn(conn, "the daemon ends");
}
