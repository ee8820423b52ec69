/*
 * What is different on a serial stream. There is no connection to close: when framing is lost, or
 * the host says that it is new, what it ran ends and it is greeted again.
 *
 *	host: core.bootstrap   may come first, and is answered with the default user
 *	      core.init.ack    asks for ready: it is new, which a UART cannot tell, or has heard that
 *	us:   core.ready       at once, unless a bootstrap is waited for
 *
 * These have id 0, which no client of a relay may use.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "boot.h"
#include "conn_inside.h"

#define ACK_WAIT_MS 2000 /* for a host's word that it has heard the default user */
#define CUT_WAIT_MS 5000 /* for the rest of a frame: the host behind it may be another by now */

static struct loop *loop_of(const struct conn *conn)
{
	return conn->host->jobs->loop;
}

static void greet(struct conn *conn)
{
	loop_disarm(loop_of(conn), &conn->greet_timer);
	conn->greeted = true;
	if (conn_greet(conn) < 0)
		log_warn("%s: cannot greet: no memory", conn->name);
	link_mark(&conn->link);
}

static void on_greet(struct loop_timer *timer)
{
	greet(container_of(timer, struct conn, greet_timer));
}

/* Whoever asked for what runs here cannot be answered any more. */
static void forget_sessions(struct conn *conn)
{
	conn->used = false;
	outlet_lose_all(&conn->outlet);
}

static void bar(struct conn *conn, const char *why)
{
	log_error("%s: %s; no command runs for this host until it sends a bootstrap that is",
		  conn->name, why);
	loop_disarm(loop_of(conn), &conn->greet_timer);
	forget_sessions(conn);
	conn->barred = true;
	conn->greeted = false;
}

/* ---- what the host sends ---- */

void serial_boot(struct conn *conn, struct msg_bootstrap *bootstrap)
{
	char words[ERR_TEXT_MAX + 64], why[ERR_TEXT_MAX + 128];
	struct msg_init_resolved resolved;
	struct err err;

	if (boot_apply(conn->host->boot, bootstrap, &err) < 0 ||
	    boot_default_user(conn->host->boot->config, &resolved.default_user, &err) < 0) {
		snprintf(why, sizeof(why), "the bootstrap is refused: %s",
			 err_words(&err, words, sizeof(words)));
		bar(conn, why);
		return;
	}
	forget_sessions(conn);
	conn->barred = false;
	conn->greeted = false;
	if (msg_put_init_resolved(link_out(&conn->link), &resolved) < 0)
		log_warn("%s: cannot answer the bootstrap: no memory", conn->name);
	log_info("%s: bootstrap applied; commands run as %u:%u", conn->name,
		 resolved.default_user.uid, resolved.default_user.gid);
	loop_arm(loop_of(conn), &conn->greet_timer, ACK_WAIT_MS);
}

void serial_ack(struct conn *conn)
{
	if (conn->barred)
		return;
	if (conn->used)
		log_info("%s: the host is new; what ran for it before ends", conn->name);
	forget_sessions(conn);
	greet(conn);
}

void serial_refused(struct conn *conn, const struct frame *frame, enum msg_type type,
		    const char *why)
{
	if (frame->id)
		return;
	/* Later a client may be behind it: relays let id 0 pass with the flag of a shutdown. */
	if (conn->greeted ? type == MSG_BOOTSTRAP && !frame->flags
			  : type == MSG_BOOTSTRAP || type == MSG_UNKNOWN)
		bar(conn, why);
}

/* ---- the stream ---- */

static void on_cut(struct loop_timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, cut_timer);

	log_warn("%s: a frame breaks off", conn->name);
	serial_lose_framing(conn);
}

/* While the rest of a frame is missing although we read, it may never come. */
static void watch_for_cut(struct conn *conn)
{
	const struct buf *cut = link_cut(&conn->link);
	size_t len = cut ? buf_len(cut) : 0;

	if (!len || conn_is_choked(conn) || link_is_starved(&conn->link)) {
		loop_disarm(loop_of(conn), &conn->cut_timer);
		len = 0;
	} else if (len != conn->cut) {
		loop_arm(loop_of(conn), &conn->cut_timer, CUT_WAIT_MS);
	}
	conn->cut = len;
}

void serial_lose_framing(struct conn *conn)
{
	log_warn("%s: framing lost; what ran for this host ends", conn->name);
	/* What is queued to go out are whole frames, of which one may have begun. */
	link_drop_input(&conn->link);
	forget_sessions(conn);
	conn->greeted = false;
	loop_disarm(loop_of(conn), &conn->greet_timer);
	link_mark(&conn->link);
	serial_turn(conn);
}

void serial_turn(struct conn *conn)
{
	if (!conn->greeted && !conn->barred && !conn->greet_timer.armed)
		greet(conn);
	watch_for_cut(conn);
}

void serial_close(struct conn *conn)
{
	loop_disarm(loop_of(conn), &conn->greet_timer);
	loop_disarm(loop_of(conn), &conn->cut_timer);
	conn->serial->on_end(conn->serial);
}

int conn_open_serial(struct conn_host *host, int fd, const char *name, struct conn_serial *serial)
{
	struct peer peer = {.trusted = true};
	struct conn *conn;

	snprintf(peer.name, sizeof(peer.name), "%s", name);
	conn = conn_new(host, fd, fd, &peer, LINK_DRAINS_AT_HANGUP);
	if (!conn)
		return -ENOMEM;
	conn->serial = serial;
	conn->greet_timer.on_due = on_greet;
	conn->cut_timer.on_due = on_cut;
	/* A bootstrap may be there already. */
	link_read(&conn->link);
	if (serial->boot_wait_ms)
		loop_arm(loop_of(conn), &conn->greet_timer, serial->boot_wait_ms);
	link_mark(&conn->link);
	return 0;
}
