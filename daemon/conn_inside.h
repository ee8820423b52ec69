/*
 * The inside of a connection, which conn.c (its life), dispatch.c (its frames) and conn_serial.c
 * (what is different on a serial stream) share.
 */
#ifndef MSB_CONN_INSIDE_H
#define MSB_CONN_INSIDE_H

#include "../shared/log.h"
#include "conn.h"

#define BULK_WORTH (64 * 1024) /* bytes of a frame of input from which moving its pages pays */

struct conn {
	struct conn_host *host;
	struct conn *next, *prev;
	struct link link;
	struct outlet outlet;
	struct loop_grave grave;
	uint32_t body_id; /* whose input the link's body is */
	bool trusted;
	size_t *open; /* where it is counted besides; or NULL */
	struct frame_clock clock;
	bool doomed; /* to be closed after this frame */
	struct log_rate said;
	char name[32];

	/* On a serial stream; NULL and unused on others. */
	struct conn_serial *serial;
	bool greeted; /* core.ready has been sent to this host */
	bool barred;  /* its bootstrap was no good: it gets no command */
	bool used;    /* it has asked for a command */
	size_t cut;   /* bytes of an unfinished frame when they were last counted */
	struct loop_timer greet_timer, cut_timer;
};

/* Takes ownership of the descriptors; says nothing yet. NULL, with them closed, without memory. */
struct conn *conn_new(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer,
		      enum link_manner manner);
void conn_close(struct conn *conn, const char *why);

/* Whether one more line may be logged on account of what the client did. */
static inline bool conn_may_say(struct conn *conn)
{
	return log_may(&conn->said, loop_now_ms(), conn->name);
}

/* Whether no frame is taken, since nobody takes what the ones before have caused. */
bool conn_is_choked(struct conn *conn);

/* Queues core.ready. 0 or -errno. */
int conn_greet(struct conn *conn);

/* ---- conn_serial.c ---- */

/* After each turn. */
void serial_turn(struct conn *conn);

/* What came makes no sense: whoever sent it may be another host by now. */
void serial_lose_framing(struct conn *conn);
void serial_close(struct conn *conn);

/* The frames that only a serial stream knows; all have id 0. */
void serial_boot(struct conn *conn, struct msg_bootstrap *bootstrap);
void serial_ack(struct conn *conn);

/* A frame was refused: whether it may have been a bootstrap decides what the host may still do. */
void serial_refused(struct conn *conn, const struct frame *frame, enum msg_type type,
		    const char *why);

/* Acts upon one frame, or answers why not. 0, or -errno to close the connection. */
int dispatch_frame(struct conn *conn, const struct frame *frame);

#endif
