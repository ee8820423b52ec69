/* A host on a serial stream: see serial.h. */
#include "serial.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "dispatch.h"

#define ACK_WAIT_MS 2000 /* for a host's word that it has heard the default user */
#define CUT_WAIT_MS 5000 /* for the rest of a frame: the host behind it may be another by now */

static struct loop *loop_of(const struct serial *serial)
{
	return serial->conns->jobs->loop;
}

static void greet(struct serial *serial)
{
	loop_disarm(loop_of(serial), &serial->greet_timer);
	serial->greeted = true;
	if (conn_greet(serial->conn) < 0)
		log_warn("%s: cannot greet: no memory", serial->conn->name);
	link_mark(&serial->conn->link);
}

static void on_greet(struct loop_timer *timer)
{
	greet(container_of(timer, struct serial, greet_timer));
}

/* Whoever asked for what runs here cannot be answered any more. */
static void forget_sessions(struct serial *serial)
{
	outlet_lose_all(&serial->conn->outlet);
}

static void refuse_host(struct serial *serial, const char *why)
{
	log_error("%s: %s; no command runs for this host until it sends a bootstrap that is",
		  serial->conn->name, why);
	loop_disarm(loop_of(serial), &serial->greet_timer);
	forget_sessions(serial);
	serial->boot_failed = true;
	serial->greeted = false;
}

/* ---- what the host sends ---- */

static void on_bootstrap(struct serial *serial, const struct letter *letter)
{
	char words[ERR_TEXT_MAX + 64], why[ERR_TEXT_MAX + 128];
	struct msg_init_resolved resolved;
	struct msg_bootstrap bootstrap;
	struct err err;

	if (dispatch_decode(serial->conn, letter, &bootstrap) < 0)
		return;
	if (boot_apply(serial->boot, &bootstrap, &err) < 0 ||
	    boot_default_user(serial->boot->config, &resolved.default_user, &err) < 0) {
		snprintf(why, sizeof(why), "the bootstrap is refused: %s",
			 err_words(&err, words, sizeof(words)));
		refuse_host(serial, why);
		return;
	}
	forget_sessions(serial);
	serial->boot_failed = false;
	serial->greeted = false;
	if (msg_put_init_resolved(link_out(&serial->conn->link), &resolved) < 0)
		log_warn("%s: cannot answer the bootstrap: no memory", serial->conn->name);
	log_info("%s: bootstrap applied; commands run as %u:%u", serial->conn->name,
		 resolved.default_user.uid, resolved.default_user.gid);
	loop_arm(loop_of(serial), &serial->greet_timer, ACK_WAIT_MS);
}

static void on_ack(struct serial *serial, const struct letter *letter)
{
	(void)letter;
	if (serial->boot_failed)
		return;
	if (!outlet_is_vacant(&serial->conn->outlet))
		log_info("%s: the host is new; what ran for it before ends", serial->conn->name);
	forget_sessions(serial);
	greet(serial);
}

static void on_client_disconnected(struct serial *serial, const struct letter *letter)
{
	struct msg_id_range range;

	/* Whatever they still write: an answer to a later ping comes behind their last frame. */
	if (dispatch_decode(serial->conn, letter, &range) == 0)
		outlet_lose_ids(&serial->conn->outlet, range.start, range.end);
}

/* Whether it is a message of the host's own; clients behind it have other ids than 0. */
static bool take_own(struct serial *serial, const struct frame *frame)
{
	void (*run)(struct serial * serial, const struct letter *letter) = NULL;
	struct letter_fault fault;
	struct letter letter;

	if (frame->id || letter_open(&letter, frame, &fault) < 0)
		return false;
	if (letter.envelope.type == MSG_BOOTSTRAP)
		run = on_bootstrap;
	else if (letter.envelope.type == MSG_INIT_ACK)
		run = on_ack;
	else if (letter.envelope.type == MSG_RELAY_CLIENT_DISCONNECTED)
		run = on_client_disconnected;
	if (!run)
		return false;
	serial->conns->jobs->activity++;
	run(serial, &letter);
	return true;
}

