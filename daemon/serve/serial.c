/* A host on a serial port: see serial.h. */
#include "serial.h"

#include <errno.h>
#include <stdio.h>

#include "shared/base.h"
#include "shared/log.h"

#define ACK_WAIT_MS 2000 /* for a host's word that it has heard the default user */
#define CUT_WAIT_MS 5000 /* for the rest of a frame: the host behind it may be another by now */

static struct loop *loop_of(const struct serial *serial)
{
	return serial->conn.host->jobs->loop;
}

/* What this host's frames have behind them, and ours that follow; 0: nothing. */
static void agree_on(struct serial *serial, uint32_t frame_mark)
{
	link_expect_mark(&serial->conn.link, frame_mark);
	link_mark_frames(&serial->conn.link, frame_mark);
}

static void greet(struct serial *serial, uint32_t frame_mark)
{
	struct conn *conn = &serial->conn;

	loop_disarm(loop_of(serial), &serial->greet_timer);
	serial->state = SERIAL_GREETED;
	if (conn_greet(conn, frame_mark) < 0)
		log_caused(LOG_LEVEL_WARN, "%s: cannot greet: no memory", conn->name);
	agree_on(serial, frame_mark);
	link_mark(&conn->link);
}

static void on_greet(struct loop_timer *timer)
{
	greet(container_of(timer, struct serial, greet_timer), 0);
}

/* Whoever asked for what runs here cannot be answered any more. */
static void forget_sessions(struct serial *serial)
{
	serial->used = false;
	outlet_lose(&serial->conn.outlet, 0, UINT64_MAX);
}

static void refuse_host(struct serial *serial, const char *what, const char *why)
{
	log_caused(LOG_LEVEL_ERROR,
		   "%s: %s%s; no command runs for this host until it sends a bootstrap that is",
		   serial->conn.name, what, why);
	loop_disarm(loop_of(serial), &serial->greet_timer);
	forget_sessions(serial);
	serial->state = SERIAL_REFUSED;
}

/* ---- what comes from the host, with id 0 ---- */

static void on_bootstrap(struct serial *serial, struct msg_bootstrap *bootstrap)
{
	char words[ERR_TEXT_MAX + 64];
	struct msg_init_resolved resolved;
	struct conn *conn = &serial->conn;
	struct err err;

	if (boot_apply(serial->boot, bootstrap, &resolved.default_user, &err) < 0) {
		err_words(&err, words, sizeof(words));
		refuse_host(serial, "the bootstrap is refused: ", words);
		return;
	}
	forget_sessions(serial);
	agree_on(serial, 0);
	serial->state = SERIAL_NEW;
	if (msg_put(link_out(&conn->link), 0, MSG_INIT_RESOLVED, &resolved) < 0)
		log_caused(LOG_LEVEL_WARN, "%s: cannot answer the bootstrap: no memory",
			   conn->name);
	log_caused(LOG_LEVEL_INFO, "%s: bootstrap applied; commands run as %u:%u", conn->name,
		   resolved.default_user.uid, resolved.default_user.gid);
	loop_arm(loop_of(serial), &serial->greet_timer, ACK_WAIT_MS);
}

static void on_ack(struct serial *serial, struct msg_bytes payload)
{
	struct msg_init_ack ack;

	/* The reference has nothing in it. */
	if (msg_decode(MSG_INIT_ACK, payload, &ack) < 0)
		ack.frame_mark = 0;
	if (serial->state == SERIAL_REFUSED)
		return;
	if (serial->used)
		log_caused(LOG_LEVEL_INFO, "%s: the host is new; what ran for it before ends",
			   serial->conn.name);
	forget_sessions(serial);
	greet(serial, ack.frame_mark);
}

static int take_hosts(struct serial *serial, struct incoming *in)
{
	struct msg_bootstrap bootstrap;
	struct msg_id_range range;
	int r = 0;

	switch (in->envelope.type) {
	case MSG_BOOTSTRAP:
		link_pass_marks(&serial->conn.link, false);
		r = incoming_decode(in, &bootstrap);
		if (r == 0)
			on_bootstrap(serial, &bootstrap);
		break;
	case MSG_INIT_ACK:
		link_pass_marks(&serial->conn.link, false);
		on_ack(serial, in->envelope.payload);
		break;
	case MSG_RELAY_CLIENT_DISCONNECTED:
		r = incoming_decode(in, &range);
		/* Whatever they still write: an answer to a later ping comes behind their last frame. */
		if (r == 0)
			outlet_lose(&serial->conn.outlet, range.start, range.end);
		break;
	default:
		return dispatch_incoming(&serial->conn, in);
	}
	serial->conn.host->jobs->activity++;
	return r;
}

/* ---- the stream ---- */

