/* The inside of a connection, which conn.c (its life) and dispatch.c (its frames) share. */
#ifndef MSB_CONN_INSIDE_H
#define MSB_CONN_INSIDE_H

#include "conn.h"

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

/* Acts upon one frame, or answers why not. 0, or -errno to close the connection. */
int dispatch_frame(struct conn *conn, const struct frame *frame);

#endif
