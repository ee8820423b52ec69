/* The inside of a connection, which conn.c (its life) and dispatch.c (its frames) share. */
#ifndef MSB_CONN_INSIDE_H
#define MSB_CONN_INSIDE_H

#include "conn.h"

#define BULK_WORTH (64 * 1024) /* bytes of a frame of input from which moving its pages pays */

struct conn {
	struct conn_host *host;
	struct conn *next, *prev;
	struct link link;
	struct job_outlet outlet;
	struct loop_task turn;
	struct loop_grave grave;
	uint32_t body_id; /* whose input the link's body is */
	bool trusted;
	bool was_full;
	bool doomed; /* to be closed after this frame */
	char name[32];
};

/* Acts upon one frame, or answers why not. 0, or -errno to close the connection. */
int dispatch_frame(struct conn *conn, const struct frame *frame);

#endif