static int on_frame(struct conn *conn, const struct frame *frame)
{
	struct serial *serial = conn->owner;

	/* What was meant for another host's agent, or by one whose bootstrap was no good. */
	if (!serial->greeted && frame->id) {
		if (conn_may_say(conn))
			log_info("%s: id %u: dropped, since ready is still to come", conn->name,
				 frame->id);
		return 0;
	}
	if (take_own(serial, frame))
		return 0;
	return dispatch_frame(conn, frame);
}

/* Whether it may have been a bootstrap decides what the host may still do. */
static void on_refused(struct conn *conn, const struct frame *frame, enum msg_type type,
		       const char *why)
{
	struct serial *serial = conn->owner;

	if (frame->id)
		return;
	/* Later a client may be behind it: relays let id 0 pass with the flag of a shutdown. */
	if (serial->greeted ? type == MSG_BOOTSTRAP && !frame->flags
			    : type == MSG_BOOTSTRAP || type == MSG_UNKNOWN)
		refuse_host(serial, why);
}

/* ---- the stream ---- */

/* While the rest of a frame is missing although we read, it may never come. */
static void watch_for_cut(struct serial *serial)
{
	struct link *link = &serial->conn->link;
	const struct buf *cut = link_cut(link);
	size_t len = cut ? buf_len(cut) : 0;

	if (!len || conn_is_choked(serial->conn) || link_is_starved(link)) {
		loop_disarm(loop_of(serial), &serial->cut_timer);
		len = 0;
	} else if (len != serial->cut) {
		loop_arm(loop_of(serial), &serial->cut_timer, CUT_WAIT_MS);
	}
	serial->cut = len;
}

static void on_turn(struct conn *conn)
{
	struct serial *serial = conn->owner;

	if (!serial->greeted && !serial->boot_failed && !serial->greet_timer.armed)
		greet(serial);
	watch_for_cut(serial);
}

/* Whoever sent that may be another host by now. */
static void on_senseless(struct conn *conn)
{
	struct serial *serial = conn->owner;

	log_warn("%s: framing lost; what ran for this host ends", conn->name);
	/* What is queued to go out are whole frames, of which one may have begun. */
	link_drop_input(&conn->link);
	forget_sessions(serial);
	serial->greeted = false;
	loop_disarm(loop_of(serial), &serial->greet_timer);
	link_mark(&conn->link);
	on_turn(conn);
}

static void on_cut(struct loop_timer *timer)
{
	struct serial *serial = container_of(timer, struct serial, cut_timer);

	log_warn("%s: a frame breaks off", serial->conn->name);
	on_senseless(serial->conn);
}

static void on_closed(struct conn *conn)
{
	struct serial *serial = conn->owner;

	loop_disarm(loop_of(serial), &serial->greet_timer);
	loop_disarm(loop_of(serial), &serial->cut_timer);
	serial->conn = NULL;
	serial->on_end(serial);
}

static const struct conn_shared_calls calls = {
	.conn.on_frame = on_frame,
	.on_refused = on_refused,
	.on_turn = on_turn,
	.on_senseless = on_senseless,
	.on_closed = on_closed,
};

int serial_open(struct serial *serial, int fd, const char *name, uint64_t boot_wait_ms)
{
	serial->greeted = serial->boot_failed = false;
	serial->cut = 0;
	serial->greet_timer.on_due = on_greet;
	serial->cut_timer.on_due = on_cut;
	serial->conn = conn_open_shared(serial->conns, fd, name, &calls, serial);
	if (!serial->conn)
		return -ENOMEM;
	/* A bootstrap may be there already. */
	link_read(&serial->conn->link);
	if (boot_wait_ms)
		loop_arm(loop_of(serial), &serial->greet_timer, boot_wait_ms);
	return 0;
}
