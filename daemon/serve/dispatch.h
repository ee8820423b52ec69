/*
 * What becomes of each frame that a client sends: one handler a type, and the answers to what is
 * wrong or not ours to do.
 */
#ifndef MSB_DISPATCH_H
#define MSB_DISPATCH_H

#include "conn.h"
#include "shared/wire/incoming.h"

/* What all clients of a daemon may ask for; every connection's host is part of one. */
struct dispatch {
	struct conn_host conns;
	size_t max_jobs;
	void (*on_shutdown)(struct dispatch *dispatch); /* a peer that may has asked for it */
};

/* Acts upon one frame, or answers why not: a connection's on_frame. */
int dispatch_frame(struct conn *conn, const struct frame *frame);

/*
 * For takers that let less be lost. Acts upon an opened frame: 0; -EBADMSG with the fault, to be
 * refused; -EEXIST, and nothing is done, for a request whose id is in use; or -errno of the queue.
 */
int dispatch_incoming(struct conn *conn, struct incoming *in);

/*
 * Says why a frame was refused, and ends its id. 0, or -EPROTO when its sender cannot be told
 * and would wait for ever.
 */
int dispatch_refuse(struct conn *conn, const struct incoming *in);

#endif