static void refuse(struct serial *serial, const struct incoming *in)
{
	const struct frame *frame = in->frame;
	enum msg_type type = in->envelope.type;

	/* On a stream that many share, one of them cannot be closed. */
	if (dispatch_refuse(&serial->conn, in) < 0)
		msg_put_exec_failed(link_out(&serial->conn.link), frame->id, MSG_FAILURE_OTHER, 0,
				    in->why, NULL);
	if (frame->id || in->fault == MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE)
		return;
	/* Later a client may be behind it: relays let id 0 pass with the flag of a shutdown. */
	if (serial->state == SERIAL_GREETED ? type == MSG_BOOTSTRAP && !frame->flags
					    : type == MSG_BOOTSTRAP || type == MSG_UNKNOWN)
		refuse_host(serial, "", in->why);
}

static int on_frame(struct conn *conn, const struct frame *frame)
{
	struct serial *serial = container_of(conn, struct serial, conn);
	struct incoming in;
	int r;

	/* What was meant for another host's agent, or by one whose bootstrap was no good. */
	if (serial->state != SERIAL_GREETED && frame->id) {
		if (conn_may_say(conn, LOG_LEVEL_INFO))
			log_info("%s: id %u: dropped, since ready is still to come", conn->name,
				 frame->id);
		return 0;
	}
	r = incoming_open(&in, frame);
	if (r == -EPROTO)
		log_debug("%s: %s ignored", conn->name, msg_name(in.envelope.type));
	if (r == 0 && frame->id) {
		serial->used |= in.envelope.type == MSG_EXEC_REQUEST;
		r = dispatch_incoming(conn, &in);
	} else if (r == 0) {
		r = take_hosts(serial, &in);
	}
	if (r == -EBADMSG)
		refuse(serial, &in);
	/* An answer would end the live one for its client. */
	if (r == -EEXIST && conn_may_say(conn, LOG_LEVEL_WARN))
		log_warn("%s: id %u is in use; a second request for it is dropped", conn->name,
			 frame->id);
	return r == -EBADMSG || r == -EEXIST || r == -EPROTO ? 0 : r;
}

/* While the rest of a frame is missing although we read, it may never come. */
static void watch_for_cut(struct serial *serial)
{
	struct link *link = &serial->conn.link;
	const struct buf *cut = link_cut(link);
	size_t len = cut ? buf_len(cut) : 0;

	if (!len || conn_is_choked(&serial->conn) || link_is_starved(link)) {
		loop_disarm(loop_of(serial), &serial->cut_timer);
		len = 0;
	} else if (len != serial->cut) {
		loop_arm(loop_of(serial), &serial->cut_timer, CUT_WAIT_MS);
	}
	serial->cut = len;
}

static void on_turn(struct conn *conn)
{
	struct serial *serial = container_of(conn, struct serial, conn);

	if (serial->state == SERIAL_NEW && !serial->greet_timer.armed)
		greet(serial, 0);
	watch_for_cut(serial);
}

/* Whoever sent what makes no sense may be another host by now. */
static void on_framing_lost(struct conn *conn)
{
	struct serial *serial = container_of(conn, struct serial, conn);

	/* Who begins where another one was cut short may lose it many times. */
	log_caused(serial->used ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s: framing lost%s", conn->name,
		   serial->used ? "; what ran for this host ends" : "");
	/* What is queued to go out are whole frames, of which one may have begun. */
	link_drop_input(&conn->link);
	forget_sessions(serial);
	if (serial->state == SERIAL_GREETED)
		serial->state = SERIAL_NEW;
	loop_disarm(loop_of(serial), &serial->greet_timer);
	link_mark(&conn->link);
	on_turn(conn);
}

static void on_cut(struct loop_timer *timer)
{
	struct serial *serial = container_of(timer, struct serial, cut_timer);

	log_caused(LOG_LEVEL_WARN, "%s: a frame breaks off", serial->conn.name);
	on_framing_lost(&serial->conn);
}

static void on_closed(struct conn *conn)
{
	struct serial *serial = container_of(conn, struct serial, conn);

	loop_disarm(loop_of(serial), &serial->greet_timer);
	loop_disarm(loop_of(serial), &serial->cut_timer);
	serial->on_end(serial);
}

void serial_open(struct serial *serial, struct dispatch *dispatch, int fd, const char *name,
		 uint64_t boot_wait_ms)
{
	static const struct conn_calls calls = {on_frame, on_turn, on_framing_lost, on_closed};
	struct peer peer = {.kind = PEER_PORT, .trusted = true};

	snprintf(peer.name, sizeof(peer.name), "%s", name);
	*serial = (struct serial){
		.boot = serial->boot,
		.on_end = serial->on_end,
		.greet_timer.on_due = on_greet,
		.cut_timer.on_due = on_cut,
	};
	conn_init(&serial->conn, &dispatch->conns, fd, fd, &peer, LINK_DRAINS_AT_HANGUP, &calls);
	link_mark_frames(&serial->conn.link, 0);
	link_pass_marks(&serial->conn.link, true);
	/* A bootstrap may be there already. */
	link_read(&serial->conn.link);
	if (boot_wait_ms)
		loop_arm(loop_of(serial), &serial->greet_timer, boot_wait_ms);
	link_mark(&serial->conn.link);
}
